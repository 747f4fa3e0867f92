import { expect, test, vi } from "vitest";
import { Flags } from "../../../src/cli/terminal/flags.ts";
import { flagsOf } from "../../../src/cli/terminal/help.ts";
import { Terminal } from "../../../src/cli/terminal/terminal.ts";
import { InputLine } from "../../../src/cli/run/input.ts";
import { type RunWorkersOwner, RunWorkers } from "../../../src/cli/run/workers.ts";
import { readRunSettings, RUN_COMMAND } from "../../../src/cli/run/options.ts";
import { systemClock } from "../../../src/core/time/system.ts";
import { Worker } from "../../../src/index.ts";
import { dialWebSocket } from "../../../src/transports/websocket/node/index.ts";
import { jobs } from "../child.ts";

const ignore = (): void => undefined;

/** The job of one line. */
function run(fleet: RunWorkers, text: string): Promise<void> {
  const line = new InputLine(0, "-", 1, text, undefined);
  return new Promise((resolve) => void fleet.submitter.submit(line, () => resolve(), ignore));
}

const OWNER: RunWorkersOwner = {
  onCapacity: () => undefined,
  onReport: () => undefined,
  onDrained: () => undefined,
  onNote: () => "",
  onNoWorkers: () => undefined,
  onStatusRequest: () => {
    throw new Error("nobody asks");
  },
};

test("as many jobs are asked for as a worker of very short ones is prefetched", async () => {
  let said = "";
  const screen = { write: (text: string | Uint8Array) => (said += String(text)) !== "", on: () => undefined };
  const flags = new Flags(["--workers", "0", "--listen", "0", jobs("square")], flagsOf(RUN_COMMAND), {});
  const fleet = new RunWorkers(readRunSettings(flags), new Terminal(screen, {}, false), OWNER);
  await fleet.start();
  const worker = new Worker({ dial: dialWebSocket(/ws:\S+(?=;)/.exec(said)?.[0] ?? ""), handler: ({ data }) => data });
  await worker.start();
  expect(fleet.submitter.capacity(), "nothing is known of its jobs").toBe(1);
  for (let n = 0; n < 200; n++) await run(fleet, `${n}`);
  expect(fleet.submitter.capacity()).toBeGreaterThan(2);
  await worker.stop();
  await fleet.stop();
});

test("a run that is drained from the dashboard finishes its jobs, however long they take", async () => {
  const screen = { write: () => true, on: () => undefined };
  const flags = new Flags(["--workers", "0", "--listen", "0", "--dashboard", jobs("square")], flagsOf(RUN_COMMAND), {});
  const fleet = new RunWorkers(readRunSettings(flags), new Terminal(screen, {}, false), OWNER);
  await fleet.start();
  const failed = run(fleet, "7");
  const set = vi.spyOn(systemClock, "set");
  const drained = fleet.runner.drain();
  expect(set.mock.calls.map(([delay]) => delay)).toEqual([]);
  set.mockRestore();
  await fleet.stop();
  await Promise.all([failed, drained]);
});
