/** What is particular to ports: what they carry, how they are closed, and the scopes that are only shaped like one. */
import { MessageChannel as NodeMessageChannel } from "node:worker_threads";
import { expect, test, vi } from "vitest";
import type { CloseReason, Socket } from "../../src/core/transport/socket.ts";
import {
  dialMessagePort,
  MessagePortListener,
  messagePortSocket,
  type PortEvent,
  type PortLike,
} from "../../src/transports/message-port.ts";

const limits = { maxFrameBytes: 1_000 };
const never = new AbortController().signal;

/** A port made by hand, as a browser's worker scope has it unless `start` is added. */
class FakePort implements PortLike {
  readonly posted: unknown[] = [];
  readonly listeners: [string, (event: PortEvent) => void][] = [];
  closed = 0;

  postMessage(message: unknown, transfer: ArrayBuffer[]): void {
    this.posted.push(structuredClone(message, { transfer }));
  }

  addEventListener(type: string, listener: (event: PortEvent) => void): void {
    this.listeners.push([type, listener]);
  }

  removeEventListener(type: string, listener: (event: PortEvent) => void): void {
    const at = this.listeners.findIndex(([known, each]) => known === type && each === listener);
    if (at >= 0) this.listeners.splice(at, 1);
  }

  close(): void {
    this.closed++;
  }

  emit(type: string, data?: unknown): void {
    const all = this.listeners.slice();
    for (const [wanted, listener] of all) if (wanted === type) listener({ type, data });
  }
}

function opened(
  port: PortLike,
  maxFrameBytes: number = limits.maxFrameBytes,
): { socket: Socket; frames: Uint8Array[]; closes: CloseReason[] } {
  const socket = messagePortSocket(port, { maxFrameBytes });
  const [frames, closes]: [Uint8Array[], CloseReason[]] = [[], []];
  socket.open({ frame: (bytes) => void frames.push(bytes), closed: (reason) => void closes.push(reason) });
  return { socket, frames, closes };
}

test("the ports of Node and of the web, a Worker and a worker's scope are all PortLike", () => {
  const { port1, port2 } = new NodeMessageChannel();
  const takes = (port: PortLike): PortLike => port;
  const web = (port: MessagePort, worker: Worker): PortLike[] => [takes(port), takes(worker)];
  expect(web).toBeTypeOf("function");
  expect(takes(port1)).toBe(port1);
  port1.close();
  port2.close();
});

function twice<T>(value: T): T[] {
  return [value, value];
}

test.each<[string, unknown]>([
  ["text", "hello"],
  ["nothing", undefined],
  ["null", null],
  ["a number of bytes that were not sent", 70_000],
  ["a list", [1, 2, 3]],
  ["a map", new Map([["a", 1]])],
  ["a date", new Date(0)],
  ["another view", new Uint16Array(2)],
  ["a DataView", new DataView(new ArrayBuffer(2))],
  ["shared memory", new Uint8Array(new SharedArrayBuffer(2))],
  ["an object with our note", { note: "powerhose:close" }],
  ["an empty list", []],
  ["a frame and what is no buffer", [new ArrayBuffer(2), new Uint8Array(2)]],
  ["a frame and a frame that is there twice", twice(new ArrayBuffer(2))],
  ["buffers of which one is there twice", [new ArrayBuffer(2), ...twice(new ArrayBuffer(2))]],
  ["buffers behind what is no frame", ["x", new ArrayBuffer(2)]],
])("%s is a violation", async (_what, message) => {
  const { port1, port2 } = new MessageChannel();
  const { frames, closes } = opened(port1);
  port2.postMessage(message);
  await vi.waitUntil(() => closes.length === 1);
  expect(closes[0]?.code).toBe("violation");
  expect(frames).toEqual([]);
});

test.each([
  ["more than was sent", 100_001],
  ["none", 0],
  ["less than none", -70_000],
  ["fewer than are acknowledged at a time", 65_535],
  ["a part of one", 65_536.5],
  ["no number of bytes", Number.NaN],
])("an acknowledgement of %s is a violation", async (_what, bytes) => {
  const port = new FakePort();
  const { socket, closes } = opened(port, 100_000);
  socket.send(new Uint8Array(100_000));
  port.emit("message", bytes);
  expect(closes).toEqual([{ code: "violation", message: "an acknowledgement of bytes that were not sent" }]);
  expect(socket.bufferedBytes).toBe(0);
});

test("what was taken is acknowledged when it is 64 KiB, and before it is delivered", () => {
  const port = new FakePort();
  const socket = messagePortSocket(port, { maxFrameBytes: 200_000 });
  const postedBy: number[] = [];
  socket.open({ frame: () => void postedBy.push(port.posted.length), closed: () => undefined });
  for (const length of [40_000, 25_535, 1, 10, 150_000]) port.emit("message", new ArrayBuffer(length));
  expect(port.posted).toEqual([65_536, 150_010]);
  expect(postedBy).toEqual([0, 0, 1, 1, 2]);
});

test("a thousand small frames are acknowledged by one message", () => {
  const port = new FakePort();
  opened(port);
  for (let frame = 0; frame < 1_000; frame++) port.emit("message", new ArrayBuffer(100));
  expect(port.posted).toEqual([65_600]);
});

test("what a peer does not take is counted, and no longer once it is acknowledged", () => {
  const port = new FakePort();
  const { socket } = opened(port, 100_000);
  const counts = [1_000, 64_535, 1, 100_000, 100_000].map((length) => {
    socket.send(new Uint8Array(length));
    return socket.bufferedBytes;
  });
  expect(counts, "less than 64 KiB may have been taken").toEqual([0, 0, 1, 100_001, 200_001]);
  port.emit("message", 165_536);
  expect(socket.bufferedBytes).toBe(34_465);
  port.emit("message", 100_000);
  expect(socket.bufferedBytes).toBe(0);
});

test("a port that throws at an acknowledgement still delivers", () => {
  const port = new FakePort();
  const { frames, closes } = opened(port, 100_000);
  port.postMessage = (): void => {
    throw new Error("gone");
  };
  port.emit("message", new ArrayBuffer(70_000));
  expect([frames.length, closes]).toEqual([1, []]);
});

test("bytes are taken as a buffer or as a view, and a cyclic value is no crash", async () => {
  const { port1, port2 } = new MessageChannel();
  const { frames, closes } = opened(port1);
  port2.postMessage(Uint8Array.of(1).buffer);
  port2.postMessage(Uint8Array.of(2, 3));
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  port2.postMessage(cycle);
  await vi.waitUntil(() => closes.length === 1);
  expect(frames).toEqual([Uint8Array.of(1), Uint8Array.of(2, 3)]);
});

test("a message that cannot be read is a violation, and the peer is told", async () => {
  const port = new FakePort();
  const { closes } = opened(port);
  port.emit("messageerror");
  expect(closes.map((reason) => reason.code)).toEqual(["violation"]);
  expect(port.posted).toEqual(["powerhose:close"]);
});

test("frames are transferred, not copied; of a view only its own bytes go", () => {
  const port = new FakePort();
  const { socket } = opened(port);
  const whole = new Uint8Array(100).fill(1);
  expect(socket.send(whole)).toBe(true);
  expect(whole.byteLength).toBe(0);
  const shared = new Uint8Array(100).fill(2);
  socket.send(shared.subarray(0, 10));
  expect(shared.byteLength).toBe(100);
  expect(port.posted).toEqual([new Uint8Array(100).fill(1).buffer, new Uint8Array(10).fill(2).buffer]);
});

test("a port that throws closes the socket, later, and the thrown is in the reason", async () => {
  const port = new FakePort();
  port.postMessage = (): void => {
    throw new Error("DataCloneError");
  };
  const { socket, closes } = opened(port);
  expect(socket.send(new Uint8Array(1))).toBe(false);
  expect(closes).toEqual([]);
  await vi.waitUntil(() => closes.length === 1);
  expect(closes).toEqual([{ code: "error", message: "posting failed: DataCloneError" }]);
});

test("a buffer that is gone already closes the socket instead of throwing", async () => {
  const { port1, port2 } = new MessageChannel();
  const { socket, closes } = opened(port1);
  const frame = new Uint8Array(8);
  expect(socket.send(frame)).toBe(true);
  const taken = new Uint8Array(8);
  structuredClone(taken, { transfer: [taken.buffer] });
  expect(() => socket.send(taken)).not.toThrow();
  socket.close();
  await vi.waitUntil(() => closes.length === 1);
  port2.close();
});

test("a worker's scope is told of the close and left running; listeners go", () => {
  const scope = new FakePort();
  const { socket } = opened(scope);
  expect(scope.listeners).toHaveLength(3);
  socket.close();
  expect([scope.posted, scope.closed, scope.listeners.length]).toEqual([["powerhose:close"], 0, 0]);
});

test("a port of Node's listens without events and is let go of entirely", () => {
  const { port1, port2 } = new NodeMessageChannel();
  const on = vi.spyOn(port1, "on");
  const { socket } = opened(port1);
  expect(on.mock.calls.map(([type]) => type)).toEqual(["message"]);
  const listeners = (): number[] => ["message", "messageerror", "close"].map((type) => port1.listenerCount(type));
  expect(listeners()).toEqual([1, 1, 1]);
  socket.close();
  expect(listeners()).toEqual([0, 0, 0]);
  port2.close();
});

test("a port proper is started, and closed with the socket", () => {
  let started = 0;
  const port = Object.assign(new FakePort(), { start: () => void started++ });
  const { socket } = opened(port);
  expect(started).toBe(1);
  socket.close();
  socket.close();
  expect([port.posted, port.closed]).toEqual([["powerhose:close"], 1]);
});

test("a peer's note closes without an answer: a silent browser port is heard", () => {
  const port = new FakePort();
  const { socket, closes } = opened(port);
  port.emit("message", "powerhose:close");
  expect(closes.map((reason) => reason.code)).toEqual(["peer"]);
  expect(port.posted).toEqual([]);
  expect(socket.send(new Uint8Array(1))).toBe(false);
});

test("a port that Node reports closed is closed by the peer", async () => {
  const { port1, port2 } = new MessageChannel();
  const { closes } = opened(port1);
  port2.close();
  await vi.waitUntil(() => closes.length === 1);
  expect(closes[0]?.code).toBe("peer");
});

test("a port is dialled once, and an aborted dial does not count", async () => {
  const { port1, port2 } = new MessageChannel();
  const dialer = dialMessagePort(port1, { address: "tab 7" });
  await expect(dialer.dial(AbortSignal.abort("no"), limits)).rejects.toBe("no");
  const socket = await dialer.dial(never, limits);
  await expect(dialer.dial(never, limits)).rejects.toThrow("a port carries one socket");
  expect(socket.peer).toEqual({ transport: "message-port", address: "tab 7", principal: "local" });
  socket.close();
  port2.close();
});

test("ports added before the start wait for it, and say who they are", async () => {
  const listener = new MessagePortListener();
  const accepted: Socket[] = [];
  listener.add(new FakePort());
  listener.add(new FakePort(), { address: "tab 7", principal: "ann" });
  await listener.start((socket) => void accepted.push(socket), { ...limits, report: () => undefined });
  expect(accepted).toEqual([]);
  await vi.waitUntil(() => accepted.length === 2);
  listener.add(new FakePort());
  expect(accepted.map(({ peer }) => `${peer.address} ${peer.principal}`)).toEqual([
    "port 1 local",
    "tab 7 ann",
    "port 3 local",
  ]);
  await listener.stop();
  expect(accepted.map((socket) => socket.send(new Uint8Array(1)))).toEqual([false, false, false]);
});
