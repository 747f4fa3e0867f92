/**
 * What a runner does, the same on every transport: whatever carries the frames, jobs settle once and rightly. What a transport
 * itself must do is in socket-conformance.ts.
 */
import { ExecutionError, Job, RunnerStoppedError, WorkerLostError } from "../../index.ts";
import { behindRelays } from "./behind-relays.ts";
import { expectAtMost, expectEqual, expectFields, expectTrue, rejectionOf, show } from "./expectation.ts";
import type { FleetHarnessFactory, ConformanceCase } from "./harness.ts";
import { answered, withRunner, running, type RunnerCase, type RunnerFixture } from "./runner-fixture.ts";
import { inputStreams } from "./input-cases.ts";
import { streams } from "./stream-cases.ts";

/** The runner's default limit of a payload, in bytes. */
const MAX_PAYLOAD = 1_048_576;

async function expectAnswer(
  fixture: RunnerFixture,
  job: string | Uint8Array,
  answer: string | Uint8Array,
): Promise<void> {
  const what = `the answer to ${show(job)}`;
  expectEqual(await answered(fixture, fixture.runner.execute(job), what), answer, what);
}

function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((thrown: unknown) => thrown);
}

const payloads: readonly RunnerCase[] = [
  {
    name: "runs text, bytes, empty and odd data, and answers in kind",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      await expectAnswer(fixture, "upper:straße é😀", "STRASSE É😀");
      await expectAnswer(fixture, "\ufeff\0:::NONE*****\r\n", "\ufeff\0:::NONE*****\r\n");
      await expectAnswer(fixture, "", "");
      await expectAnswer(fixture, Uint8Array.of(1, 2, 255), Uint8Array.of(255, 2, 1));
      await expectAnswer(fixture, new Uint8Array(), new Uint8Array());
    },
  },
  {
    name: "carries headers of any spelling",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const headers = [
        ["__proto__", "a:b"],
        ["", "\\"],
        ["NONE", ""],
        ["7", "\n"],
      ] as const;
      const answer = await answered(fixture, fixture.runner.execute(new Job("headers", headers)), "the headers");
      expectEqual(JSON.parse(String(answer)), headers, "the headers as the handler saw them");
    },
  },
  {
    name: "carries a payload of the limit both ways, and refuses one byte more",
    workers: 1,
    capacity: 2,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const bytes = new Uint8Array(MAX_PAYLOAD).map((_, i) => i % 251);
      await expectAnswer(fixture, bytes, bytes.toReversed());
      await expectAnswer(fixture, `fill:${MAX_PAYLOAD}`, "x".repeat(MAX_PAYLOAD));
      const over = await rejectionOf(runner.execute(new Uint8Array(MAX_PAYLOAD + 1)), "a job over the limit");
      expectFields(over, { code: "ENCODING" }, "the error of a job over the limit");
      const tooLarge = harness.settle(runner.execute(`fill:${MAX_PAYLOAD + 1}`));
      const error = await rejectionOf(tooLarge, "a result over the limit");
      expectFields(error, { code: "ENCODING" }, "the error of a result over the limit");
      await expectAnswer(fixture, "upper:still here", "STILL HERE");
    },
  },
];

const fleets: readonly RunnerCase[] = [
  {
    name: "settles a thousand jobs, each with its own answer",
    workers: 2,
    capacity: 8,
    check: async (fixture) => {
      const { runner } = fixture;
      const jobs = Array.from({ length: 1_000 }, (_, i) => runner.execute(`upper:job ${i}`));
      const values = await answered(fixture, Promise.all(jobs), "the answers");
      const answers = jobs.map((_, i) => `JOB ${i}`);
      expectEqual(values, answers, "the answers");
      const stats = { submitted: 1_000, succeeded: 1_000, retries: 0, strikes: 0 };
      expectFields(runner.stats(), stats, "the runner's numbers");
    },
  },
  {
    name: "uses every worker",
    workers: 3,
    capacity: 1,
    check: async (fixture) => {
      const jobs = Promise.all(Array.from({ length: 30 }, () => fixture.runner.execute("who")));
      const names = await answered(fixture, jobs, "the names of the workers");
      expectEqual(new Set(names).size, 3, "the number of workers that answered");
    },
  },
  {
    name: "holds a worker for related jobs",
    workers: 2,
    capacity: 1,
    onlyDirect: "a lease is of a session: behind a relay it is a slot of the relay, whichever worker runs the job",
    check: async (fixture) => {
      const jobs = fixture.runner.workers.getContext((held) =>
        Promise.all([held.execute("who"), held.execute("who"), held.execute("who")]),
      );
      const names = await answered(fixture, jobs, "the names of the workers");
      expectEqual(new Set(names).size, 1, "the number of workers that answered");
    },
  },
  {
    name: "maps in order and as they come, with no more at a time than asked",
    workers: 2,
    capacity: 4,
    check: async (fixture) => {
      const all = Array.from({ length: 200 }, (_, i) => i);
      expectEqual(await mapped(fixture, true), all, "the order of the results");
      const unordered = await mapped(fixture, false);
      const sorted = unordered.toSorted((a, b) => a - b);
      expectEqual(sorted, all, "the results, sorted");
    },
  },
];

/** Maps 200 inputs and returns the indexes of the results as they came. */
function mapped(fixture: RunnerFixture, ordered: boolean): Promise<readonly number[]> {
  let pulled = 0;
  const inputs = function* (): Generator<string> {
    for (let i = 0; i < 200; i++) {
      pulled++;
      yield `upper:${i}`;
    }
  };
  const collect = async (): Promise<readonly number[]> => {
    const seen: number[] = [];
    for await (const outcome of fixture.runner.map(inputs(), { concurrency: 6, window: 10, ordered })) {
      expectAtMost(pulled - (seen.length + 1), 10, "inputs ahead of the result read last"); // with the one just read
      expectFields(outcome, { ok: true, value: String(outcome.index) }, `outcome ${outcome.index}`);
      const attempts = outcome.attempts.map((attempt) => attempt.outcome);
      expectEqual(attempts, ["ok"], `the attempts of outcome ${outcome.index}`);
      seen.push(outcome.index);
    }
    return seen;
  };
  return answered(fixture, collect(), "the results");
}

const failures: readonly RunnerCase[] = [
  {
    name: "hands errors over as they were thrown, and keeps the worker",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const error = await harness.settle(caught(runner.execute("fail:no luck")));
      expectTrue(error instanceof ExecutionError, `an ExecutionError; it is ${show(error)}`);
      const fields = { remoteName: "RangeError", remoteMessage: "no luck", remoteCode: "E_LAW" };
      expectFields(error, fields, "the handler's error");
      const wrong = await harness.settle(caught(runner.execute("wrong")));
      expectFields(wrong, { remoteCode: "RESULT_TYPE" }, "the error of a result that is no payload");
      await expectAnswer(fixture, "upper:on", "ON");
    },
  },
  {
    name: "tries again what a handler asks to",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const job = fixture.runner.execute("flaky:3");
      await fixture.harness.pass(400);
      expectEqual(await answered(fixture, job, "the answer of the third attempt"), "attempt 3", "the answer");
    },
  },
  {
    name: "cancels: the caller hears at once, the handler's signal aborts, the slot comes back",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const controller = new AbortController();
      const job = caught(runner.execute("hang", { signal: controller.signal }));
      await running(fixture, 1);
      const reason = new Error("enough");
      controller.abort(reason);
      expectEqual(await harness.settle(job), reason, "what the caller gets");
      await expectAnswer(fixture, "upper:next", "NEXT");
      expectEqual(runner.stats().registered, 1, "the number of registrations");
    },
  },
  {
    name: "times an attempt out and goes on with the same worker",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const job = caught(runner.execute("hang", { timeout: 30, attempts: 1 }));
      await harness.pass(30);
      expectFields(await harness.settle(job), { code: "TIMEOUT", kind: "attempt" }, "what the caller gets");
      await expectAnswer(fixture, "upper:next", "NEXT");
      expectEqual(runner.stats().registered, 1, "the number of registrations");
    },
  },
  {
    name: "loses no job with a worker: it runs elsewhere, or the caller is told",
    workers: 2,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const hanging = [1, 2].map(() => caught(runner.execute("hang", { attempts: 1 })));
      await running(fixture, 2);
      await harness.lose();
      const first = await harness.settle(Promise.race(hanging));
      expectTrue(first instanceof WorkerLostError, `a WorkerLostError; it is ${show(first)}`);
      await harness.pass(250);
      await harness.until(() => runner.stats().capacity === 2);
      await expectAnswer(fixture, "upper:on", "ON");
      expectEqual(runner.stats().running, 1, "the number of jobs that still run");
    },
  },
];

const endings: readonly RunnerCase[] = [
  {
    name: "drains: what runs and waits is finished, nothing new is taken",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const jobs = Promise.all([1, 2, 3].map((i) => runner.execute(`upper:${i}`)));
      const drained = runner.drain();
      const late = await rejectionOf(runner.execute("late"), "a job for a runner that drains");
      expectTrue(late instanceof RunnerStoppedError, `a RunnerStoppedError; it is ${show(late)}`);
      expectEqual(await answered(fixture, jobs, "the answers"), ["1", "2", "3"], "the answers");
      await harness.settle(drained);
      expectEqual(runner.state, "stopped", "the runner's state");
    },
  },
  {
    name: "settles everything when it stops",
    workers: 1,
    capacity: 1,
    check: async (fixture) => {
      const { harness, runner } = fixture;
      const jobs = [1, 2].map(() => caught(runner.execute("hang")));
      await running(fixture, 1);
      await harness.settle(runner.stop());
      for (const error of await harness.settle(Promise.all(jobs))) {
        expectTrue(error instanceof RunnerStoppedError, `a RunnerStoppedError; it is ${show(error)}`);
      }
    },
  },
];

/**
 * The cases of a runner over a transport, each played on a fleet of its own. Under any test runner:
 *
 * ```ts
 * for (const one of runnerConformance(fleet)) it(one.name, one.run);
 * ```
 *
 * @param fleet - Made of a harness by `inProcessFleet`, or written for a listener that starts its own workers.
 * @param relays - Behind so many relays, one behind the other; default 0. All that is said of jobs holds there, too: only what
 *   is said of sessions is left out.
 */
export function runnerConformance(fleet: FleetHarnessFactory, relays = 0): readonly ConformanceCase[] {
  const cases = [...payloads, ...fleets, ...failures, ...streams, ...inputStreams, ...endings];
  const behind = behindRelays(fleet, relays);
  return cases
    .filter(({ onlyDirect }) => relays === 0 || onlyDirect === undefined)
    .map((one) => ({ name: one.name, run: () => withRunner(behind, one, one.check) }));
}
