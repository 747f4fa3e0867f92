/** The portable WebSocket dialer and socket, against a WebSocket made by hand: what a browser does, and what it may not be asked. */
import { expect, test, vi } from "vitest";
import { AuthError } from "../../../src/core/errors.ts";
import { systemClock } from "../../../src/core/time/system.ts";
import type { CloseReason, Receiver } from "../../../src/core/transport/socket.ts";
import { dialWebSocket, webSocketSocket } from "../../../src/transports/websocket/index.ts";

const limits = { maxFrameBytes: 1_000 };
const peer = { transport: "websocket", address: "here", principal: "test" };
const never = new AbortController().signal;

interface AnyEvent {
  readonly type: string;
  readonly data: unknown;
  readonly code: number;
}

/** A WebSocket of the W3C shape that does what the test says, and refuses what a browser refuses. */
class FakeWebSocket {
  static last: FakeWebSocket | undefined;
  binaryType = "blob";
  bufferedAmount = 0;
  readyState = 0;
  protocol = "powerhose.v1";
  readonly url: string | URL;
  readonly protocols: readonly string[];
  readonly sent: Uint8Array[] = [];
  readonly closes: [number | undefined, string | undefined][] = [];
  readonly #listeners: [string, (event: AnyEvent) => void][] = [];

  constructor(url: string | URL = "ws://localhost/", protocols: readonly string[] = []) {
    this.url = url;
    this.protocols = protocols;
    FakeWebSocket.last = this;
  }

  send(data: Uint8Array<ArrayBuffer>): void {
    if (this.readyState !== 1) throw new Error("InvalidStateError");
    this.sent.push(data);
  }

  close(code?: number, reason?: string): void {
    if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) throw new Error("InvalidAccessError");
    if (new TextEncoder().encode(reason).byteLength > 123) throw new Error("SyntaxError");
    this.closes.push([code, reason]);
    this.readyState = 2;
  }

  addEventListener(type: string, listener: (event: AnyEvent) => void): void {
    this.#listeners.push([type, listener]);
  }

  emit(type: string, detail: { data?: unknown; code?: number } = {}): void {
    if (type === "open") this.readyState = 1;
    if (type === "close") this.readyState = 3;
    for (const [wanted, listener] of this.#listeners) {
      if (wanted === type) listener({ type, data: detail.data, code: detail.code ?? 1006 });
    }
  }
}

function opened(): {
  ws: FakeWebSocket;
  frames: Uint8Array[];
  closes: CloseReason[];
  socket: ReturnType<typeof webSocketSocket>;
} {
  const ws = new FakeWebSocket();
  ws.readyState = 1;
  const socket = webSocketSocket(ws, { peer, ...limits });
  const [frames, closes]: [Uint8Array[], CloseReason[]] = [[], []];
  const receiver: Receiver = {
    frame: (bytes) => void frames.push(bytes),
    closed: (reason) => void closes.push(reason),
  };
  socket.open(receiver);
  return { ws, frames, closes, socket };
}

function turn(): Promise<void> {
  return new Promise((resolve) => systemClock.nextTurn(resolve));
}

function last(): FakeWebSocket {
  if (FakeWebSocket.last === undefined) throw new Error("nothing was dialled");
  return FakeWebSocket.last;
}

test.each([
  ["token", "bearer.dG9rZW4"],
  ["ÿþ~?>", "bearer.w7_Dvn4_Pg"],
  ["鍵🔑", `bearer.${Buffer.from("鍵🔑").toString("base64url")}`],
])("the token %j travels as a subprotocol", async (token, expected) => {
  const dialling = dialWebSocket("ws://localhost/jobs", { token, WebSocket: FakeWebSocket }).dial(never, limits);
  expect(last().protocols).toEqual(["powerhose.v1", expected]);
  expect(expected).toMatch(/^[\w.-]+$/);
  last().emit("open");
  await dialling;
});

test("a token and a ticket that are asked for are asked for before each dial", async () => {
  let asked = 0;
  const dialer = dialWebSocket("ws://localhost/jobs?a=1", {
    token: () => `token ${++asked}`,
    ticket: () => Promise.resolve(`ticket & ${++asked}`),
    WebSocket: FakeWebSocket,
  });
  for (const [token, ticket] of [
    ["token 1", "ticket & 2"],
    ["token 3", "ticket & 4"],
  ] as const) {
    FakeWebSocket.last = undefined;
    const dialling = dialer.dial(never, limits);
    const ws = await vi.waitUntil(() => FakeWebSocket.last);
    expect(ws.protocols).toEqual(["powerhose.v1", `bearer.${Buffer.from(token).toString("base64url")}`]);
    expect(Object.fromEntries(new URL(ws.url).searchParams)).toEqual({ a: "1", ticket });
    ws.emit("open");
    (await dialling).close();
  }
});

test.each([
  [(): string => "", "the token is not a non-empty string"],
  [(): Promise<string> => Promise.reject(new Error("s3cret")), "there is no token"],
])("a token that is not to be had fails the dial and says no more", async (token, why) => {
  FakeWebSocket.last = undefined;
  const dialling = dialWebSocket("ws://localhost/", { token, WebSocket: FakeWebSocket }).dial(never, limits);
  await expect(dialling).rejects.toThrow(`could not connect to ws://localhost/: ${why}`);
  await expect(dialling).rejects.not.toThrow("s3cret");
  expect(FakeWebSocket.last).toBeUndefined();
});

test("a dial that was called off while it asked for a ticket opens nothing", async () => {
  FakeWebSocket.last = undefined;
  const controller = new AbortController();
  const ticket = (): string => {
    controller.abort(new Error("called off"));
    return "ticket";
  };
  const dialling = dialWebSocket("ws://localhost/", { ticket, WebSocket: FakeWebSocket });
  await expect(dialling.dial(controller.signal, limits)).rejects.toThrow("called off");
  expect(FakeWebSocket.last).toBeUndefined();
});

test("an empty token is refused: it would read as none", () => {
  expect(() => dialWebSocket("ws://localhost/", { token: "", WebSocket: FakeWebSocket })).toThrow(TypeError);
});

test.each([
  "ws://runner.example/",
  "ws://10.0.0.1/",
  "ws://[2001:db8::1]/",
  "ws://localhost.example/",
  "ws://0.0.0.0/",
])("%s is refused in the clear unless that is allowed", (address) => {
  expect(() => dialWebSocket(address, { WebSocket: FakeWebSocket })).toThrow(AuthError);
  expect(() => dialWebSocket(address, { WebSocket: FakeWebSocket })).toThrow("allowInsecure: true");
  expect(() => dialWebSocket(address, { WebSocket: FakeWebSocket, allowInsecure: true })).not.toThrow();
});

test.each([
  "ws://localhost/",
  "ws://LOCALHOST:80/",
  "ws://127.0.0.1/",
  "ws://127.1/",
  "ws://[::1]/",
  "ws://a.localhost/",
  "wss://runner.example/",
])("%s may be dialled", (address) => {
  expect(() => dialWebSocket(address, { WebSocket: FakeWebSocket })).not.toThrow();
  expect(() => dialWebSocket(new URL(address), { WebSocket: FakeWebSocket })).not.toThrow();
});

test.each(["", "runner", "http://localhost/?s3cret", "ws://s3cret:s3cret@localhost/", "s3cret", "file:///s3cret"])(
  "%j is no address, and is not repeated",
  (address) => {
    expect(() => dialWebSocket(address, { WebSocket: FakeWebSocket })).toThrow(TypeError);
    expect(() => dialWebSocket(address, { WebSocket: FakeWebSocket })).toThrow(/^(?!.*s3cret)/);
  },
);

test.each([
  [{ tokn: "t" }, "unknown option `tokn`"],
  [{ allowInsecure: "yes" }, "expected `allowInsecure` to be true or false"],
  [{ WebSocket: {} }, "expected `WebSocket` to be a function"],
  [null, "expected an options object, got null"],
])("options are checked: %j", (options, words) => {
  expect(() => dialWebSocket("ws://localhost/", options as object)).toThrow(`dialWebSocket: ${words}`);
});

test("without a WebSocket the error says where to find one", () => {
  vi.stubGlobal("WebSocket", undefined);
  expect(() => dialWebSocket("ws://localhost/")).toThrow("powerhose/websocket/node");
  vi.stubGlobal("WebSocket", FakeWebSocket);
  expect(() => dialWebSocket("ws://localhost/")).not.toThrow();
  vi.unstubAllGlobals();
});

test("a failed dial tells the place, without the query, and hears later errors", async () => {
  const dialling = dialWebSocket("wss://a.example/jobs?s3cret", { WebSocket: FakeWebSocket }).dial(never, limits);
  last().emit("error");
  last().emit("close");
  await expect(dialling).rejects.toThrow(/^could not connect to wss:\/\/a\.example\/jobs: /);
});

test("a host that forbids the connection fails the dial, not the caller", async () => {
  class Forbidden extends FakeWebSocket {
    constructor(url: string | URL, protocols: readonly string[]) {
      super(url, protocols);
      throw new Error(`mixed content: ${String(url)}`);
    }
  }
  const dialling = dialWebSocket("ws://localhost/?s3cret", { WebSocket: Forbidden }).dial(never, limits);
  await expect(dialling).rejects.toThrow(/^(?!.*s3cret)could not connect/);
});

test("a server that does not choose our subprotocol is left", async () => {
  const dialling = dialWebSocket("ws://localhost/", { WebSocket: FakeWebSocket }).dial(never, limits);
  last().protocol = "";
  last().emit("open");
  await expect(dialling).rejects.toThrow("does not speak powerhose.v1");
  expect(last().closes).toHaveLength(1);
});

test("an abort while connecting closes what was begun", async () => {
  const controller = new AbortController();
  const dialling = dialWebSocket("ws://localhost/", { WebSocket: FakeWebSocket }).dial(controller.signal, limits);
  controller.abort("enough");
  await expect(dialling).rejects.toBe("enough");
  expect(last().closes).toHaveLength(1);
  last().emit("error");
  last().emit("close");
});

test("frames come as ArrayBuffers; anything else ends it", () => {
  const { ws, frames, closes } = opened();
  expect(ws.binaryType).toBe("arraybuffer");
  ws.emit("message", { data: Uint8Array.of(1, 2).buffer });
  ws.emit("message", { data: "text" });
  ws.emit("message", { data: Uint8Array.of(3).buffer });
  expect(frames).toEqual([Uint8Array.of(1, 2)]);
  expect(closes.map((reason) => reason.code)).toEqual(["violation"]);
  expect(ws.closes.map(([code]) => code)).toEqual([4003]);
});

test.each([
  ["local", 1000],
  ["peer", 1000],
  ["error", 4011],
  ["too-large", 4009],
  ["too-slow", 4013],
  ["violation", 4003],
] as const)("a close for %s is sent as %i, which a browser allows", async (code, sent) => {
  const { ws, closes, socket } = opened();
  socket.close({ code, message: "x".repeat(1_000) });
  expect(ws.closes.map(([number]) => number)).toEqual([sent]);
  expect(closes).toEqual([]);
  await turn();
  expect(closes.map((reason) => reason.code)).toEqual([code]);
});

test("a local close is told in the next turn though the peer never answers, and once when it does", async () => {
  const { ws, closes, socket } = opened();
  socket.close();
  await turn();
  expect(closes.map((reason) => reason.code)).toEqual(["local"]);
  ws.emit("close", { code: 1000 });
  expect(closes).toHaveLength(1);
});

test.each([
  [1000, "peer"],
  [1001, "peer"],
  [1003, "peer"],
  [1005, "peer"],
  [1006, "error"],
  [1009, "too-large"],
  [1011, "peer"],
  [4003, "peer"],
  [4009, "too-large"],
] as const)("closed by the other end with %i means %s", (code, expected) => {
  const { ws, closes } = opened();
  ws.emit("close", { code });
  expect(closes.map((reason) => reason.code)).toEqual([expected]);
});

test("an error is told at once: the close may be long in coming", () => {
  const { ws, closes } = opened();
  ws.emit("error");
  expect(closes.map((reason) => reason.code)).toEqual(["error"]);
  ws.emit("close");
  expect(closes).toHaveLength(1);
});

test("a WebSocket that throws on send closes the socket, later", async () => {
  const { ws, closes, socket } = opened();
  ws.send = (): void => {
    throw new Error("out of memory");
  };
  expect(socket.send(new Uint8Array(1))).toBe(false);
  expect(closes).toEqual([]);
  await turn();
  expect(closes).toEqual([{ code: "error", message: "sending failed: out of memory" }]);
});

test("what the WebSocket has buffered is what the socket has buffered", () => {
  const { ws, socket } = opened();
  ws.bufferedAmount = 123;
  expect(socket.bufferedBytes).toBe(123);
  ws.readyState = 2;
  expect(socket.send(new Uint8Array(1))).toBe(false);
});
