/** A pool of Web Workers in a real page: they serve, die, are replaced, and every call settles. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { describeInChromium } from "../support/chromium.ts";
import { PageStage } from "./page-stage.ts";

const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

describeInChromium("webWorkers", (browser) => {
  let stage: PageStage;
  beforeAll(async () => {
    stage = await PageStage.open(browser(), { headers: ISOLATED });
  });
  afterEach(() => stage.run("await stopAll(); made.length = 0;"));
  afterAll(() => stage[Symbol.asyncDispose]());

  test("a function's scripts serve typed tasks, which are announced and begun before the first job", async () => {
    const seen = await stage.run<unknown>(`
      const { api, runner, listen } = await pool(() => script("work"), { size: 3 });
      await until(() => runner.stats().workers.length === 3);
      const value = await api.echo({ at: new Date(5), rows: new Map([["a", 5n]]) });
      const names = await Promise.all(Array.from({ length: 30 }, () => api.who()));
      return {
        state: await api.state(),
        value: [value.at.getTime(), String(value.rows.get("a"))],
        names: [...new Set(names)].sort(),
        labels: runner.stats().workers[0].labels.slice(0, 2),
        peer: runner.stats().workers[0].peer.transport,
        address: listen.address,
        failure: await failureOf(api.fail()),
        again: await api.echo("still here"),
        gone: made.length,
      };
    `);
    expect(seen).toEqual({
      state: "begun",
      value: [5, "5"],
      names: ["web-worker-1", "web-worker-2", "web-worker-3"],
      labels: ["task:echo", "task:who"],
      peer: "thread",
      address: "3 web workers",
      failure: "ExecutionError: RangeError: no such thing",
      again: "still here",
      gone: 3,
    });
    expect(stage.said).toEqual([]);
  });

  test("a module is loaded by its URL, of which a text is relative to the page", async () => {
    const seen = await stage.run<unknown>(`
      const { runner, listen } = await pool("./fixtures/module.js");
      const absolute = await pool(new URL("/fixtures/module.js", location.href), { export: "meet", capacity: 2, name: "mill", labels: ["gpu"] });
      return {
        answer: await runner.execute("a"),
        both: await Promise.all([absolute.runner.execute("b"), absolute.runner.execute("c")]),
        worker: absolute.runner.stats().workers.map(({ identity, labels }) => [identity, labels]),
        address: listen.address.replace(location.origin, ""),
      };
    `);
    expect(seen).toEqual({
      answer: "a 1 web-worker-1",
      both: ["b", "c"],
      worker: [["mill-1", ["gpu"]]],
      address: "1 web worker of /fixtures/module.js",
    });
  });

  test("one core is left to the page", async () => {
    const sizes = await stage.run<readonly number[]>(`
      const sizes = [8, 2, 1, undefined].map((cores) => {
        Object.defineProperty(navigator, "hardwareConcurrency", { value: cores, configurable: true });
        return webWorkers("/x.js").size;
      });
      delete navigator.hardwareConcurrency;
      return sizes;
    `);
    expect(sizes).toEqual([7, 1, 1, 1]);
  });

  test.each([
    ["crash", "WorkerLostError", "crashed: Uncaught Error: uncaught"],
    ["close", "WorkerLostError", "crashed: Uncaught Error: the handler closed its Web Worker"],
  ])(
    "a Web Worker that ends itself (%s) costs its job an attempt, says why, and is replaced",
    async (task, name, words) => {
      const seen = await stage.run<{ failure: string; after: string; made: number }>(`
      const { api } = await pool(() => script("work"));
      const failure = await failureOf(api.${task}(undefined, { attempts: 1 }));
      return { failure, after: await api.echo("after"), made: made.length };
    `);
      expect(seen.failure).toContain(name);
      expect(seen.failure).toContain(`web-worker 1 ${words}`);
      expect(seen).toMatchObject({ after: "after", made: 2 });
    },
  );

  test("one that the page terminates, which no event of it tells, is noticed at once and replaced", async () => {
    const seen = await stage.run<{ failure: string }>(`
      const { api, runner } = await pool(() => script("work"));
      const hanging = failureOf(api.hang(undefined, { attempts: 1 }));
      await until(() => runner.calls.running === 1);
      made[0].terminate();
      return { failure: await hanging, after: await api.echo("after"), made: made.length };
    `);
    expect(seen.failure).toContain("WorkerLostError");
    expect(seen.failure).toContain("web-worker 1 has ended");
    expect(seen).toMatchObject({ after: "after", made: 2 });
  });

  test("each holds a lock while it lives, and none is left or waited for afterwards", async () => {
    const seen = await stage.run<unknown>(`
      const { api, runner } = await pool(() => script("work"), { size: 2 });
      await until(() => runner.stats().workers.length === 2);
      await Promise.all([api.hang(undefined, { timeout: 50, attempts: 1 }), api.echo(1)].map(failureOf));
      const { held } = await navigator.locks.query();
      await stopAll();
      const none = async () => (await navigator.locks.query()).held.length === 0;
      while (!(await none())) await new Promise((resolve) => void setTimeout(resolve, 5));
      return { held: held.length, pending: (await navigator.locks.query()).pending.length };
    `);
    expect(seen).toEqual({ held: 2, pending: 0 });
  });

  test("one that is stuck in a job is terminated once the job's time is over, and replaced", async () => {
    const seen = await stage.run<{ failure: string }>(`
      const { api } = await pool(() => script("work"), {}, { cancelGrace: 50 });
      const failure = await failureOf(api.spin(undefined, { attempts: 1, timeout: 100 }));
      return { failure, after: await api.echo("after"), made: made.length };
    `);
    expect(seen.failure).toContain("TimeoutError");
    expect(seen).toMatchObject({ after: "after", made: 2 });
  });

  test("one that keeps crashing is given up, and the next job's error says why", async () => {
    const seen = await stage.run<{ failure: string; reported: readonly string[] }>(`
      const { runner, events } = await pool(() => script("crashing"), { maxCrashes: 2 }, { acquireTimeout: 300 });
      await until(() => events.some(({ type }) => type === "listener-error"));
      const failure = await failureOf(runner.execute("x"));
      return { failure, reported: events.filter(({ type }) => type === "listener-error").map(({ error }) => error.message) };
    `);
    const words = "web-worker 1 crashed: Uncaught Error: no luck";
    expect(seen.failure).toContain(words);
    expect(seen.reported).toEqual([expect.stringMatching(/given up after 2 crashes in a row; no thread is left$/)]);
    expect(seen.reported[0]).toContain(words);
  });

  test("a stream and its progress cross; a break reaches its generator, and its Web Worker's end its reader", async () => {
    const seen = await stage.run<unknown>(`
      const notes = new BroadcastChannel("notes");
      let left = 0;
      notes.onmessage = ({ data }) => void (left += data === "left" ? 1 : 0);
      const { api } = await pool(() => script("work"));
      const items = [];
      const told = [];
      for await (const { i, at } of api.count(4, { onProgress: ({ at }) => told.push(at) })) items.push([i, at.getTime()]);
      for await (const _ of api.count(Infinity)) break;
      await until(() => left === 2);
      const before = [];
      const failure = await failureOf((async () => {
        for await (const { i } of api.count(Infinity)) {
          if (before.length < 3) before.push(i);
          if (i === 2) made[0].terminate();
        }
      })());
      notes.close();
      return { items, told: told.at(-1), before, failure: failure.split(":")[0], after: await api.echo("after"), made: made.length };
    `);
    expect(seen).toEqual({
      items: [
        [0, 0],
        [1, 1],
        [2, 2],
        [3, 3],
      ],
      told: 3,
      before: [0, 1, 2],
      failure: "WorkerLostError",
      after: "after",
      made: 2,
    });
  });

  test("one is replaced after maxJobs jobs", async () => {
    const answers = await stage.run<readonly string[]>(`
      const { runner } = await pool("/fixtures/module.js", { maxJobs: 2 });
      const answers = [];
      for (const job of ["a", "b", "c", "d", "e"]) answers.push(await runner.execute(job));
      return answers;
    `);
    expect(answers.map((answer) => answer.split(" ")[1])).toEqual(["1", "2", "1", "2", "1"]);
  });

  test.each([
    ["pool('/none.js')", "/none.js could not be loaded: TypeError"],
    ["pool('/fixtures/module.js', { export: 'none' })", "has no export `none`; it exports: default, meet, text"],
    ["pool('/fixtures/module.js', { export: 'text' })", "is not a function but string"],
    ["pool(() => script('none'))", "crashed: its script could not be loaded"],
    [
      "pool(() => script('silent'), { startTimeout: 300 })",
      "was not ready within 300 ms: its script has not called `serve` of powerhose/web-workers/serve",
    ],
    ["pool(() => {})", "the function has to return a new Web Worker"],
    ["pool(async () => script('work'))", "the function has to return a new Web Worker"],
  ])("%s is refused by the start with the reason", async (start, words) => {
    const failure = await stage.run<string>(`return await failureOf(${start});`);
    expect(failure).toContain("WorkerStartError: web-worker 1 ");
    expect(failure).toContain(words);
  });

  test("a function that returns the same Web Worker again is told so", async () => {
    const seen = await stage.run<{ reported: string }>(`
      const one = script("work");
      const { events, api } = await pool(() => one, { size: 2, maxCrashes: 1 });
      await until(() => events.some(({ type }) => type === "listener-error"));
      return { reported: events.find(({ type }) => type === "listener-error").error.message, answer: await api.echo(1) };
    `);
    expect(seen.reported).toContain(
      "web-worker 2 cannot be started: Error: the function returned a Web Worker a second time",
    );
    expect(seen).toMatchObject({ answer: 1 });
  });

  test("where memory is shared, jobs behind one that blocks its worker are run by another", async () => {
    const seen = await stage.run<unknown>(`
      const { runner, api } = await pool(() => script("work"), { size: 2 }, { prefetch: 8 });
      await until(() => runner.stats().workers.length === 2);
      const memory = new Int32Array(new SharedArrayBuffer(8));
      for (const worker of made) worker.postMessage(memory.buffer);
      const blocked = api.block();
      await until(() => Atomics.load(memory, 0) === 1);
      const short = await Promise.all(Array.from({ length: 40 }, (_, i) => api.echo(i)));
      Atomics.store(memory, 1, 1);
      Atomics.notify(memory, 1);
      return { isolated: crossOriginIsolated, short: short.length, blocked: await blocked };
    `);
    expect(seen).toEqual({ isolated: true, short: 40, blocked: "released" });
  });

  test("a stop lets each Web Worker run the close of its tasks, which takes its time", async () => {
    const closed = await stage.run<number>(`
      let closed = 0;
      const notes = new BroadcastChannel("notes");
      notes.onmessage = () => void closed++;
      const { runner } = await pool(() => script("work"), { size: 2 });
      await until(() => runner.stats().workers.length === 2);
      await runner.stop();
      await until(() => closed === 2);
      notes.close();
      return closed;
    `);
    expect(closed).toBe(2);
  });

  test("a stop leaves nothing behind, and the same listener starts again", async () => {
    const seen = await stage.run<unknown>(`
      const { runner, api } = await pool(() => script("work"), { size: 2 });
      await api.echo(1);
      await runner.stop();
      await runner.start();
      return { again: await api.echo(2), made: made.length };
    `);
    expect(seen).toEqual({ again: 2, made: 4 });
  });
});
