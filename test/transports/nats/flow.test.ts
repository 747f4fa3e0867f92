/** Windows, pieces and budgets over NATS, on a server in memory: bytes and packets are counted. */
import { expect, test } from "vitest";
import { IncomingBudget } from "../../../src/core/transport/incoming-budget.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { windowFor } from "../../../src/transports/nats/handshake.ts";
import { decodePacket, PACKET, PACKET_HEAD_BYTES } from "../../../src/transports/nats/packet.ts";
import { Outgoing } from "../../../src/transports/nats/outgoing.ts";
import { End, FakeFleet, filled } from "./fake-fleet.ts";

const KIB = 1_024;

async function started(options: ConstructorParameters<typeof FakeFleet>[0] = {}): Promise<FakeFleet> {
  const fleet = new FakeFleet(options);
  await fleet.start();
  return fleet;
}

/** Sizes of the packets with frames in them that pass. */
function frameSizes(fleet: FakeFleet): number[] {
  const sizes: number[] = [];
  fleet.server.passes = ({ data }) => {
    const kind = decodePacket(data)?.kind ?? PACKET.reset;
    if (kind <= PACKET.next) sizes.push(data.byteLength);
    return true;
  };
  return sizes;
}

test("a frame leaves in one packet up to 256 KiB, and in pieces of as much beyond", async () => {
  const fleet = await started();
  const [near, far] = await fleet.pair();
  const sizes = frameSizes(fleet);
  near.socket.send(filled(256 * KIB, 1));
  near.socket.send(filled(600 * KIB, 2));
  await fleet.clock.advance(50);
  expect(sizes).toEqual([
    256 * KIB + PACKET_HEAD_BYTES,
    256 * KIB + PACKET_HEAD_BYTES + 4,
    256 * KIB + PACKET_HEAD_BYTES,
    88 * KIB + PACKET_HEAD_BYTES,
  ]);
  expect(far.frames.map((frame) => [frame.byteLength, frame[0], frame.at(-1)])).toEqual([
    [256 * KIB, 1, 1],
    [600 * KIB, 2, 2],
  ]);
  expect(far.parts).toBe(2);
  await fleet.end(near, far);
});

test("pieces are smaller where the server takes less", async () => {
  const fleet = await started();
  const nc = fleet.server.connect();
  nc.info = { max_payload: 1_000 };
  const [near, far] = await fleet.pair(nc);
  const sizes = frameSizes(fleet);
  near.socket.send(filled(10_000, 1));
  await fleet.clock.advance(50);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
  expect(far.frames.map(({ byteLength }) => byteLength)).toEqual([10_000]);
  await fleet.end(near, far);
});

test("windows add up to 32 MiB at one listener, and are never under 64 KiB", async () => {
  const fleet = await started();
  const windows: number[] = [];
  fleet.server.passes = ({ data }) => {
    const packet = decodePacket(data);
    if (packet?.kind === PACKET.accept)
      windows.push((JSON.parse(new TextDecoder().decode(packet.body)) as { windowBytes: number }).windowBytes);
    return true;
  };
  const nc = fleet.server.connect();
  const ends: End[] = [];
  for (let i = 0; i < 70; i++) ends.push(new End(await fleet.settle(fleet.dial(nc))));
  expect([windows[0], windows[31], windows[63]]).toEqual([1_048_576, 1_048_576, 524_288]);
  expect([512, 513, 100_000].map(windowFor)).toEqual([65_536, 65_536, 65_536]);
  await fleet.end(...ends);
});

test("ten thousand small frames wait for room, and none is lost", async () => {
  const fleet = await started();
  const nc = fleet.server.connect();
  const [near, far] = await fleet.pair(nc);
  for (let i = 0; i < 10_000; i++) far.socket.send(filled(10, i % 251));
  // Counted with what a packet costs the server besides: far fewer are under way than their bytes allow.
  expect(fleet.listening.published).toBeLessThan(6_000);
  expect(far.socket.bufferedBytes).toBe(100_000);
  await fleet.clock.advance(50);
  expect(near.frames.map((frame) => frame[0])).toEqual(Array.from({ length: 10_000 }, (_, i) => i % 251));
  await fleet.end(near, far);
});

test("acknowledgements ride on answers, and go alone 10 ms later", async () => {
  const fleet = await started();
  const [near, far] = await fleet.pair();
  far.frame = () => void far.socket.send(filled(1, 2));
  const before = fleet.server.published;
  for (let i = 0; i < 9; i++) {
    near.socket.send(filled(1, 1));
    await fleet.clock.advance(1);
  }
  expect(fleet.server.published - before).toBe(18);
  await fleet.clock.advance(20);
  // The last answer's own.
  expect(fleet.server.published - before).toBe(19);
  expect([near.socket.bufferedBytes, far.socket.bufferedBytes]).toEqual([0, 0]);
  await fleet.end(near, far);
});

test("an idle socket costs a packet a second at each end", async () => {
  const fleet = await started();
  const ends = await fleet.pair();
  const before = fleet.server.published;
  await fleet.clock.advance(10_000);
  const published = fleet.server.published - before;
  expect(published).toBeGreaterThanOrEqual(16);
  expect(published).toBeLessThanOrEqual(20);
  await fleet.end(...ends);
});

test("a large frame waits for its place in the runner's budget: the other end is held back meanwhile", async () => {
  const budget = new IncomingBudget(1_500 * KIB, 10_000, new VirtualClock());
  const other = budget.reservation({ onGranted: () => undefined, onEvicted: () => undefined });
  expect(other.reserve(1_000 * KIB, 0)).toBe(true);
  const fleet = await started({ incoming: budget });
  const [near, far] = await fleet.pair();
  near.socket.send(filled(1_300 * KIB, 2));
  // Long enough for signs of life, which say that nothing was taken.
  await fleet.clock.advance(2_500);
  expect([far.socket.isPaused, near.socket.bufferedBytes, far.frames.length]).toEqual([true, 1_300 * KIB, 0]);
  expect(near.codes).toEqual([]);
  other.release();
  await fleet.clock.advance(50);
  expect([far.socket.isPaused, near.socket.bufferedBytes, far.frames.length]).toEqual([false, 0, 1]);
  await fleet.end(near, far);
});

test("numbers go on at 0 behind 2^32 - 1", () => {
  const outgoing = new Outgoing({ windowBytes: 1_000_000, pieceBytes: 100 }, 0xffff_fffe);
  const taken: number[] = [];
  for (let i = 0; i < 4; i++) {
    outgoing.add(filled(10, i));
    taken.push(outgoing.take()?.sequence ?? -1);
  }
  expect(taken).toEqual([0xffff_fffe, 0xffff_ffff, 0, 1]);
  expect([outgoing.onTaken(0), outgoing.bytes]).toEqual([true, 20]);
  expect([outgoing.onTaken(3), outgoing.bytes]).toEqual([false, 20]);
  expect([outgoing.onTaken(2), outgoing.bytes, outgoing.isDone]).toEqual([true, 0, true]);
});
