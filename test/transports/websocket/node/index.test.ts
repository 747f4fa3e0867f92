/** The WebSocket listener of Node and its dialer: options, lives, shared servers, TLS, hooks. Laws and threats are elsewhere. */
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Worker } from "../../../../src/core/worker/worker.ts";
import { AuthError } from "../../../../src/core/errors.ts";
import type { Socket } from "../../../../src/core/transport/socket.ts";
import {
  dialWebSocket,
  listenWebSocket,
  type NodeDialOptions,
  WEBSOCKET_LISTENER_DEFAULTS,
  type WebSocketListenerOptions,
} from "../../../../src/transports/websocket/node/index.ts";
import { CERTIFICATE, KEY } from "./certificate.ts";
import { Gate, MAX } from "./gate.ts";
import { ACCEPT, ask, RawClient, status, upgrade } from "./raw-client.ts";

const limits = { maxFrameBytes: MAX };
const never = new AbortController().signal;

function dial(address: string, options?: NodeDialOptions): Promise<Socket> {
  return dialWebSocket(address, options).dial(never, limits);
}

function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  return new Promise((resolve) => void server.listen(0, host, () => resolve((server.address() as AddressInfo).port)));
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => void server.close(() => resolve()));
}

function httpStatus(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ port, path, agent: false }, (response) => resolve(response.resume().statusCode ?? 0)).on("error", reject);
  });
}

test("the defaults are frozen, and loopback", () => {
  expect(Object.isFrozen(WEBSOCKET_LISTENER_DEFAULTS)).toBe(true);
  expect(WEBSOCKET_LISTENER_DEFAULTS).toMatchObject({
    host: "127.0.0.1",
    port: 0,
    origins: [],
    maxConnections: 10_000,
  });
});

test.each<[string, unknown]>([
  ["port", -1],
  ["port", 65_536],
  ["port", 1.5],
  ["port", "80"],
  ["host", ""],
  ["path", "jobs"],
  ["path", "/jobs?token=1"],
  ["token", ""],
  ["token", []],
  ["token", ["good", ""]],
  ["authenticate", "yes"],
  ["origins", "https://app.example"],
  ["origins", ["*"]],
  ["origins", ["null"]],
  ["server", "http://localhost"],
  ["maxConnections", 0],
  ["maxPending", Number.NaN],
  ["acceptRate", 0],
  ["headersTimeout", Number.POSITIVE_INFINITY],
  ["requestTimeout", 0],
  ["maxHeaderSize", 1],
])("the option %s refuses %j and names itself", (key, value) => {
  expect(() => listenWebSocket({ [key]: value })).toThrow(`\`${key}\``);
  expect(() => listenWebSocket({ [key]: value })).toThrow(typeof value === "number" ? RangeError : TypeError);
});

test("unknown options are refused on both sides, and a wrong token is not repeated", () => {
  expect(() => listenWebSocket({ prot: 1 } as WebSocketListenerOptions)).toThrow("unknown option `prot`");
  expect(() => dialWebSocket("ws://localhost/", { tokn: "x" } as NodeDialOptions)).toThrow("unknown option `tokn`");
  expect(() => listenWebSocket({ token: ["s3cret", ""] })).toThrow(/^(?!.*s3cret)/);
  expect(() => dialWebSocket("ws://localhost/", { token: "" })).toThrow(TypeError);
  expect(() => dialWebSocket("ws://localhost/", { handshakeTimeout: 0 })).toThrow(RangeError);
});

test("a shared server and an address of one's own exclude each other", () => {
  expect(() => listenWebSocket({ server: createServer(), port: 80 })).toThrow("leave out `host` and `port`");
});

test("undefined is as good as absent", async () => {
  await using gate = await Gate.open(
    Object.fromEntries([
      ["token", undefined],
      ["host", undefined],
      ["port", undefined],
    ]),
  );
  expect(status(await ask(gate.port))).toBe(101);
});

test("the address is one to dial, before, during and after", async () => {
  const gate = new Gate({ path: "/jobs" });
  expect(gate.listener.address).toBe("ws://127.0.0.1:0/jobs");
  await gate.start();
  expect(gate.listener.address).toMatch(/^ws:\/\/127\.0\.0\.1:\d{2,5}\/jobs$/);
  (await dial(gate.listener.address)).close();
  await gate.listener.stop();
  expect(gate.listener.address).toBe("ws://127.0.0.1:0/jobs");
});

test("an IPv6 address is in brackets", () => {
  expect(listenWebSocket({ host: "::1", port: 7070 }).address).toBe("ws://[::1]:7070/");
});

test("a port in use is said in words, and the start can be tried again", async () => {
  await using first = await Gate.open();
  await using second = new Gate({ port: first.port });
  await expect(second.start()).rejects.toThrow(`127.0.0.1:${first.port}/: the address is in use`);
  await first.listener.stop();
  await second.start();
  expect(second.port).toBeGreaterThan(0);
  expect(status(await ask(second.port))).toBe(101);
});

test("stop during start waits for it and then stops", async () => {
  const gate = new Gate();
  const starting = gate.start();
  await gate.listener.stop();
  await starting;
  expect(gate.listener.address).toBe("ws://127.0.0.1:0/");
});

test("the handshake is the one of RFC 6455", async () => {
  await using gate = await Gate.open();
  expect(await ask(gate.port)).toContain(`Sec-WebSocket-Accept: ${ACCEPT}`);
});

test("what is not a worker's handshake is refused by its kind", async () => {
  await using gate = await Gate.open({ path: "/jobs" });
  const ok = "/jobs?room=1";
  expect(status(await ask(gate.port, ok))).toBe(101);
  expect(status(await ask(gate.port, "/"))).toBe(404);
  expect(status(await ask(gate.port, "/jobs/"))).toBe(404);
  expect(status(await ask(gate.port, ok, { "Sec-WebSocket-Protocol": undefined }))).toBe(400);
  expect(status(await ask(gate.port, ok, { "Sec-WebSocket-Protocol": "powerhose.v2" }))).toBe(400);
  expect(status(await ask(gate.port, ok, { "Sec-WebSocket-Key": "short" }))).toBe(400);
  expect(status(await ask(gate.port, ok, { "Sec-WebSocket-Version": "7" }))).toBe(400);
  expect(status(await ask(gate.port, ok, { Upgrade: "h2c" }))).toBe(400);
  expect([await httpStatus(gate.port, "/jobs"), await httpStatus(gate.port, "/")]).toEqual([426, 404]);
  expect(gate.accepted).toHaveLength(1);
});

test("the hook names the principal, now or later, and is asked only when no token matched", async () => {
  const asked: (string | undefined)[] = [];
  await using gate = await Gate.open({
    token: "t",
    authenticate: (request) => {
      asked.push(request.headers["x-name"]?.toString());
      const name = request.headers["x-name"];
      if (name === "ann") return "ann";
      // Whatever can be awaited will do.
      const answer = Promise.resolve(name === "bob" ? "bob" : undefined);
      return { then: answer.then.bind(answer) };
    },
  });
  expect(status(await ask(gate.port, "/", { "X-Name": "ann" }))).toBe(101);
  expect(status(await ask(gate.port, "/", { "X-Name": "bob" }))).toBe(101);
  expect(status(await ask(gate.port, "/", { "X-Name": "eve" }))).toBe(401);
  expect(status(await ask(gate.port, "/", { "X-Name": "eve", Authorization: "Bearer t" }))).toBe(101);
  expect(gate.accepted.map((socket) => socket.peer.principal)).toEqual(["ann", "bob", "token"]);
  expect(asked).toEqual(["ann", "bob", "eve"]);
});

test.each([
  [
    "throws",
    () => {
      throw new Error("database down");
    },
  ],
  ["rejects", () => Promise.reject(new Error("database down"))],
])("a hook that %s lets nobody in, and is reported", async (_how, authenticate) => {
  await using gate = await Gate.open({ authenticate });
  const head = await ask(gate.port);
  expect(status(head)).toBe(401);
  expect(head).not.toContain("database");
  expect(gate.reports.map((error) => error.cause)).toEqual([new Error("database down")]);
});

test("a hook that says no with an AuthError, or with nonsense, lets nobody in", async () => {
  await using gate = await Gate.open({
    authenticate: () => {
      throw new AuthError("no");
    },
  });
  expect(status(await ask(gate.port))).toBe(401);
  await using other = await Gate.open({ authenticate: () => JSON.parse("true") as string });
  expect(status(await ask(other.port))).toBe(401);
  await using empty = await Gate.open({ authenticate: () => "" });
  expect(status(await ask(empty.port))).toBe(401);
  expect([...gate.reports, ...other.reports, ...empty.reports]).toEqual([]);
});

test("a client that leaves during the hook gives its place back", async () => {
  let answer: ((principal: string) => void) | undefined;
  const authenticate = (request: IncomingMessage): string | Promise<string> => {
    return request.headers["x-name"] === "bob" ? "bob" : new Promise((resolve) => (answer = resolve));
  };
  await using gate = await Gate.open({ maxConnections: 1, authenticate });
  const client = new RawClient(gate.port).send(upgrade("/"));
  await vi.waitUntil(() => answer !== undefined);
  expect(status(await ask(gate.port, "/", { "X-Name": "bob" }))).toBe(503);
  client[Symbol.dispose]();
  await client.end();
  answer?.("ann");
  await vi.waitUntil(async () => status(await ask(gate.port, "/", { "X-Name": "bob" })) === 101);
});

test("a shared server keeps its own requests, paths and life", async () => {
  const server = createServer((_request, response) => response.end("mine"));
  const port = await listen(server);
  await using gate = await Gate.open({ server, path: "/jobs" });
  expect(gate.listener.address).toBe(`ws://127.0.0.1:${port}/jobs`);
  expect(status(await ask(port, "/jobs"))).toBe(101);
  expect(status(await ask(port, "/other"))).toBe(404);
  expect(await httpStatus(port, "/jobs")).toBe(200);
  await gate.listener.stop();
  expect(await httpStatus(port, "/")).toBe(200);
  expect(server.listenerCount("upgrade") + server.listenerCount("error")).toBe(0);
  await close(server);
});

test("several listeners on one shared server answer together for a path that is nobody's", async () => {
  const server = createServer();
  const port = await listen(server);
  await using one = await Gate.open({ server, path: "/one" });
  await using two = await Gate.open({ server, path: "/two" });
  const paths = ["/one", "/two", "/three"];
  expect(await Promise.all(paths.map(async (path) => status(await ask(port, path))))).toEqual([101, 101, 404]);
  await one.listener.stop();
  expect([status(await ask(port, "/one")), status(await ask(port, "/two"))]).toEqual([404, 101]);
  await two.listener.stop();
  await close(server);
});

test("a path of a shared server is one listener's: an upgrade cannot be answered twice", async () => {
  const server = createServer();
  const port = await listen(server);
  await using one = await Gate.open({ server, path: "/jobs" });
  const two = new Gate({ server, path: "/jobs" });
  await expect(two.start()).rejects.toThrow("another listener has this path");
  expect(status(await ask(port, "/jobs"))).toBe(101);
  await one.listener.stop();
  await two.start();
  expect(status(await ask(port, "/jobs"))).toBe(101);
  await two.listener.stop();
  await close(server);
});

test.each(["jobs", "/a?b", "/a#b", "/a b", "/jöbs", "/a/../b", "//host"])("%j is no path", (path) => {
  expect(() => listenWebSocket({ path })).toThrow("a path as it stands in an address");
});

test("other upgrades of a shared server are left to others", async () => {
  const server = createServer();
  const port = await listen(server);
  server.on("upgrade", (request, socket) => {
    if (request.url === "/other") socket.end("HTTP/1.1 418 Teapot\r\n\r\n");
  });
  await using gate = await Gate.open({ server, path: "/jobs" });
  expect([status(await ask(port, "/other")), status(await ask(port, "/jobs"))]).toEqual([418, 101]);
  await gate.listener.stop();
  await close(server);
});

test("a shared server on all interfaces needs a token, whenever it was bound", async () => {
  const server = createServer();
  const gate = new Gate({ server });
  const port = await listen(server, "0.0.0.0");
  await expect(gate.start()).rejects.toThrow(AuthError);
  await using withToken = await Gate.open({ server, token: "t" });
  expect(status(await ask(port, "/", { Authorization: "Bearer t" }))).toBe(101);
  await withToken.listener.stop();
  await close(server);
});

test("wss: works with the certificate's own authority, and with no other", async () => {
  const server = createTlsServer({ cert: CERTIFICATE, key: KEY });
  const port = await listen(server);
  await using gate = await Gate.open({ server, token: "t" });
  expect(gate.listener.address).toBe(`wss://127.0.0.1:${port}/`);
  const socket = await dial(gate.listener.address, { token: "t", ca: CERTIFICATE });
  expect(socket.send(new Uint8Array(9))).toBe(true);
  await vi.waitUntil(() => gate.frames === 1);
  await expect(dial(gate.listener.address, { token: "t" })).rejects.toThrow("DEPTH_ZERO_SELF_SIGNED_CERT");
  expect(gate.accepted).toHaveLength(1);
  socket.close();
  await gate.listener.stop();
  await close(server);
});

test("a refused dial says whether it was the token", async () => {
  await using gate = await Gate.open({ token: "t" });
  await expect(dial(gate.listener.address, { token: "u" })).rejects.toThrow(AuthError);
  await expect(dial(gate.listener.address, { token: "u" })).rejects.toThrow("(HTTP 401)");
  const missing = await dial(`${gate.listener.address}nowhere`).catch((error: unknown) => error);
  expect(missing).not.toBeInstanceOf(AuthError);
  expect(String(missing)).toContain("(HTTP 404)");
});

test("a server that speaks another protocol is not taken for a runner", async () => {
  const server = createServer();
  server.on("upgrade", (_request, socket) => {
    socket.end(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
    );
  });
  const port = await listen(server);
  await expect(dial(`ws://127.0.0.1:${port}/`)).rejects.toThrow("could not connect");
  await close(server);
});

test("a handshake that never ends is given up", async () => {
  const server = createServer();
  const held: Duplex[] = [];
  server.on("upgrade", (_request, socket) => void held.push(socket));
  const port = await listen(server);
  await expect(dial(`ws://127.0.0.1:${port}/`, { handshakeTimeout: 30 })).rejects.toThrow("timed out");
  for (const socket of held) socket.destroy();
  await close(server);
});

test("a connection that is cut ends with an error at the end that stays", async () => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  await client.send(upgrade("/")).head();
  client[Symbol.dispose]();
  await vi.waitUntil(() => gate.closed.length === 1);
  expect(gate.closed).toEqual(["error"]);
});

test("text is not carried", async () => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  await client.send(upgrade("/")).head();
  client.send(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69));
  await vi.waitUntil(() => gate.closed.length === 1);
  expect(gate.closed).toEqual(["violation"]);
  expect(client.frames.readUInt16BE(2)).toBe(1003);
});

describe("a worker that is given a wrong address", () => {
  async function firstWarning(url: string): Promise<string> {
    let told = "";
    const onWarning = ({ message }: Error): void => void (told = message);
    const worker = new Worker({ dial: dialWebSocket(url), handler: () => "", identity: "w", onWarning });
    const started = worker.start().catch(() => undefined);
    const message = await vi.waitUntil(() => told);
    expect(worker.state).toBe("disconnected");
    await worker.stop();
    await started;
    const fast = new Worker({ dial: dialWebSocket(url), handler: () => "", failFast: true, onWarning: false });
    await expect(fast.start()).rejects.toThrow(/could not connect|refused the connection/);
    return message;
  }

  test("says that the port is wrong, that there is nothing, that the certificate is bad", async () => {
    const free = createServer();
    const port = await listen(free);
    await close(free);
    expect(await firstWarning(`ws://127.0.0.1:${port}/`)).toBe(
      `worker w: could not connect to ws://127.0.0.1:${port}/: ECONNREFUSED (connect ECONNREFUSED 127.0.0.1:${port}); it tries on`,
    );
    await using gate = await Gate.open({ path: "/jobs" });
    expect(await firstWarning(`ws://127.0.0.1:${gate.port}/`)).toContain(
      "refused the connection (HTTP 404); it tries on",
    );
    const server = createTlsServer({ cert: CERTIFICATE, key: KEY });
    const secure = await listen(server);
    expect(await firstWarning(`wss://127.0.0.1:${secure}/`)).toMatch(/CERT.*self-signed certificate.*; it tries on$/);
    await close(server);
  });

  test("says so on the console by default, on one line", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    onTestFinished(() => warn.mockRestore());
    let dials = 0;
    const dialer = { dial: () => Promise.reject(new Error(`a bad\n  certificate${"".repeat(dials++)}`)) };
    const worker = new Worker({ dial: dialer, handler: () => "", identity: "w", reconnectMin: 1, reconnectMax: 1 });
    const started = worker.start().catch(() => undefined);
    await vi.waitUntil(() => dials > 3, { interval: 1 });
    await worker.stop();
    await started;
    expect(warn.mock.calls).toEqual([["powerhose: worker w: a bad certificate; it tries on"]]);
  });
});
