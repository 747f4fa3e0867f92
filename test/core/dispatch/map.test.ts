import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Deferred } from "../../../src/core/async/deferred.ts";
import { ExecutionError, RunnerStoppedError } from "../../../src/core/errors.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { MapInput, MapOptions, Outcome } from "../../../src/core/dispatch/map.ts";
import { Puppet, type Stage, stage, watch, type Watched } from "../../support/stage.ts";

type Inputs<T> = Iterable<T> | AsyncIterable<T>;

const square = (job: Job): string => String(Number(job.data) ** 2);

/** Counts from 0 without end, and notes how far it got and whether it was let go. */
class Counter implements Iterable<string> {
  pulled = 0;
  returned = 0;

  [Symbol.iterator](): Iterator<string> {
    return {
      next: () => ({ done: false, value: String(this.pulled++) }),
      return: () => {
        this.returned++;
        return { done: true, value: undefined };
      },
    };
  }
}

/** The same, one at a time and only when the test says so. */
class Feed implements AsyncIterable<string> {
  readonly asked: Deferred<IteratorResult<string>>[] = [];
  pulled = 0;
  returned = 0;

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: () => {
        const answer = new Deferred<IteratorResult<string>>();
        this.asked.push(answer);
        return answer.promise;
      },
      return: () => {
        this.returned++;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  give(value = String(this.pulled++)): void {
    this.asked.shift()?.resolve({ done: false, value });
  }

  end(): void {
    this.asked.shift()?.resolve({ done: true, value: undefined });
  }

  fail(error: unknown): void {
    this.asked.shift()?.reject(error);
  }
}

function brief(outcome: Outcome<MapInput>): string {
  return outcome.ok ? `${outcome.index}=${String(outcome.value)}` : `${outcome.index}!${(outcome.error as Error).name}`;
}

/** Reads all outcomes, as they come. */
async function read(set: Stage, inputs: Inputs<MapInput>, options?: MapOptions): Promise<[string[], Watched<void>]> {
  const outcomes: string[] = [];
  const reader = async (): Promise<void> => {
    for await (const outcome of set.runner.map(inputs, options)) outcomes.push(brief(outcome));
  };
  const done = watch(reader());
  // Outcomes that are there at once are read one after the other, which takes longer than one settling waits.
  for (let i = 0; i < 10; i++) await set.clock.settle();
  return [outcomes, done];
}

async function* later<T>(...values: T[]): AsyncGenerator<T> {
  for (const value of values) {
    await null;
    yield value;
  }
}

function* thenThrow<T>(...values: T[]): Generator<T> {
  yield* values;
  throw new Error("the input broke");
}

async function* laterThrow<T>(...values: T[]): AsyncGenerator<T> {
  yield* later(...values);
  throw new Error("the input broke");
}

describe("map", () => {
  it.each<[string, () => Inputs<MapInput>]>([
    ["an array", () => ["1", "2", "3"]],
    ["a set", () => new Set(["1", "2", "3"])],
    ["a string, letter by letter", () => "123"],
    [
      "a generator",
      () =>
        (function* () {
          yield* ["1", "2", "3"];
        })(),
    ],
    ["an async generator", () => later("1", "2", "3")],
    ["jobs and bytes", () => [new Job("1"), "2", new Uint8Array([51])]],
  ])("runs %s", async (_name, inputs) => {
    await using set = await stage();
    await set.worker((job) => (typeof job.data === "string" ? square(job) : "9"));
    const [outcomes, done] = await read(set, inputs());
    expect([outcomes, done.state]).toEqual([["0=1", "1=4", "2=9"], "ok"]);
  });

  it("tells the input, the place and the attempts of each outcome", async () => {
    await using set = await stage();
    await set.worker(square, { identity: "w" });
    const input = new Job("3");
    const results = set.runner.map([input]);
    const first = await set.settle(results.next());
    expect(first.value).toEqual({
      ok: true,
      value: "9",
      input,
      index: 0,
      attempts: [{ identity: "w", outcome: "ok", ms: 0 }],
    });
    expect(first.value?.input).toBe(input);
    await results.return();
  });

  it("ends at once when there is nothing to do", async () => {
    await using set = await stage();
    for (const inputs of [[], later<string>()]) {
      const [outcomes, done] = await read(set, inputs);
      expect([outcomes, done.state]).toEqual([[], "ok"]);
    }
  });

  it("hands an empty result over as a result", async () => {
    await using set = await stage();
    await set.worker(() => "");
    const [outcomes] = await read(set, ["x"]);
    expect(outcomes).toEqual(["0="]);
  });

  it.each([
    [undefined, ["0=zero", "1=one", "2=two"]],
    [true, ["0=zero", "1=one", "2=two"]],
    [false, ["2=two", "0=zero", "1=one"]],
  ])("keeps the order of the inputs or of the ends (ordered: %s)", async (ordered, expected) => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { capacity: 3 });
    const [outcomes, done] = await read(set, ["0", "1", "2"], ordered === undefined ? {} : { ordered });
    const [zero, one, two] = puppet.runs;
    two?.end("two");
    await set.clock.settle();
    expect(outcomes).toEqual(ordered === false ? ["2=two"] : []);
    zero?.end("zero");
    await set.clock.settle();
    one?.end("one");
    await set.clock.settle();
    expect([outcomes, done.state]).toEqual([expected, "ok"]);
  });

  it("takes a failed job for an outcome and goes on", async () => {
    await using set = await stage();
    await set.worker((job) => {
      if (job.data === "bad") throw new Error("no");
      return job.data;
    });
    const results = set.runner.map(["a", "bad", "b"]);
    const outcomes: Outcome<string>[] = [];
    for (let i = 0; i < 3; i++) {
      const { value } = await set.settle(results.next());
      if (value !== undefined) outcomes.push(value);
    }
    expect(outcomes.map(brief)).toEqual(["0=a", "1!ExecutionError", "2=b"]);
    expect(outcomes[1]).toMatchObject({ ok: false, input: "bad", error: expect.any(ExecutionError) as unknown });
    expect((await results.next()).done).toBe(true);
  });

  it("takes a text that UTF-8 cannot carry for a failed job and goes on", async () => {
    await using set = await stage();
    await set.worker((job) => job.data);
    const [outcomes, done] = await read(set, ["a", "\ud800", "c"]);
    expect([outcomes, done.state]).toEqual([["0=a", "1!TypeError", "2=c"], "ok"]);
  });

  it.each<[string, unknown]>([
    ["a number", 12],
    ["null", null],
    ["a promise", Promise.resolve("b")],
    ["an array", ["b"]],
  ])(
    "delivers what came before an input that is %s, then throws a TypeError and closes the input",
    async (...given) => {
      await using set = await stage();
      await set.worker((job) => job.data);
      for (const ordered of [true, false]) {
        let returned = 0;
        const inputs = function* (): Generator<MapInput> {
          try {
            yield* ["a", "b", given[1] as MapInput, "c"];
          } finally {
            returned++;
          }
        };
        const [outcomes, done] = await read(set, inputs(), { ordered });
        expect([outcomes, done.state, returned]).toEqual([["0=a", "1=b"], "failed", 1]);
        expect(done.error).toBeInstanceOf(TypeError);
        expect((done.error as Error).message).toMatch(
          /^map: input 2: expected the data of a job to be a string or bytes/,
        );
      }
    },
  );

  it.each<[string, () => Inputs<MapInput>]>([
    ["throws", () => thenThrow("1", "2")],
    ["rejects", () => laterThrow("1", "2")],
  ])("delivers what came before an input that %s, then throws the same", async (_name, inputs) => {
    await using set = await stage();
    await set.worker(square);
    for (const ordered of [true, false]) {
      const [outcomes, done] = await read(set, inputs(), { ordered });
      expect([outcomes, String(done.error)]).toEqual([["0=1", "1=4"], "Error: the input broke"]);
    }
  });

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["a number", 5],
    ["an object", {}],
  ])("refuses %s as inputs", async (_name, inputs) => {
    await using set = await stage();
    const [, done] = await read(set, inputs as Inputs<MapInput>);
    expect(done.error).toBeInstanceOf(TypeError);
    expect(String(done.error)).toContain("map: expected an iterable");
  });

  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["a number", 5],
  ])("throws when an input answers %s, and does not hang", async (_name, answer) => {
    await using set = await stage();
    const sync = { next: () => answer } as Iterator<string>;
    const async = { next: () => Promise.resolve(answer) } as AsyncIterator<string>;
    for (const inputs of [{ [Symbol.iterator]: () => sync }, { [Symbol.asyncIterator]: () => async }]) {
      const [, done] = await read(set, inputs);
      expect([done.state, done.error]).toEqual(["failed", expect.any(TypeError)]);
    }
  });

  it("waits for async inputs that answer with other promises than the host's, or with none", async () => {
    await using set = await stage();
    await set.worker(square);
    let n = 0;
    const next = (): unknown => {
      n++;
      const result = n > 4 ? { done: true, value: undefined } : { done: false, value: String(n) };
      // Every other answer is no promise of the host's: a thenable of another library, or the bare result.
      return n % 2 === 0 ? result : { then: (answer: (value: unknown) => void): void => answer(result) };
    };
    const inputs = { [Symbol.asyncIterator]: () => ({ next }) } as AsyncIterable<string>;
    const [outcomes, done] = await read(set, inputs);
    expect([outcomes, done.state]).toEqual([["0=1", "1=4", "2=9", "3=16"], "ok"]);
  });

  it.each<[object, typeof TypeError]>([
    [{ concurrency: 0 }, RangeError],
    [{ concurrency: 1.5 }, RangeError],
    [{ concurrency: Number.POSITIVE_INFINITY }, RangeError],
    [{ window: 0 }, RangeError],
    [{ window: "9" }, TypeError],
    [{ ordered: "yes" }, TypeError],
    [{ timeout: -1 }, RangeError],
    [{ attempts: 0 }, RangeError],
    [{ signal: {} }, TypeError],
    [{ concurency: 4 }, TypeError],
  ])("refuses %o before it touches the input", async (options, kind) => {
    await using set = await stage();
    const counter = new Counter();
    const [, done] = await read(set, counter, options);
    expect(done.error).toBeInstanceOf(kind);
    expect([counter.pulled, counter.returned]).toEqual([0, 0]);
  });

  it("hands the options of execute to each job", async () => {
    await using set = await stage();
    await set.worker(() => new Promise(() => undefined), { capacity: 2 });
    const [outcomes, done] = await read(set, ["1", "2"], { timeout: 10, attempts: 1 });
    await set.clock.advance(10);
    expect([outcomes, done.state]).toEqual([["0!TimeoutError", "1!TimeoutError"], "ok"]);
    await set.clock.advance(2_000);
  });
});

describe("how far map runs ahead", () => {
  it("pulls nothing before the first outcome is asked for", async () => {
    await using set = await stage();
    const counter = new Counter();
    const results = set.runner.map(counter);
    await set.clock.settle();
    expect(counter.pulled).toBe(0);
    await results.return();
  });

  it("never runs more than `concurrency`, however many workers there are", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { capacity: 10 });
    const inputs = Array.from({ length: 12 }, (_, i) => String(i));
    const [outcomes] = await read(set, inputs, { concurrency: 3, ordered: false });
    for (let ended = 0; ended < 12; ended++) {
      expect(puppet.runs.length).toBe(Math.min(12, ended + 3));
      expect(set.runner.stats().running).toBe(Math.min(3, 12 - ended));
      puppet.runs[ended]?.end("x");
      await set.clock.settle();
    }
    expect(outcomes).toHaveLength(12);
  });

  it("stops pulling when nobody reads, and goes on when somebody does", async () => {
    await using set = await stage();
    await set.worker(square, { capacity: 4 });
    const counter = new Counter();
    const results = set.runner.map(counter, { concurrency: 4, window: 6 });
    await set.settle(results.next());
    await set.clock.advance(10_000);
    const pulled = counter.pulled;
    expect(pulled).toBeLessThanOrEqual(1 + 6);
    for (let seen = 1; seen < 50; seen++) {
      await set.settle(results.next());
      await set.clock.settle();
      expect(counter.pulled).toBeLessThanOrEqual(seen + 1 + 6);
    }
    expect(counter.pulled).toBeGreaterThan(pulled);
    await set.settle(results.return());
  });

  it("keeps at most `window` inputs ahead of the slowest, when outcomes are in order", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker((job, context) => (job.data === "0" ? puppet.handler(job, context) : square(job)), {
      capacity: 4,
    });
    const counter = new Counter();
    const results = set.runner.map(counter, { concurrency: 4, window: 10 });
    const first = watch(results.next());
    await set.clock.settle();
    expect([first.state, counter.pulled]).toEqual(["pending", 10]);
    puppet.runs[0]?.end("0");
    await set.clock.settle();
    expect(first.state).toBe("ok");
    await set.settle(results.return());
  });

  it("is bounded by the window also when every input is wrong", async () => {
    await using set = await stage();
    let pulled = 0;
    const wrong: Iterator<string> = { next: () => ({ done: false, value: `${pulled++}\ud800` }) };
    const results = set.runner.map({ [Symbol.iterator]: () => wrong }, { window: 8 });
    const first = await set.settle(results.next());
    expect([first.value?.ok, pulled]).toEqual([false, 8]);
    await results.return();
  });

  it("asks an async input for one at a time", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { capacity: 4 });
    const feed = new Feed();
    const [outcomes, done] = await read(set, feed, { concurrency: 2 });
    expect(feed.asked).toHaveLength(1);
    feed.give();
    await set.clock.settle();
    expect(feed.asked).toHaveLength(1);
    feed.give();
    await set.clock.settle();
    expect(feed.asked, "two run: enough").toHaveLength(0);
    puppet.runs[1]?.end("b");
    await set.clock.settle();
    expect(feed.asked).toHaveLength(1);
    feed.end();
    puppet.runs[0]?.end("a");
    await set.clock.settle();
    expect([outcomes, done.state]).toEqual([["0=a", "1=b"], "ok"]);
  });

  it("has sixteen jobs under way by default, and twice the slots of a larger fleet as it grows", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    const counter = new Counter();
    const results = set.runner.map(counter, { ordered: false });
    const waiting = watch(results.next());
    await set.clock.settle();
    expect(counter.pulled).toBe(16);
    await set.worker(puppet.handler, { capacity: 20 });
    expect(puppet.runs).toHaveLength(16);
    puppet.runs[0]?.end("x");
    await set.clock.settle();
    expect(waiting.state).toBe("ok");
    const next = watch(results.next());
    await set.clock.settle();
    expect([counter.pulled, puppet.runs.length]).toEqual([41, 21]);
    puppet.runs[1]?.end("y");
    await set.clock.settle();
    expect(next.state).toBe("ok");
    await set.settle(results.return());
  });
});

describe("leaving a map", () => {
  it("aborts what runs, lets go of the input, and takes no worker's slot along", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker((job, context) => (job.data === "0" ? "0" : puppet.handler(job, context)), { capacity: 4 });
    const counter = new Counter();
    const reader = async (): Promise<string> => {
      for await (const outcome of set.runner.map(counter, { concurrency: 3 })) return brief(outcome);
      return "none";
    };
    const left = watch(reader());
    await set.clock.settle();
    expect([left.value, counter.returned]).toEqual(["0=0", 1]);
    expect(puppet.runs.length).toBeGreaterThan(0);
    expect(puppet.runs.every(({ signal }) => signal.aborted)).toBe(true);
    for (const run of puppet.runs) run.end("too late");
    await set.clock.settle();
    expect(set.runner.stats()).toMatchObject({ queued: 0, running: 0 });
    expect((await set.execute("0")).value).toBe("0");
  });

  it("is the same when the reader throws", async () => {
    await using set = await stage();
    await set.worker(square);
    const counter = new Counter();
    const reader = async (): Promise<void> => {
      for await (const outcome of set.runner.map(counter)) throw new Error(`cannot use ${brief(outcome)}`);
    };
    const left = watch(reader());
    await set.clock.settle();
    expect([String(left.error), counter.returned]).toEqual(["Error: cannot use 0=0", 1]);
  });

  it("does not let go of an input that has ended or broken by itself", async () => {
    await using set = await stage();
    await set.worker(square);
    for (const end of [(): IteratorResult<string> => ({ done: true, value: undefined }), (): never => thrown()]) {
      let returned = 0;
      const iterator = { next: end, return: () => ({ done: true, value: returned++ }) } as Iterator<string>;
      const [, done] = await read(set, { [Symbol.iterator]: () => iterator });
      expect([done.state !== "pending", returned]).toEqual([true, 0]);
    }
  });

  it("does not wait for an input that is being waited for", async () => {
    await using set = await stage();
    await set.worker(square);
    let released = (): void => undefined;
    const slow = async function* (): AsyncGenerator<string> {
      yield "2";
      await new Promise<void>((resolve) => (released = resolve));
      throw new Error("nobody is there to hear it");
    };
    const reader = async (): Promise<string> => {
      for await (const outcome of set.runner.map(slow())) return brief(outcome);
      return "none";
    };
    const left = watch(reader());
    await set.clock.settle();
    expect(left.value).toBe("0=4");
    released();
    await set.clock.settle();
  });
});

describe("what ends a map from outside", () => {
  it("a signal that has aborted before: nothing is pulled, and its reason is thrown", async () => {
    await using set = await stage();
    const counter = new Counter();
    const [outcomes, done] = await read(set, counter, { signal: AbortSignal.abort("no") });
    expect([outcomes, done.error, counter.pulled, counter.returned]).toEqual([[], "no", 0, 1]);
  });

  it("a signal: what runs fails with its reason, then the reason is thrown, and the input is let go", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { capacity: 2 });
    const aborter = new AbortController();
    const counter = new Counter();
    const [outcomes, done] = await read(set, counter, { signal: aborter.signal, concurrency: 2 });
    const reason = new Error("enough");
    aborter.abort(reason);
    await set.clock.settle();
    expect(outcomes).toEqual(["0!Error", "1!Error"]);
    expect([done.error, counter.pulled, counter.returned]).toEqual([reason, 2, 1]);
    for (const run of puppet.runs) run.end("too late");
    await set.clock.settle();
  });

  it("a signal, also while it waits for an input that does not come", async () => {
    await using set = await stage();
    const aborter = new AbortController();
    const feed = new Feed();
    const [outcomes, done] = await read(set, feed, { signal: aborter.signal });
    expect([feed.asked.length, done.state]).toEqual([1, "pending"]);
    aborter.abort("enough");
    await set.clock.settle();
    expect([outcomes, done.state, done.error, feed.returned]).toEqual([[], "failed", "enough", 1]);
    feed.fail(new Error("after the end"));
    await set.clock.settle();
  });

  it("no signal any more once it has ended", async () => {
    await using set = await stage();
    await set.worker(square);
    const { signal } = new AbortController();
    let listeners = 0;
    let most = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      most = Math.max(most, ++listeners);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    await read(set, ["1", "2"], { signal });
    expect([listeners, most], "the map's own and one for all its jobs").toEqual([0, 2]);
  });

  it("the runner's stop: what runs fails, then it throws, and the input is let go", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { capacity: 2 });
    const counter = new Counter();
    const [outcomes, done] = await read(set, counter, { concurrency: 2 });
    await set.settle(set.runner.stop());
    expect(outcomes).toEqual(["0!RunnerStoppedError", "1!RunnerStoppedError"]);
    expect(done.error).toBeInstanceOf(RunnerStoppedError);
    expect([counter.pulled, counter.returned]).toEqual([2, 1]);
    for (const run of puppet.runs) run.end("too late");
  });

  it("the runner's stop, also while it waits for an input that does not come", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler);
    const feed = new Feed();
    const [outcomes, done] = await read(set, feed);
    feed.give();
    await set.clock.settle();
    await set.settle(set.runner.stop());
    expect([outcomes, done.state]).toEqual([["0!RunnerStoppedError"], "failed"]);
    expect(feed.returned).toBe(1);
  });

  it("a runner that is not started: one failure, and it throws", async () => {
    await using set = await stage();
    await set.settle(set.runner.stop());
    const counter = new Counter();
    const [outcomes, done] = await read(set, counter);
    expect(outcomes).toEqual(["0!RunnerStoppedError"]);
    expect([done.error, counter.pulled, counter.returned]).toEqual([expect.any(RunnerStoppedError), 1, 1]);
  });
});

function thrown(): never {
  throw new Error("broken");
}

describe("leaving map in the middle", () => {
  it("pulls nothing more, stops what runs, and lets go of the signal", async () => {
    await using set = await stage();
    const peer = await set.peer();
    let pulled = 0;
    // An input that cannot be told that nobody reads any more.
    const inputs = { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: String(pulled++) }) as const }) };
    const { signal } = new AbortController();
    const outcomes = set.runner.map(inputs, { concurrency: 2, signal });
    const first = watch(outcomes.next());
    await set.clock.settle();
    peer.answer("y");
    await set.clock.settle();
    expect([first.state, pulled, getEventListeners(signal, "abort").length]).toEqual(["ok", 3, 2]);
    await set.settle(outcomes.return(undefined));
    expect([pulled, getEventListeners(signal, "abort").length]).toEqual([3, 0]);
    expect(peer.last("CANCEL").reason).toBe("cancelled");
    peer.send({ type: "CANCELLED", attemptId: 2 });
    await set.clock.settle();
    expect(peer.jobs).toHaveLength(2);
  });

  it("runs nothing that arrives afterwards", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const feed = new Feed();
    const outcomes = set.runner.map(feed);
    const first = watch(outcomes.next());
    await set.clock.settle();
    feed.give("a");
    await set.clock.settle();
    peer.answer("y");
    await set.clock.settle();
    expect(first.state).toBe("ok");
    await set.settle(outcomes.return(undefined));
    feed.give("late");
    await set.clock.settle();
    expect(peer.jobs).toEqual(["a"]);
  });

  it("fails when the input does not let go, unless it was being waited for", async () => {
    await using set = await stage();
    await set.worker(square);
    const failing = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false, value: "1" }) as const,
        return: () => Promise.reject(new Error("held")) as never,
      }),
    };
    const outcomes = set.runner.map(failing, { window: 1 });
    await set.settle(outcomes.next());
    await expect(set.settle(outcomes.return(undefined))).rejects.toThrow("held");
  });
});

describe("odd moments of map", () => {
  it("takes fifty thousand inputs that all fail at once", async () => {
    await using set = await stage();
    const inputs = Array.from({ length: 50_000 }, () => "\ud800");
    let failed = 0;
    const all = (async () => {
      for await (const outcome of set.runner.map(inputs, { window: 50_000 })) {
        expect(outcome.attempts).toEqual([]);
        if (!outcome.ok) failed++;
      }
    })();
    await set.settle(all);
    expect(failed).toBe(50_000);
  });

  it("runs ahead by 1,024, or eight times what may run", async () => {
    for (const [concurrency, window] of [
      [4, 1_024],
      [200, 1_600],
    ] as const) {
      await using set = await stage();
      await set.worker(square, { capacity: 300 });
      const counter = new Counter();
      const outcomes = set.runner.map(counter, { concurrency });
      await set.settle(outcomes.next());
      expect(counter.pulled).toBe(1 + window);
      await set.settle(outcomes.return(undefined));
    }
  });

  it("says of an input that answers null that it did", async () => {
    await using set = await stage();
    const odd = { [Symbol.iterator]: () => ({ next: () => null as never }) };
    await expect(set.settle(set.runner.map(odd).next())).rejects.toThrow("map: the input answered null, not a result");
  });

  it("fails with what went wrong first", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler);
    const controller = new AbortController();
    const inputs = function* (): Generator<string> {
      yield "1";
      throw new Error("first");
    };
    const outcomes = set.runner.map(inputs(), { signal: controller.signal });
    const next = watch(outcomes.next());
    await set.clock.settle();
    controller.abort(new Error("second"));
    await set.clock.settle();
    puppet.runs[0]?.end("");
    await set.clock.settle();
    expect(next.value).toMatchObject({ value: { ok: false, error: { message: "second" } } });
    await expect(set.settle(outcomes.next())).rejects.toThrow("first");
  });

  it("refuses options that make no sense", async () => {
    await using set = await stage();
    await expect(set.runner.map([], { window: 0 }).next()).rejects.toThrow(/^map: .*`window`/);
  });
});

describe("map of inputs that are no jobs", () => {
  const half = (n: number): string => {
    if (n % 2 !== 0) throw new RangeError(`${n} is odd`);
    return String(n / 2);
  };

  it("makes their jobs with `toJob`, and outcomes have the inputs", async () => {
    await using set = await stage();
    await set.worker(square);
    const outcomes: unknown[] = [];
    const reading = (async (): Promise<void> => {
      for await (const { input, index, ...rest } of set.runner.map([4, 5, 6], { toJob: half }))
        outcomes.push([input, index, rest.ok ? rest.value : rest.error, rest.attempts.length]);
    })();
    await set.settle(reading);
    expect(outcomes).toEqual([
      [4, 0, "4", 1],
      [5, 1, new RangeError("5 is odd"), 0],
      [6, 2, "9", 1],
    ]);
  });

  it("pulls and makes no more than the window, however many fail", async () => {
    await using set = await stage();
    await set.worker(square);
    let made = 0;
    const toJob = (): never => {
      made++;
      throw new TypeError("no job");
    };
    const outcomes = set.runner.map(new Counter(), { toJob, window: 10 });
    expect(await set.settle(outcomes.next())).toMatchObject({ value: { ok: false, error: { message: "no job" } } });
    expect(made).toBe(10);
    await set.settle(outcomes.return(undefined));
  });

  it("ends when `toJob` makes something else than a job, and counts the bytes of the jobs", async () => {
    await using set = await stage();
    const puppet = new Puppet();
    await set.worker(puppet.handler, { capacity: 8 });
    const outcomes = set.runner.map([1, 2, 3], { toJob: () => "x".repeat(1_000), windowBytes: 2_500 });
    const first = watch(outcomes.next());
    await set.clock.settle();
    expect(puppet.runs.length).toBe(1);
    puppet.runs[0]?.end("");
    await set.clock.settle();
    expect(first.state).toBe("ok");
    await set.settle(outcomes.return(undefined));
    await expect(set.settle(set.runner.map([1], { toJob: () => 1 as never }).next())).rejects.toThrow(
      "map: input 0: expected the data of a job",
    );
    await expect(set.settle(set.runner.map([1], { toJob: 1 as never }).next())).rejects.toThrow("`toJob`");
  });

  it("has their types", async () => {
    await using set = await stage();
    const { runner } = set;
    void ((): unknown => [
      // @ts-expect-error a number is no job
      runner.map([1]),
      // @ts-expect-error not what it is given
      runner.map([1], { toJob: (input: string) => input }),
      runner.map([1], { toJob: (input) => input.toFixed(1) }) satisfies AsyncGenerator<Outcome<number>>,
    ]);
  });
});
