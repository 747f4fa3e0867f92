/** User code in the middle of a start: `workerData` is cloned for each thread, and may have getters. */
import { expect, test } from "vitest";
import { JobRunner } from "powerhose";
import { threads } from "powerhose/threads";
import { commands, failureOf } from "./stage.ts";

type Act = (runner: JobRunner, listen: ReturnType<typeof threads>) => Promise<unknown>;

/** A runner over three threads, in the middle of whose start `act` is called, as the first of them is made. */
async function during(act: Act): Promise<{ runner: JobRunner; starting: Promise<void>; acted: unknown[] }> {
  const acted: unknown[] = [];
  const workerData = {
    get data(): string {
      if (acted.length === 0) {
        acted.push("now");
        acted.push(act(runner, listen));
      }
      return "x";
    },
  };
  const listen = threads(commands, { size: 3, workerData });
  const runner = new JobRunner({ listen });
  const starting = runner.start();
  starting.catch(() => undefined);
  return { runner, starting, acted };
}

test.each<[string, Act]>([
  ["stops the runner", (runner) => runner.stop()],
  ["stops the threads", (_, listen) => listen.stop()],
])("a getter %s: no thread is left when that is done", async (_what, act) => {
  const { runner, starting, acted } = await during(act);
  await acted[1];
  expect(await failureOf(starting)).toMatchObject({ code: "RUNNER_STOPPED" });
  await runner.start();
  expect(await runner.execute("echo:again")).toBe("again");
  await runner.stop();
});

test("a getter starts the runner again, which is the same start", async () => {
  const { runner, starting, acted } = await during((again) => again.start());
  await starting;
  await acted[1];
  expect(await runner.execute("echo:once")).toBe("once");
  expect(runner.stats().registered).toBeLessThanOrEqual(3);
  await runner.stop();
});
