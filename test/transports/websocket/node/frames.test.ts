/** The bytes that connections of a listener bring in together: counted by the heads of frames, bounded by one budget. */
import * as fc from "fast-check";
import { createServer } from "node:http";
import { once } from "node:events";
import type { Socket as TcpSocket } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { OutgoingFrame, WORKER_CODEC } from "../../../../src/core/protocol/codec.ts";
import { IncomingBudget } from "../../../../src/core/transport/incoming-budget.ts";
import { JobRunner, type RunnerEvent } from "../../../../src/index.ts";
import { VirtualClock } from "../../../../src/testing/time/virtual-clock.ts";
import { FrameTracker } from "../../../../src/transports/websocket/node/frames.ts";
import { listenWebSocket } from "../../../../src/transports/websocket/node/index.ts";
import { PieceCollector } from "../../../../src/transports/websocket/node/pieces.ts";
import { Gate } from "./gate.ts";
import { frame, RawClient, status, upgrade } from "./raw-client.ts";

const MIB = 1024 * 1024;
const PATIENT = { timeout: 30_000, interval: 5 };
/** As much as Node may have read of a connection before it can be stopped: two reads. */
const READ_AHEAD = 2 * 65_536;

/** A server with all connections it has taken, and a gate on it. */
class MeteredGate {
  readonly gate: Gate;
  readonly budget: IncomingBudget;
  readonly clock: VirtualClock;
  readonly sockets: readonly TcpSocket[];

  private constructor(gate: Gate, budget: IncomingBudget, clock: VirtualClock, sockets: readonly TcpSocket[]) {
    this.gate = gate;
    this.budget = budget;
    this.clock = clock;
    this.sockets = sockets;
  }

  static async open(limit: number, maxFrameBytes: number): Promise<MeteredGate> {
    const clock = new VirtualClock();
    const budget = new IncomingBudget(limit, 10_000, clock);
    const sockets: TcpSocket[] = [];
    const server = createServer();
    server.on("connection", (socket) => void sockets.push(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const gate = await Gate.open({ server }, { maxFrameBytes, incoming: budget });
    onTestFinished(async () => {
      await gate.listener.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return new MeteredGate(gate, budget, clock, sockets);
  }

  /** Connects, one after the other, so that they come in this order. */
  async clients(count: number): Promise<RawClient[]> {
    const clients: RawClient[] = [];
    for (let n = 0; n < count; n++) {
      const client = new RawClient(this.gate.port);
      expect(status(await client.send(upgrade("/")).head())).toBe(101);
      clients.push(client);
    }
    onTestFinished(() => clients.forEach((client) => client[Symbol.dispose]()));
    return clients;
  }

  /** Bytes read of each connection. */
  get read(): number[] {
    return this.sockets.map(({ bytesRead }) => bytesRead);
  }
}

describe("the heads of frames", () => {
  interface Sent {
    readonly bytes: Uint8Array;
    /** Messages that are complete behind it, and what is then known of the one under way. */
    readonly completed: number;
    readonly message: number;
  }

  function encode(first: number, size: number, form: 7 | 16 | 64, masked: boolean): Uint8Array {
    const length =
      form === 7
        ? [size]
        : form === 16
          ? [126, size >> 8, size & 255]
          : [127, 0, 0, 0, 0, 0, size >> 16, (size >> 8) & 255, size & 255];
    const [short = 0, ...rest] = length;
    return new Uint8Array([
      first,
      short | (masked ? 0x80 : 0),
      ...rest,
      ...(masked ? [1, 2, 3, 4] : []),
      ...new Uint8Array(size).fill(0xff),
    ]);
  }

  const formed = fc.record({
    size: fc.oneof(fc.nat(125), fc.constantFrom(126, 127, 255, 256, 65_535, 65_536, 70_000)),
    masked: fc.boolean(),
    isFinal: fc.boolean(),
    isControl: fc.boolean(),
    isLong: fc.boolean(),
  });

  /** Frames as they follow from one another: a fragment is continued, control frames are short and stand anywhere. */
  const stream = fc.array(formed, { maxLength: 12 }).map((parts) => {
    const sent: Sent[] = [];
    let [completed, message, isOpen] = [0, 0, false];
    for (const { size, masked, isFinal, isControl, isLong } of parts) {
      if (isControl) {
        sent.push({ bytes: encode(0x89, size % 126, 7, masked), completed, message });
        continue;
      }
      const form = isLong || size > 65_535 ? 64 : size > 125 ? 16 : 7;
      const bytes = encode((isFinal ? 0x80 : 0) | (isOpen ? 0 : 2), size, form, masked);
      message += size;
      isOpen = !isFinal;
      if (isFinal) [completed, message] = [completed + 1, 0];
      sent.push({ bytes, completed, message });
    }
    return sent;
  });

  test("are followed through any stream, cut anywhere", () => {
    fc.assert(
      fc.property(stream, fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1 }), (sent, cuts) => {
        const tracker = new FrameTracker();
        let turn = 0;
        for (const { bytes, completed, message } of sent) {
          for (let at = 0; at < bytes.length;) {
            const end = at + (cuts[turn++ % cuts.length] ?? 1);
            tracker.track(bytes.subarray(at, end));
            at = end;
          }
          expect([tracker.completed, tracker.message, tracker.received]).toEqual([completed, message, message]);
        }
        // And in one piece.
        const whole = new FrameTracker();
        whole.track(Buffer.concat(sent.map(({ bytes }) => bytes)));
        expect([whole.completed, whole.message]).toEqual([tracker.completed, tracker.message]);
      }),
    );
  });

  test("tell the length before the body is there", () => {
    const tracker = new FrameTracker();
    const head = frame(0x82, new Uint8Array(0), 5_000_000_000);
    for (const byte of head.subarray(0, 13)) tracker.track(new Uint8Array([byte]));
    expect(tracker.message).toBe(0);
    tracker.track(head.subarray(13, 14));
    expect([tracker.message, tracker.received]).toEqual([5_000_000_000, 0]);
  });
});

test("many large frames at once: what is read of all connections stays in the budget, and all arrive", async () => {
  const house = await MeteredGate.open(4 * MIB, MIB);
  const clients = await house.clients(24);
  const before = house.read;
  const whole = frame(0x82, new Uint8Array(MIB - 1), MIB);
  for (const client of clients) client.send(whole);
  await vi.waitUntil(() => house.budget.waiting === 20, PATIENT);
  const brought = (): number[] => house.read.map((bytes, n) => bytes - (before[n] ?? 0));
  await vi.waitUntil(() => brought().filter((bytes) => bytes === whole.length).length === 4, PATIENT);
  // Give whatever is not held up the time to come in.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(house.budget.held).toBe(4 * MIB);
  expect(brought().filter((bytes) => bytes > READ_AHEAD)).toHaveLength(4);
  expect(brought().reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(4 * (MIB + 14) + 20 * READ_AHEAD);
  expect(house.gate.accepted.filter((socket) => socket.isPaused === true)).toHaveLength(20);
  for (const client of clients) client.send(new Uint8Array(1));
  await vi.waitUntil(() => house.gate.frames === 24, PATIENT);
  expect([house.budget.held, house.budget.waiting, house.gate.closed]).toEqual([0, 0, []]);
});

test("small frames pass while the budget is full, and a message in fragments counts as one", async () => {
  const house = await MeteredGate.open(MIB, MIB);
  const [large, small, fragments] = await house.clients(3);
  large?.send(frame(0x82, new Uint8Array(0), MIB)).send(new Uint8Array(1));
  await vi.waitUntil(() => house.budget.held === MIB, PATIENT);
  for (let n = 0; n < 10; n++) small?.send(frame(0x82, new Uint8Array(60_000)));
  await vi.waitUntil(() => house.gate.frames === 10, PATIENT);
  // Two of the three fragments are free alone; together they are not.
  fragments?.send(frame(0x02, new Uint8Array(40_000))).send(frame(0x00, new Uint8Array(40_000)));
  await vi.waitUntil(() => house.budget.waiting === 1, PATIENT);
  fragments?.send(frame(0x80, new Uint8Array(40_000)));
  large?.send(new Uint8Array(MIB - 1));
  await vi.waitUntil(() => house.gate.frames === 12, PATIENT);
  expect([house.budget.held, house.budget.waiting]).toEqual([0, 0]);
});

test("a frame that stops coming while others wait ends its connection with 1013, and the next is read", async () => {
  const house = await MeteredGate.open(MIB, MIB);
  const [stuck, next] = await house.clients(2);
  stuck?.send(frame(0x82, new Uint8Array(100_000), MIB));
  await vi.waitUntil(() => house.budget.held === MIB, PATIENT);
  next?.send(frame(0x82, new Uint8Array(MIB)));
  await vi.waitUntil(() => house.budget.waiting === 1, PATIENT);
  expect(house.gate.frames).toBe(0);
  await house.clock.advance(10_000);
  expect(house.gate.closed).toEqual(["too-slow"]);
  await vi.waitUntil(() => house.gate.frames === 1, PATIENT);
  await stuck?.end();
  expect([...(stuck?.frames.subarray(2, 4) ?? [])]).toEqual([1013 >> 8, 1013 & 0xff]);
  expect([house.budget.held, house.budget.waiting]).toEqual([0, 0]);
});

test("connections that go give back what they hold, and their place in line", async () => {
  const house = await MeteredGate.open(MIB, MIB);
  const [first, second, third] = await house.clients(3);
  first?.send(frame(0x82, new Uint8Array(1), MIB));
  await vi.waitUntil(() => house.budget.held === MIB, PATIENT);
  for (const client of [second, third]) client?.send(frame(0x82, new Uint8Array(MIB - 1), MIB));
  await vi.waitUntil(() => house.budget.waiting === 2, PATIENT);
  house.gate.accepted[1]?.close();
  await vi.waitUntil(() => house.budget.waiting === 1, PATIENT);
  first?.[Symbol.dispose]();
  await vi.waitUntil(() => house.budget.waiting === 0, PATIENT);
  third?.send(new Uint8Array(1));
  await vi.waitUntil(() => house.gate.frames === 1, PATIENT);
  expect(house.budget.held).toBe(0);
});

test("a listener whose user has no budget keeps one of its own", async () => {
  await using gate = await Gate.open({}, { maxFrameBytes: 300 * MIB });
  const clients = [new RawClient(gate.port), new RawClient(gate.port)];
  for (const client of clients) {
    expect(status(await client.send(upgrade("/")).head())).toBe(101);
    client.send(frame(0x82, new Uint8Array(0), 200 * MIB));
  }
  await vi.waitUntil(() => gate.accepted.some((socket) => socket.isPaused === true), PATIENT);
  expect(gate.accepted.map((socket) => socket.isPaused)).toContain(false);
  for (const client of clients) client[Symbol.dispose]();
});

test("a frame may come in as many chunks as the network makes of it, byte by byte too", async () => {
  const house = await MeteredGate.open(4 * MIB, MIB);
  const [client] = await house.clients(1);
  const whole = frame(0x82, new Uint8Array(4_000), 4_000);
  for (const byte of whole) {
    const before = house.sockets[0]?.bytesRead ?? 0;
    client?.send(Uint8Array.of(byte));
    while ((house.sockets[0]?.bytesRead ?? 0) === before && house.gate.closed.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await vi.waitUntil(() => house.gate.frames + house.gate.closed.length === 1, PATIENT);
  expect(house.gate.closed).toEqual([]);
});

test("a large message may come in as many fragments as a browser makes of it", async () => {
  const house = await MeteredGate.open(8 * MIB, 2 * MIB);
  const [client] = await house.clients(1);
  // Chromium sends 64 MiB in 516 fragments.
  for (let n = 0; n < 516; n++)
    client?.send(frame((n === 0 ? 0x02 : 0x00) | (n === 515 ? 0x80 : 0), new Uint8Array(2_000)));
  await vi.waitUntil(() => house.gate.frames + house.gate.closed.length === 1, PATIENT);
  expect(house.gate.closed).toEqual([]);
});

describe("the pieces of a frame", () => {
  /** Bytes that are told apart by their place. */
  function counted(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, (_, at) => at % 251);
  }

  function collect(chunks: Iterable<Uint8Array>, size: number): Buffer[] {
    const pieces: Buffer[] = [];
    const collector = new PieceCollector((piece) => void pieces.push(Buffer.from(piece)));
    let left = size;
    for (const chunk of chunks) {
      collector.add(chunk, left);
      left -= chunk.length;
    }
    collector.flush();
    return pieces;
  }

  test("are few however many reads it comes in, and hold its bytes in order", () => {
    const bytes = counted(200_000);
    const pieces = collect(
      Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
      bytes.length,
    );
    expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
    expect(pieces.length).toBeLessThan(20);
  });

  test("take no more memory than has come, or a little", () => {
    const sizes: number[] = [];
    const collector = new PieceCollector((piece) => void sizes.push(piece.buffer.byteLength));
    for (let at = 0; at < 5_000; at++) collector.add(Uint8Array.of(1), 64 * MIB - at);
    collector.flush();
    expect(sizes).toEqual([1_024, 1_024, 2_048, 4_096]);
  });
});

describe("workers of a runner", () => {
  const HEARTBEAT = 5_000;

  /** A worker that says HELLO and then what it is told to say. */
  async function register(port: number, runner: JobRunner, identity: string): Promise<RawClient> {
    const writer = new OutgoingFrame(WORKER_CODEC.encode);
    writer.append({
      type: "HELLO",
      version: 1,
      identity,
      instance: `${identity}-1`,
      capacity: 1,
      prefetchLimit: 0,
      blocking: false,
      served: 0,
      labels: [],
      features: 0,
      maxPayload: 1_048_576,
      isRelay: false,
    });
    const client = new RawClient(port);
    await client.send(upgrade("/")).head();
    client.send(frame(0x82, writer.take()));
    await vi.waitUntil(() => runner.stats().workers.some((worker) => worker.identity === identity), PATIENT);
    onTestFinished(() => client[Symbol.dispose]());
    return client;
  }

  async function scene(): Promise<{
    readonly clock: VirtualClock;
    readonly runner: JobRunner;
    readonly port: number;
    readonly events: RunnerEvent[];
    readonly sockets: TcpSocket[];
  }> {
    const clock = new VirtualClock();
    const sockets: TcpSocket[] = [];
    const server = createServer().on("connection", (socket) => void sockets.push(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const listener = listenWebSocket({ server });
    const runner = new JobRunner({
      listen: listener,
      clock,
      heartbeat: HEARTBEAT,
      maxIncomingBytes: MIB,
      // Longer than anything here: what is looked at is the heartbeat.
      stallTimeout: 1_000_000,
    });
    const events: RunnerEvent[] = [];
    runner.onWorkerEvent((event) => void events.push(event));
    await runner.start();
    onTestFinished(async () => {
      await runner.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return { clock, runner, port: Number(new URL(listener.address).port), events, sockets };
  }

  const named = (events: readonly RunnerEvent[]): string[] =>
    events.flatMap((event) =>
      event.type === "worker-suspect" || event.type === "worker-gone" ? [`${event.type} ${event.identity}`] : [],
    );

  test("are not judged by their silence while they are not read; one that holds a frame and says nothing is", async () => {
    const { clock, runner, port, events } = await scene();
    const holder = await register(port, runner, "holder");
    const waiter = await register(port, runner, "waiter");
    const budget = {
      holder: frame(0x82, new Uint8Array(100_000), MIB),
      waiter: frame(0x82, new Uint8Array(300_000), MIB),
    };
    const sent = async (client: RawClient, bytes: Uint8Array, isHeld: () => boolean): Promise<void> => {
      client.send(bytes);
      await vi.waitUntil(isHeld, PATIENT);
    };
    await sent(holder, budget.holder, () => runner.incoming.held === MIB);
    await sent(waiter, budget.waiter, () => runner.incoming.waiting === 1);
    await clock.advance(3 * HEARTBEAT - 1);
    expect(named(events)).toEqual(["worker-suspect holder"]);
    await clock.advance(1);
    expect(named(events)).toEqual(["worker-suspect holder", "worker-gone holder"]);
    await vi.waitUntil(() => runner.incoming.held === MIB && runner.incoming.waiting === 0, PATIENT);
    await clock.advance(HEARTBEAT);
    expect(named(events)).toHaveLength(2);
    // One at each heartbeat while it was not read: it hears nothing else.
    await vi.waitUntil(() => pingsTo(waiter) >= 2, PATIENT);
    // Read again, its silence counts like anybody's.
    await clock.advance(3 * HEARTBEAT);
    expect(named(events).slice(2)).toEqual(["worker-suspect waiter", "worker-gone waiter"]);
  });

  /** The PINGs of the runner that a client got: five bytes of head, and a nonce. */
  const pingsTo = ({ frames }: RawClient): number => frames.toString("latin1").split("\x03\0\0\0\x04").length - 1;

  test.each([1, 100, 16_384])("on a slow line are alive as long as %i bytes of a frame come in", async (size) => {
    const { clock, runner, port, events, sockets } = await scene();
    const slow = await register(port, runner, "slow");
    slow.send(frame(0x82, new Uint8Array(0), 20 * 16_384));
    for (let part = 0; part < 19; part++) {
      const before = sockets[0]?.bytesRead ?? 0;
      slow.send(new Uint8Array(size));
      await vi.waitUntil(() => (sockets[0]?.bytesRead ?? 0) >= before + size, PATIENT);
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(2 * HEARTBEAT - 1);
    }
    expect(named(events)).toEqual([]);
    // Its own PINGs stand behind the frame: those of the runner are all it hears.
    await vi.waitUntil(() => pingsTo(slow) === 18, PATIENT);
    await clock.advance(2 * HEARTBEAT);
    expect(named(events)).toEqual(["worker-suspect slow", "worker-gone slow"]);
  });
});
