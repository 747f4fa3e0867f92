/** What can go wrong between two ends over NATS, on a server in memory and virtual time. See fake-nats.ts. */
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { decodePacket, PACKET } from "../../../src/transports/nats/packet.ts";
import { type End, FakeFleet, filled } from "./fake-fleet.ts";

const OUT = /^ph\.jobs\.out\./;

async function started(): Promise<FakeFleet> {
  const fleet = new FakeFleet();
  await fleet.start();
  return fleet;
}

function numbersOf(end: End): readonly number[] {
  return end.frames.map((frame) => frame[0] ?? -1);
}

describe("a dial", () => {
  test("is made three times, 50 ms apart, while nothing listens", async () => {
    const fleet = new FakeFleet();
    const nc = fleet.server.connect();
    const times: number[] = [];
    fleet.server.passes = ({ subject }) => {
      if (subject === "ph.jobs.dial.alice") times.push(fleet.clock.now());
      return true;
    };
    await expect(fleet.settle(fleet.dial(nc))).rejects.toThrow("could not connect to nats:jobs: nothing listens");
    expect(times).toEqual([0, 50, 100]);
    await fleet.end();
  });

  test("finds a listener that starts meanwhile", async () => {
    const fleet = new FakeFleet();
    const dial = fleet.dial(fleet.server.connect());
    await fleet.clock.advance(20);
    await fleet.start();
    (await fleet.settle(dial)).close();
    expect(fleet.accepted).toHaveLength(1);
    await fleet.end();
  });

  test("without an answer fails after 5 s, and what was accepted closes", async () => {
    const fleet = await started();
    fleet.server.passes = ({ subject }) => !OUT.test(subject);
    await expect(fleet.settle(fleet.dial(fleet.server.connect()))).rejects.toThrow("no answer within 5000 ms");
    fleet.server.passes = () => true;
    await fleet.clock.advance(2_000);
    expect(fleet.accepted.map((socket) => socket.send(filled(1, 1)))).toEqual([false]);
    await fleet.end();
  });

  test("while the client has no server says so at once, and works again when it has one", async () => {
    const fleet = await started();
    const nc = fleet.server.connect();
    nc.disconnect();
    await expect(fleet.dial(nc)).rejects.toThrow("no connection to a NATS server now");
    nc.reconnect();
    const ends = await fleet.pair(nc);
    await fleet.end(...ends);
  });

  test("under way when the client loses its server fails at once", async () => {
    const fleet = await started();
    const nc = fleet.server.connect();
    const dial = fleet.dial(nc);
    nc.disconnect();
    await expect(fleet.settle(dial)).rejects.toThrow("the connection to the NATS server was lost");
    expect(fleet.clock.now()).toBeLessThan(100);
    await fleet.end();
  });

  test("over a closed connection fails, and so does listening", async () => {
    const fleet = new FakeFleet();
    fleet.listening.close();
    const nc = fleet.server.connect();
    nc.close();
    await expect(fleet.dial(nc)).rejects.toThrow("the NATS connection is closed");
    await expect(fleet.start()).rejects.toThrow("nats:jobs: cannot listen: closed connection");
    await fleet.end();
  });
});

describe("a lost packet", () => {
  test("one in 500: every socket delivers an exact prefix, and both ends close", async () => {
    const fleet = await started();
    const random = new SeededRandom(3);
    const pairs: (readonly [End, End])[] = [];
    for (let i = 0; i < 50; i++) pairs.push(await fleet.pair(undefined, `worker${i}`));
    fleet.server.passes = () => random.below(500) > 0;
    for (let round = 0; round < 120; round++) {
      for (const ends of pairs) for (const { socket } of ends) socket.send(filled(20, round));
      if (round % 16 === 0) await fleet.clock.advance(10);
    }
    await fleet.clock.advance(5_000);
    fleet.server.passes = () => true;
    const cut = pairs.filter(([near]) => near.closes.length > 0);
    expect(cut.length).toBeGreaterThan(10);
    for (const [near, far] of pairs) {
      for (const end of [near, far]) expect(numbersOf(end)).toEqual(end.frames.map((_, i) => i));
      expect(near.closes.length).toBe(far.closes.length);
      expect(near.closes.length === 1 || Math.min(near.frames.length, far.frames.length) === 120).toBe(true);
    }
    await fleet.end(...pairs.flat());
  });

  test("shows though nothing follows it: within 1.5 s, at both ends", async () => {
    const fleet = await started();
    const [near, far] = await fleet.pair();
    fleet.server.passes = () => false;
    near.socket.send(filled(10, 1));
    fleet.server.passes = () => true;
    await fleet.clock.advance(1_500);
    expect([near.codes, far.codes, far.frames.length]).toEqual([["error"], ["error"], 0]);
    await fleet.end();
  });

  test("which was an acknowledgement costs nothing", async () => {
    const fleet = await started();
    const [near, far] = await fleet.pair();
    fleet.server.passes = ({ data }) => decodePacket(data)?.kind !== PACKET.ack;
    near.socket.send(filled(10, 1));
    await fleet.clock.advance(20);
    expect(near.socket.bufferedBytes).toBe(10);
    fleet.server.passes = () => true;
    await fleet.clock.advance(1_500);
    expect([near.socket.bufferedBytes, near.codes, far.codes]).toEqual([0, [], []]);
    await fleet.end(near, far);
  });
});

describe("the other end", () => {
  test("that is gone is noticed within 1.5 s, idle", async () => {
    const fleet = await started();
    const nc = fleet.server.connect();
    const [, far] = await fleet.pair(nc);
    nc.kill();
    await fleet.clock.advance(1_500);
    expect(far.closes).toEqual([{ code: "error", message: expect.stringContaining("is gone") as string }]);
    await fleet.end();
  });

  test("that is gone is noticed at once when there is something to send", async () => {
    const fleet = await started();
    const nc = fleet.server.connect();
    const [, far] = await fleet.pair(nc);
    nc.kill();
    far.socket.send(filled(10, 1));
    await fleet.clock.advance(0);
    expect(far.codes).toEqual(["error"]);
    await fleet.end();
  });

  test("whose client lost its server, and is back, is told by a reset", async () => {
    const fleet = await started();
    const nc = fleet.server.connect();
    const [near, far] = await fleet.pair(nc);
    nc.disconnect();
    await fleet.clock.advance(10);
    expect(near.closes).toEqual([{ code: "error", message: "the connection to the NATS server was lost" }]);
    nc.reconnect();
    await fleet.clock.advance(1_500);
    expect(far.codes).toEqual(["error"]);
    const again = await fleet.pair(nc);
    await fleet.end(...again);
  });

  test("that does not read holds at most a window; the rest waits here, and arrives", async () => {
    const fleet = await started();
    const nc = fleet.server.connect();
    const [near, far] = await fleet.pair(nc);
    fleet.server.stopped.set(nc, []);
    for (let i = 0; i < 100; i++) far.socket.send(filled(200_000, i));
    await fleet.clock.advance(3_000);
    const held = fleet.server.stopped.get(nc)?.reduce((bytes, { data }) => bytes + data.byteLength, 0) ?? 0;
    expect(held).toBeGreaterThan(500_000);
    expect(held).toBeLessThanOrEqual(1_048_576);
    expect(far.socket.bufferedBytes).toBe(20_000_000);
    fleet.server.resume(nc);
    await fleet.clock.advance(100);
    expect(numbersOf(near)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([far.socket.bufferedBytes, near.codes, far.codes]).toEqual([0, [], []]);
    await fleet.end(near, far);
  });

  test("that does not read when this end closes is waited for, 5 s at most", async () => {
    const fleet = await started();
    const nc = fleet.server.connect();
    const [near, far] = await fleet.pair(nc);
    fleet.server.stopped.set(nc, []);
    for (let i = 0; i < 10; i++) far.socket.send(filled(200_000, i));
    const stopped = fleet.listener.stop();
    let isStopped = false;
    void stopped.then(() => (isStopped = true));
    await fleet.clock.advance(4_900);
    expect([isStopped, far.codes]).toEqual([false, ["local"]]);
    await fleet.clock.advance(500);
    expect(isStopped).toBe(true);
    fleet.server.resume(nc);
    await fleet.clock.advance(100);
    expect(near.codes).toEqual(["error"]);
    expect(numbersOf(near)).toEqual(near.frames.map((_, i) => i));
    await fleet.end();
  });
});

test("a client that is closed for good closes its sockets, and the runner hears of it", async () => {
  const fleet = await started();
  const [near, far] = await fleet.pair();
  fleet.listening.close();
  await fleet.clock.advance(1_500);
  expect([near.codes, far.codes]).toEqual([["error"], ["error"]]);
  expect(fleet.reports.map(({ message }) => message)).toEqual([
    "nats:jobs: the NATS connection is closed, and nothing listens",
  ]);
  await fleet.end();
});

test("a listener that reconnects takes dials again", async () => {
  const fleet = await started();
  const [near] = await fleet.pair();
  fleet.listening.disconnect();
  await fleet.clock.advance(2_000);
  expect(near.codes).toEqual(["error"]);
  fleet.listening.reconnect();
  const again = await fleet.pair();
  await fleet.end(...again);
});

test("what a receiver throws does not end the client's reading", async () => {
  const fleet = await started();
  const [near, far] = await fleet.pair();
  far.frame = () => {
    throw new Error("planted");
  };
  near.socket.send(filled(1, 1));
  await expect(fleet.clock.advance(20)).rejects.toThrow("planted");
  near.socket.send(filled(1, 2));
  await expect(fleet.clock.advance(20)).rejects.toThrow("planted");
  await fleet.end(near, far);
});
