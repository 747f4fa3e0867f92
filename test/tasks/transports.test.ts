/** Typed tasks over real transports: a module in threads, and a worker over WebSocket. */
import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import { ExecutionError, type Handler, JobRunner, relay, Worker } from "powerhose";
import { client, tasks } from "powerhose/tasks";
import { threads } from "powerhose/threads";
import { dialWebSocket, listenWebSocket } from "powerhose/websocket/node";
import { countFrames } from "../support/count-frames.ts";

interface Module {
  echo(input: unknown): unknown;
  back<T>(input: T): T;
  add(input: { cells: Int32Array }): number;
  state(): string;
  fail(): never;
}

const VALUE = { at: new Date(1_000), rows: new Map([["a", 5n]]), pixels: Uint8Array.of(1, 2) };

test("the default export of a module of threads serves its tasks, and is begun before its thread registers", async () => {
  await using runner = new JobRunner({
    listen: threads(new URL("./fixtures/module.js", import.meta.url), { size: 2 }),
  });
  await runner.start();
  const api = client<Module>(runner);
  expect(await api.echo(VALUE)).toEqual(VALUE);
  expect(await api.state()).toBe("begun");
  expect(runner.stats().workers[0]?.labels).toEqual(["task:echo", "task:back", "task:add", "task:state", "task:fail"]);
});

test("64 MiB go to a thread and back without a copy, and shared memory by reference", async () => {
  const inner = threads(new URL("./fixtures/module.js", import.meta.url), { size: 1 });
  const { listener, counts } = countFrames(inner);
  await using runner = new JobRunner({ listen: listener });
  await runner.start();
  const api = client<Module>(runner);
  const image = new Uint8Array(64 * 1024 * 1024).fill(7);
  const call = api.back({ image, width: 8 }, { transfer: [image.buffer] });
  expect(image.byteLength).toBe(0);
  const back = (await call) as { image: Uint8Array; width: number };
  expect([back.image.length, back.image[0], back.image.at(-1), back.width]).toEqual([64 * 1024 * 1024, 7, 7, 8]);
  expect(counts.attachments).toBe(2);
  expect(counts.sent + counts.received).toBeLessThan(2_000);
  const cells = new Int32Array(new SharedArrayBuffer(16));
  await api.add({ cells });
  expect(cells[0]).toBe(5);
});

test("a module whose init fails is no worker, and the calls say why", async () => {
  const listen = threads(new URL("./fixtures/broken.js", import.meta.url), { size: 1, startTimeout: 10_000 });
  const runner = new JobRunner({ listen });
  await expect(runner.start()).rejects.toThrow("no model");
  await runner.stop();
});

test("a worker over WebSocket serves its tasks", async () => {
  const listen = listenWebSocket({ port: 0 });
  await using runner = new JobRunner({ listen });
  await runner.start();
  const handler = tasks({ echo: (input: unknown) => input });
  await using worker = new Worker({ dial: dialWebSocket(listen.address), handler });
  await worker.start();
  expect(await client<Module>(runner).echo(VALUE)).toEqual(VALUE);
});

test("a trace and a store of the caller arrive in a remote handler, by `execute`, by `map` and by a client", async () => {
  interface Request {
    readonly traceparent: string;
    readonly user: string;
  }
  const here = new AsyncLocalStorage<Request>();
  const there = new AsyncLocalStorage<Request>();
  const listen = listenWebSocket({ port: 0 });
  await using runner = new JobRunner({
    listen,
    headers: () => {
      const { traceparent, user } = here.getStore() ?? { traceparent: "none", user: "none" };
      return { traceparent, user };
    },
  });
  await runner.start();
  const around = (run: () => unknown, { headers }: { headers: ReadonlyMap<string, string> }): unknown =>
    there.run({ traceparent: headers.get("traceparent") ?? "", user: headers.get("user") ?? "" }, run);
  const who = async (): Promise<Request | undefined> => {
    await null;
    return there.getStore();
  };
  const handler = tasks({ who }, { around });
  await using worker = new Worker({ dial: dialWebSocket(listen.address), handler, capacity: 4 });
  await worker.start();
  const api = client<typeof handler>(runner);
  const requests = ["a", "b", "c"].map((user) => ({ traceparent: `00-${user.repeat(32)}-${"1".repeat(16)}-01`, user }));
  const calls = requests.map((request) => here.run(request, () => api.who()));
  expect(await Promise.all(calls)).toEqual(requests);
  expect(await api.who()).toEqual({ traceparent: "none", user: "none" });
  expect(await here.run(requests[0] as Request, () => api.who(undefined, { headers: { user: "own" } }))).toEqual({
    ...requests[0],
    user: "own",
  });
  // Read outside of the context that it was asked for in.
  const mapped = here.run(requests[1] as Request, () => api.who.map(Array<undefined>(20), { concurrency: 2 }));
  for await (const outcome of mapped) expect(outcome.ok ? outcome.value : outcome.error).toEqual(requests[1]);
});

const MODULE = new URL("./fixtures/module.js", import.meta.url);

/** What a client sees of what the module's `fail` throws. */
async function failureOf(runner: JobRunner): Promise<unknown> {
  const error: unknown = await client<Module>(runner)
    .fail()
    .catch((caught: unknown) => caught);
  return error instanceof ExecutionError ? error.cause : error;
}

const FAILURE = {
  message: "failed",
  at: new Date(1_000),
  dropped: ["run"],
  cause: { name: "RangeError", message: "inner", rows: new Map([["a", 5n]]) },
};

test("the fields of an error are values from threads, over WebSocket, and behind a relay of threads", async () => {
  await using threaded = new JobRunner({ listen: threads(MODULE, { size: 1 }) });
  await threaded.start();
  expect(await failureOf(threaded)).toMatchObject(FAILURE);

  const listen = listenWebSocket({ port: 0 });
  await using runner = new JobRunner({ listen });
  await runner.start();
  const { default: handler } = (await import(MODULE.href)) as { default: Handler };
  const near = new Worker({ dial: dialWebSocket(listen.address), handler });
  await near.start();
  expect(await failureOf(runner)).toMatchObject(FAILURE);
  await near.stop();

  await using far = new Worker({ dial: dialWebSocket(listen.address), handler: relay(threaded) });
  await far.start();
  expect(await failureOf(runner)).toMatchObject(FAILURE);
});
