/** What is particular to the memory transport: names, limits and whose turn it is. */
import { expect, test } from "vitest";
import type { Socket } from "../../src/core/transport/socket.ts";
import { MemoryTransport } from "../../src/transports/memory.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";

const never = new AbortController().signal;

test("ends know each other by the transport's name", async () => {
  const memory = new MemoryTransport({ address: "kitchen" });
  const accepted: Socket[] = [];
  await memory.start((socket) => void accepted.push(socket), { maxFrameBytes: 100, report: () => undefined });
  const socket = await memory.dial(never, { maxFrameBytes: 100 });
  expect(socket.peer).toEqual({ transport: "memory", address: "kitchen", principal: "local" });
  expect(accepted[0]?.peer).toEqual({ transport: "memory", address: "kitchen 1", principal: "local" });
  await memory.stop();
});

test("nobody listens: the error says so", async () => {
  await expect(new MemoryTransport().dial(never, { maxFrameBytes: 100 })).rejects.toThrow("memory: nobody listens");
});

test("the listener's code does not run inside the dialer's", async () => {
  const clock = new VirtualClock();
  const memory = new MemoryTransport({ clock });
  let accepted = 0;
  await memory.start(() => void accepted++, { maxFrameBytes: 100, report: () => undefined });
  const dialling = memory.dial(never, { maxFrameBytes: 100 });
  expect(accepted).toBe(0);
  await clock.settle();
  await dialling;
  expect(accepted).toBe(1);
});

test.each([
  [10, 100],
  [100, 10],
])("the smaller of two limits holds (%i, %i)", async (listening, dialling) => {
  const clock = new VirtualClock();
  const memory = new MemoryTransport({ clock });
  const closes: string[] = [];
  const open = (socket: Socket): void => {
    socket.open({ frame: () => undefined, closed: (reason) => void closes.push(reason.code) });
  };
  await memory.start(open, { maxFrameBytes: listening, report: () => undefined });
  const dialled = memory.dial(never, { maxFrameBytes: dialling });
  await clock.settle();
  const socket = await dialled;
  open(socket);
  socket.send(new Uint8Array(11));
  await clock.settle();
  expect(closes).toEqual(["too-large", "too-large"]);
});
