import { expect, test, vi } from "vitest";
import { Flags } from "../../../src/cli/terminal/flags.ts";
import { flagsOf } from "../../../src/cli/terminal/help.ts";
import { Notices } from "../../../src/cli/terminal/terminal.ts";
import { type FleetOwner, RunFleet } from "../../../src/cli/run/workers.ts";
import { readRunSettings, RUN_COMMAND } from "../../../src/cli/run/options.ts";
import { hostClock } from "../../../src/core/time/system.ts";
import { Worker } from "../../../src/index.ts";
import { dialWebSocket } from "../../../src/transports/websocket/node/index.ts";
import { jobs } from "../child.ts";

const OWNER: FleetOwner = {
  grown: () => undefined,
  drained: () => undefined,
  note: () => "",
  forsaken: () => undefined,
  report: () => {
    throw new Error("nobody asks");
  },
};

test("as many jobs are asked for as a worker of very short ones is sent ahead", async () => {
  let said = "";
  const screen = { write: (text: string | Uint8Array) => (said += String(text)) !== "", on: () => undefined };
  const flags = new Flags(["--workers", "0", "--listen", "0", jobs("square")], flagsOf(RUN_COMMAND), {});
  const fleet = new RunFleet(readRunSettings(flags), new Notices(screen, {}, false), OWNER);
  await fleet.start();
  const worker = new Worker({ dial: dialWebSocket(/ws:\S+(?=;)/.exec(said)?.[0] ?? ""), handler: ({ data }) => data });
  await worker.start();
  expect(fleet.desk.capacity(), "nothing is known of its jobs").toBe(1);
  for (let n = 0; n < 200; n++) {
    await new Promise<void>((resolve) => void fleet.desk.submit(`${n}`, undefined, () => resolve()));
  }
  expect(fleet.desk.capacity()).toBeGreaterThan(2);
  await worker.stop();
  await fleet.stop();
});

test("a run that is drained from the page finishes its jobs, however long they take", async () => {
  const screen = { write: () => true, on: () => undefined };
  const flags = new Flags(["--workers", "0", "--listen", "0", "--page", jobs("square")], flagsOf(RUN_COMMAND), {});
  const fleet = new RunFleet(readRunSettings(flags), new Notices(screen, {}, false), OWNER);
  await fleet.start();
  const failed = new Promise<void>((resolve) => void fleet.desk.submit("7", undefined, () => resolve()));
  const set = vi.spyOn(hostClock, "set");
  const drained = fleet.runner.drain();
  expect(set.mock.calls.map(([delay]) => delay)).toEqual([]);
  set.mockRestore();
  await fleet.stop();
  await Promise.all([failed, drained]);
});
