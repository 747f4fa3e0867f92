/** Typed tasks over real transports: a module in threads, and a worker over WebSocket. */
import { expect, test } from "vitest";
import { JobRunner, Worker } from "powerhose";
import { client, tasks } from "powerhose/tasks";
import { threads } from "powerhose/threads";
import { dialWebSocket, listenWebSocket } from "powerhose/websocket/node";

interface Module {
  echo(input: unknown): unknown;
  load(): string;
  state(): string;
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
  expect(runner.stats().workers[0]?.labels).toEqual(["task:echo", "task:state", "task:fail"]);
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
