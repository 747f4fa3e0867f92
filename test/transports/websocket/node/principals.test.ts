/** Names of principals: what a transport calls its own peers, no guest can be called. */
import { expect, test, vi } from "vitest";
import { AuthError } from "../../../../src/core/errors.ts";
import {
  JobRunner,
  type ListenerContext,
  type Peer,
  RESERVED_PRINCIPALS,
  type RunnerEvent,
  Worker,
} from "../../../../src/index.ts";
import { MemoryTransport } from "../../../../src/transports/memory.ts";
import { messagePortSocket } from "../../../../src/transports/message-port.ts";
import { dialWebSocket, listenWebSocket } from "../../../../src/transports/websocket/node/index.ts";
import { Gate } from "./gate.ts";
import { ask, status } from "./raw-client.ts";

const TOKEN = "s3cret-token";

const REFUSED = [...RESERVED_PRINCIPALS, "ws://127.0.0.1:7070", "wss://worker.example"];

test.each(REFUSED)("a guest whom `authenticate` calls %s is refused, and the owner is told", async (name) => {
  await using gate = await Gate.open({ authenticate: ({ url }) => (url === "/?later" ? Promise.resolve(name) : name) });
  const heads = [await ask(gate.port), await ask(gate.port, "/?later")];
  expect(heads.map(status)).toEqual([401, 401]);
  expect(heads.join()).not.toContain(name);
  expect(gate.accepted).toEqual([]);
  expect(gate.reports.map((error) => [error instanceof AuthError, error.message])).toEqual([
    [true, expect.stringContaining(`\`${name}\``)],
    [true, expect.stringContaining(`\`${name}\``)],
  ]);
});

test.each(REFUSED)("no ticket is given out for %s", async (principal) => {
  await using gate = await Gate.open();
  expect(() => gate.listener.issueTicket({ principal })).toThrow(TypeError);
  expect(() => gate.listener.issueTicket({ principal })).toThrow(`\`${principal}\``);
});

test("names that only look like a reserved one are as good as any", async () => {
  const names = ["Local", "local ", "localhost", "locals", "tokens", "admin", "wss", "host:7070"];
  await using gate = await Gate.open({ authenticate: ({ headers }) => names[Number(headers["x-n"])] });
  for (const index of names.keys()) expect(status(await ask(gate.port, "/", { "X-N": `${index}` }))).toBe(101);
  expect(gate.accepted.map(({ peer }) => peer.principal)).toEqual(names);
});

test("every transport gives its own peers a reserved principal, and the listener's doors two others", async () => {
  const peers: Peer[] = [];
  const memory = new MemoryTransport();
  const context: ListenerContext = { maxFrameBytes: 1_024, report: () => undefined };
  await memory.start((socket) => void peers.push(socket.peer), context);
  const dialled = await memory.dial(new AbortController().signal, context);
  peers.push(dialled.peer);
  const { port1, port2 } = new MessageChannel();
  const port = messagePortSocket(port1, { maxFrameBytes: 1_024 });
  peers.push(port.peer);
  const token = await Gate.open({ token: TOKEN });
  const open = await Gate.open();
  await ask(token.port, "/", { Authorization: `Bearer ${TOKEN}` });
  await ask(open.port);
  peers.push(...[...token.accepted, ...open.accepted].map(({ peer }) => peer));
  expect(peers.map(({ principal }) => principal)).toEqual(["local", "local", "local", "token", "loopback"]);
  expect(peers.every(({ principal }) => RESERVED_PRINCIPALS.includes(principal))).toBe(true);
  port.close();
  port2.close();
  await Promise.all([token.listener.stop(), open.listener.stop(), memory.stop()]);
});

test("a guest cannot take over the name of a worker of this process", async () => {
  const events: RunnerEvent[] = [];
  const listener = listenWebSocket({
    authenticate: ({ url }) => new URL(url ?? "", "ws://x").searchParams.get("as") ?? undefined,
  });
  await using runner = new JobRunner({ listen: listener });
  runner.on((event) => void events.push(event));
  await runner.start();
  // As a thread does, it comes as one of this process's own.
  await using own = new Worker({ dial: runner, identity: "thread-1", handler: ({ data }) => `own ${String(data)}` });
  await own.start();
  for (const as of ["local", "guest"]) {
    const dial = dialWebSocket(`${listener.address}?as=${as}`);
    const guest = new Worker({ dial, identity: "thread-1", handler: () => "stolen" });
    await expect(guest.start()).rejects.toThrow(as === "local" ? "HTTP 401" : "belongs to somebody else");
    await guest.stop();
  }
  expect(await runner.execute("7")).toBe("own 7");
  await vi.waitUntil(() => events.some(({ type }) => type === "worker-refused"));
  expect(events.filter(({ type }) => type === "worker-gone")).toEqual([]);
  expect(events.flatMap((event) => (event.type === "listener-error" ? [event.error.message] : []))).toEqual([
    expect.stringContaining("`local`"),
  ]);
});

test("`verify` counts the fleet's own workers as one principal, whatever guests wish to be called", async () => {
  const listener = listenWebSocket({
    authenticate: ({ url }) => new URL(url ?? "", "ws://x").searchParams.get("as") ?? undefined,
  });
  await using runner = new JobRunner({ listen: listener });
  await runner.start();
  const workers: Worker[] = [];
  for (const as of ["ann", "local"]) {
    const worker = new Worker({
      dial: dialWebSocket(`${listener.address}?as=${as}`),
      identity: as,
      handler: () => "x",
    });
    workers.push(worker);
    await worker.start().catch(() => undefined);
  }
  await expect(runner.execute("1", { verify: 2, failFast: true })).rejects.toThrow(
    "needs workers of 2 principals: 1 is",
  );
  await Promise.all(workers.map((worker) => worker.stop()));
});
