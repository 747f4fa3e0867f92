/** What can go wrong between real servers and real clients. The same on a server in memory: faults.test.ts. */
import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { JobRunner, type Socket, Worker } from "../../../src/index.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { realTime } from "../../../src/testing/conformance/test-time.ts";
import { dialNats, listenNats, type NatsListener } from "../../../src/transports/nats/index.ts";
import { encodePacket, PACKET } from "../../../src/transports/nats/packet.ts";
import { NatsServer } from "../../support/nats-program.ts";
import { connectTo, describeWithNats, describeWithNatsProgram, startCluster } from "../../support/nats-server.ts";
import { End, filled } from "./fake-fleet.ts";
import { TcpProxy } from "./tcp-proxy.ts";

const time = realTime({ stuckAfter: 30_000 });
const MAX_FRAME = 2 * 1_048_576;
const signal = new AbortController().signal;

/** A listener on one connection and pairs of ends with a dialer's on another. */
class Pairs {
  readonly listener: NatsListener;
  readonly accepted: Socket[] = [];

  constructor(nc: NatsConnection) {
    this.listener = listenNats(nc, { fleet: "jobs" });
  }

  start(): Promise<void> {
    return this.listener.start((socket) => void this.accepted.push(socket), {
      maxFrameBytes: MAX_FRAME,
      report: () => undefined,
    });
  }

  async pair(nc: NatsConnection, principal = "alice"): Promise<readonly [End, End]> {
    const dialler = dialNats(nc, { fleet: "jobs", principal });
    const near = new End(await dialler.dial(signal, { maxFrameBytes: MAX_FRAME }));
    const far = this.accepted.at(-1);
    if (far === undefined) throw new Error("nothing was accepted");
    return [near, new End(far)];
  }
}

function areClosed(...ends: readonly End[]): () => boolean {
  return () => ends.every(({ closes }) => closes.length === 1);
}

function expectPrefix(end: End): void {
  expect(end.frames.map((frame) => frame[0])).toEqual(end.frames.map((_, i) => i % 256));
}

/** Callers and workers under way while `trouble` happens: each call settles with its own answer. */
async function expectSettled(
  runnerNc: NatsConnection,
  workerNcs: readonly NatsConnection[],
  trouble: () => Promise<void>,
): Promise<number> {
  const runner = new JobRunner({
    listen: listenNats(runnerNc, { fleet: "jobs" }),
    attempts: 20,
    acquireTimeout: 20_000,
  });
  await runner.start();
  const workers = workerNcs.map(
    (nc, i) =>
      new Worker({
        dial: dialNats(nc, { fleet: "jobs", principal: `w${i}` }),
        capacity: 8,
        handler: ({ data }) => `${String(data)}!`,
        reconnectMin: 10,
        reconnectMax: 100,
        onWarning: false,
      }),
  );
  for (const worker of workers) await worker.start();
  const state = { isOver: false };
  let settled = 0;
  const caller = async (name: number): Promise<void> => {
    for (let i = 0; !state.isOver; i++) {
      expect(await runner.execute(`${name}/${i}`)).toBe(`${name}/${i}!`);
      settled++;
    }
  };
  const callers = Array.from({ length: 32 }, (_, i) => caller(i));
  await time.until(() => settled > 500);
  await trouble();
  const before = settled;
  await time.until(() => settled > before + 500);
  state.isOver = true;
  await Promise.all(callers);
  for (const worker of workers) await worker.stop();
  await runner.stop();
  return settled;
}

describeWithNats("one server", (server) => {
  test("one packet in 500 dropped: every socket delivers an exact prefix, and both ends close", async () => {
    await using listening = await connectTo(server());
    await using dialling = await connectTo(server());
    const random = new SeededRandom(5);
    const state = { isDropping: false };
    const publish = dialling.publish.bind(dialling);
    const lossy = Object.assign(Object.create(dialling) as NatsConnection, {
      publish: (...given: Parameters<typeof publish>) => {
        if (!state.isDropping || random.below(500) > 0) publish(...given);
      },
    });
    const pairs = new Pairs(listening);
    await pairs.start();
    const ends: (readonly [End, End])[] = [];
    for (let i = 0; i < 50; i++) ends.push(await pairs.pair(lossy, `w${i}`));
    state.isDropping = true;
    for (let round = 0; round < 256; round++) {
      for (const [near] of ends) near.socket.send(filled(50, round));
      if (round % 16 === 0) await dialling.flush();
    }
    await time.until(() => ends.every(([near, far]) => near.closes.length === 1 || far.frames.length === 256));
    state.isDropping = false;
    const cut = ends.filter(([near]) => near.closes.length > 0);
    await time.until(areClosed(...cut.flat()));
    expect(cut.length).toBeGreaterThan(5);
    for (const [, far] of ends) expectPrefix(far);
    await pairs.listener.stop();
    await time.until(areClosed(...ends.flat()));
  });

  test("a receiver that is stopped: 150 MiB wait at the sender, and arrive", async () => {
    await using proxy = await TcpProxy.to(server().address);
    await using listening = await connectTo(server());
    const dialling = await connectTo(server(), { servers: [proxy.address] });
    const pairs = new Pairs(listening);
    await pairs.start();
    const [near, far] = await pairs.pair(dialling);
    proxy.stopReaders();
    for (let i = 0; i < 100; i++) far.socket.send(filled(1_500_000, i));
    await time.pass(1_500);
    expect([near.closes, far.closes, near.frames.length < 100]).toEqual([[], [], true]);
    expect(far.socket.bufferedBytes).toBeGreaterThan(140_000_000);
    proxy.resumeReaders();
    await time.until(() => near.frames.length === 100 && far.socket.bufferedBytes === 0);
    expectPrefix(near);
    expect([near.closes, far.closes]).toEqual([[], []]);
    await pairs.listener.stop();
    await time.until(areClosed(near, far));
    await dialling.close();
  });

  test("a client that is gone is noticed by the server's word", async () => {
    await using listening = await connectTo(server());
    const pairs = new Pairs(listening);
    await pairs.start();
    const dialling = await connectTo(server());
    const [near, far] = await pairs.pair(dialling);
    await dialling.close();
    await time.until(areClosed(near, far));
    expect(far.closes[0]?.message).toContain("is gone");
    await pairs.listener.stop();
  });

  test("foreign packets close nothing of others", async () => {
    await using listening = await connectTo(server());
    await using dialling = await connectTo(server());
    await using strange = await connectTo(server());
    const seen: string[] = [];
    strange.subscribe("ph.jobs.>", { callback: (_error, { reply = "" }) => void seen.push(reply) });
    const pairs = new Pairs(listening);
    await pairs.start();
    await strange.flush();
    const [near, far] = await pairs.pair(dialling);
    near.socket.send(filled(1, 0));
    await time.until(() => seen.some((reply) => reply.startsWith("ph.jobs.in.")));
    const target = seen.find((reply) => reply.startsWith("ph.jobs.in.")) ?? "";
    strange.publish(target, new TextEncoder().encode("nonsense, which is longer than a head"));
    strange.publish(`${target}9`, encodePacket(PACKET.whole, 0, 0), { reply: "ph.jobs.out.alice.x.1" });
    strange.publish("ph.jobs.dial.alice", new Uint8Array(3), { reply: "elsewhere" });
    await strange.flush();
    near.socket.send(filled(1, 1));
    await time.until(() => far.frames.length === 2);
    expect([near.closes, far.closes, pairs.accepted.length]).toEqual([[], [], 1]);
    await pairs.listener.stop();
    await time.until(areClosed(near, far));
  });
});

describeWithNats(
  "accounts",
  (server) => {
    test("another account finds nothing", async () => {
      await using listening = await connectTo(server(), { user: "a", pass: "a" });
      await using dialling = await connectTo(server(), { user: "b", pass: "b" });
      const pairs = new Pairs(listening);
      await pairs.start();
      await expect(pairs.pair(dialling)).rejects.toThrow("nothing listens");
      expect(pairs.accepted).toEqual([]);
      await pairs.listener.stop();
    });
  },
  "accounts { A { users: [{ user: a, password: a }] }, B { users: [{ user: b, password: b }] } }",
);

describeWithNatsProgram("servers that are killed", (program) => {
  test("one server, killed and back on its port: sockets close, workers come again, every call settles", async () => {
    const first = await NatsServer.start(program);
    const runnerNc = await connectTo(first);
    const workerNcs = [await connectTo(first), await connectTo(first)];
    let second: NatsServer | undefined;
    const settled = await expectSettled(runnerNc, workerNcs, async () => {
      await first.kill();
      second = await NatsServer.start(program, "", { port: Number(first.address.split(":")[1]) });
    });
    expect(settled).toBeGreaterThan(1_000);
    for (const nc of [runnerNc, ...workerNcs]) await nc.close();
    await first[Symbol.asyncDispose]();
    await second?.[Symbol.asyncDispose]();
  });

  test("each server of a cluster in turn: every call settles", async () => {
    const servers = await startCluster(program);
    const [a, b, c] = servers;
    if (a === undefined || b === undefined || c === undefined) throw new Error("a cluster has three servers");
    const runnerNc = await connectTo([a, c]);
    const workerNcs = [await connectTo([b, c]), await connectTo([c, a])];
    await expectSettled(runnerNc, workerNcs, () => b.kill());
    await expectSettled(runnerNc, workerNcs, () => a.kill());
    for (const nc of [runnerNc, ...workerNcs]) await nc.close();
    for (const server of servers) await server[Symbol.asyncDispose]();
  });

  test("the route between two servers is cut, and both clients stay: both ends close, behind an exact prefix", async () => {
    await using a = await NatsServer.start(program, 'server_name: a\ncluster { name: two, listen: "127.0.0.1:-1" }');
    await using proxy = await TcpProxy.to(String(a.routes));
    await using b = await NatsServer.start(
      program,
      `server_name: b\ncluster { name: two, listen: "127.0.0.1:-1", no_advertise: true, routes: ["nats-route://${proxy.address}"] }`,
    );
    const listening = await connectTo(a, { ignoreClusterUpdates: true });
    const dialling = await connectTo(b, { ignoreClusterUpdates: true });
    const pairs = new Pairs(listening);
    await pairs.start();
    let ends: readonly [End, End] | undefined;
    for (let tries = 0; ends === undefined && tries < 100; tries++)
      ends = await pairs.pair(dialling).catch(() => undefined);
    if (ends === undefined) throw new Error("the servers have not found each other");
    const [near, far] = ends;
    let sent = 0;
    for (; sent < 100; sent++) near.socket.send(filled(1_000, sent));
    proxy.cut();
    while (near.socket.send(filled(1_000, sent % 256))) {
      sent++;
      await time.pass(1);
    }
    await time.until(areClosed(near, far));
    expect([near.closes[0]?.code, far.closes[0]?.code]).toEqual(["error", "error"]);
    expectPrefix(far);
    await pairs.listener.stop();
    await listening.close();
    await dialling.close();
  });
});
