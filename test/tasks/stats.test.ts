/** What a runner tells of its tasks and of streams that stand still. */
import { expect, it } from "vitest";
import { explain } from "../../src/dashboard/explain.ts";
import { client, tasks } from "../../src/tasks/index.ts";
import { statusReport, statusJson, statusTable } from "../../src/cli/status/report.ts";
import { stage, watch } from "../support/stage.ts";

const served = tasks({
  async *endless() {
    for (let n = 0; ; n++) yield await Promise.resolve("".padEnd(1_000, String(n)));
  },
  hang: (): Promise<void> => new Promise(() => undefined),
});
const other = tasks({ hang: (): Promise<void> => new Promise(() => undefined), rare: () => 1 });

it("counts by task: workers, what waits and what runs", async () => {
  await using set = await stage();
  await set.worker(served, { identity: "one" });
  await set.worker(other, { identity: "two" });
  const api = client<{ hang(): Promise<void>; missing(): void }>(set.runner);
  const calls = [api.hang(), api.hang(), api.hang(), api.missing()].map(watch);
  await set.clock.settle();
  const { tasks: counts } = set.runner.stats();
  expect(counts).toEqual([
    { task: "endless", workers: 1, queued: 0, running: 0 },
    { task: "hang", workers: 2, queued: 1, running: 2 },
    { task: "missing", workers: 0, queued: 1, running: 0 },
    { task: "rare", workers: 1, queued: 0, running: 0 },
  ]);
  const report = statusReport(set.runner.stats(), { uptimeMs: 1, jobsPerSecond: 0, read: 4 });
  expect(statusTable(report)).toContain(
    "TASK     WORKERS  RUNNING  WAITING\nendless  1        0        0\nhang     2        2        1\n",
  );
  expect((JSON.parse(statusJson(report)) as typeof report).tasks).toEqual(counts);
  await set.runner.stop();
  await set.clock.settle();
  expect(calls.every(({ state }) => state === "failed")).toBe(true);
});

it("names the workers whose slots streams hold that are not read, until they are read or left", async () => {
  await using set = await stage({ streamWindow: 10_000 });
  await set.worker(served, { identity: "one", capacity: 2 });
  const api = client<typeof served>(set.runner);
  const streams = await set.settle(Promise.all([api.endless(), api.endless()]));
  const waiting = watch(api.hang());
  await set.clock.settle();
  const numbers = set.runner.stats();
  expect(numbers.workers).toMatchObject([{ identity: "one", inFlight: 2, unread: 2 }]);
  expect(explain(numbers)).toEqual({
    severity: "stuck",
    text: "2 jobs run on 1 worker. All slots are busy; 1 job waits. 2 jobs give streams that stand still as their readers do not read, on one.",
  });
  const report = statusReport(numbers, { uptimeMs: 1, jobsPerSecond: 0, read: 0 });
  expect(statusTable(report)).toContain("\n2 streams stand still, unread, in slots of one\n");
  // One is read: its credit is back before any item is.
  for (let n = 0; n < 6; n++) await streams[0]?.next();
  expect(set.runner.stats().workers).toMatchObject([{ unread: 1 }]);
  for (const stream of streams) await stream.return();
  await set.clock.settle();
  expect(set.runner.stats().workers).toMatchObject([{ unread: 0, inFlight: 1 }]);
  await set.runner.stop();
  await set.clock.settle();
  expect(waiting.state).toBe("failed");
});
