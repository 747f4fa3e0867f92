import { expect, test } from "vitest";
import { type RunNumbers, summary, verdict } from "../../../src/cli/run/summary.ts";

const run: RunNumbers = {
  jobs: 1_000,
  failed: 0,
  items: 0,
  resumed: 0,
  wallMs: 10_000,
  cpuMs: 40_000,
  threads: 4,
  remotes: 0,
  runs: 1_000,
  runMs: 34_000,
  remoteRuns: 0,
  remoteMs: 0,
  handOverMs: 12,
  localRuns: 1_000,
};

test("three lines: what was done, what a job took, whether it paid", () => {
  expect(summary(run)).toEqual([
    "1,000 jobs in 10.0 s, 100 a second on 4 workers, none failed",
    "a job took 34 ms to run, and handing it over 12 µs (on average, estimated)",
    "Offloading paid: 3.40× faster than one core (estimated).",
  ]);
});

test("says who took part, what failed and what was done before", () => {
  const [line] = summary({ ...run, failed: 3, resumed: 20, remotes: 2 });
  expect(line).toBe("1,000 jobs in 10.0 s, 100 a second on 4 threads and 2 remote workers, 3 failed, 20 done before");
  expect(summary({ ...run, threads: 0, remotes: 1 })[0]).toContain("on 1 remote worker, none");
});

test("of remote workers no more is claimed than is known", () => {
  const remote = {
    ...run,
    threads: 0,
    remotes: 1,
    runs: 0,
    runMs: 0,
    localRuns: 0,
    remoteRuns: 1_000,
    remoteMs: 5_000,
  };
  expect(summary(remote).slice(1)).toEqual(["a remote job took 5.0 ms from hand-over to answer (on average)"]);
  const mixed = { ...run, runs: 400, runMs: 13_600, localRuns: 400, remotes: 1, remoteRuns: 600, remoteMs: 90_000 };
  expect(verdict(mixed)).toBe("Offloading paid: 3.40× faster than one core (estimated).");
});

test("a hand-over too small to measure is not told", () => {
  for (const handOverMs of [0, -3, 0.1])
    expect(summary({ ...run, handOverMs })[1]).toBe("a job took 34 ms to run (on average, estimated)");
});

test("one job is no reason for a verdict", () => {
  const one = { ...run, jobs: 1, runs: 1, runMs: 9_000, cpuMs: 9_000, localRuns: 1, handOverMs: 1 };
  expect(summary(one)).toEqual([
    "1 job in 10.0 s, 0.10 a second on 4 workers, none failed",
    "a job took 9.0 s to run, and handing it over 1.0 ms (on average, estimated)",
  ]);
  expect(verdict({ ...one, remoteRuns: 1 })).toBeDefined();
});

test("nothing ran: nothing is claimed", () => {
  const idle = { ...run, jobs: 0, runs: 0, runMs: 0, localRuns: 0, handOverMs: 0 };
  expect(summary(idle)).toEqual(["0 jobs in 10.0 s, 0 a second on 4 workers, none failed"]);
});

test.each([
  [
    { runMs: 4, handOverMs: 12 },
    "Not worth it: the jobs take 4.0 µs each, less than the 12 µs to hand one over; put more work into a job.",
  ],
  [{ runMs: 9_900, threads: 1 }, "No gain: one worker is one core; try more --workers."],
  [
    { runMs: 2_000 },
    "No gain: the workers were idle 95 % of the time, waiting for input, for whoever reads the results, or for a last long job.",
  ],
  [{ runMs: 65_500, cpuMs: 20_000, threads: 8 }, "Offloading paid: 2.00× faster than one core (estimated)."],
  [
    { runMs: 218_000, cpuMs: 500, threads: 1 },
    "Whether it paid cannot be told: the handlers waited for most of their time, for which more cores are no help.",
  ],
  [{ runMs: 10_500, threads: 2 }, "No gain: 2 workers shared about one core."],
  [{ runMs: 11_500, threads: 2 }, "Offloading paid: 1.15× faster than one core (estimated)."],
])("%j: %s", (numbers, said) => {
  expect(verdict({ ...run, ...numbers })).toBe(said);
});

test("of streams, which keep their slots while they stand still, no hand-over is told", () => {
  const [first, second] = summary({ ...run, items: 12_000, handOverMs: 30_000 });
  expect(first).toBe("1,000 jobs in 10.0 s, 100 a second on 4 workers, none failed, 12,000 items");
  expect(second).toBe("a job took 34 ms to run (on average, estimated)");
});
