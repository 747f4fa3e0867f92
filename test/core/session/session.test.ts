import { describe, expect, it } from "vitest";
import { frameLimit } from "../../../src/core/protocol/codec.ts";
import type { ListenerContext } from "../../../src/core/transport/listener.ts";
import { PROTOCOL_VERSION } from "../../../src/core/protocol/message.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Peer } from "../../../src/core/peer.ts";
import { WorkerRegistration } from "../../../src/core/runner/registration.ts";
import type { Session } from "../../../src/core/session/session.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import { Workers } from "../../../src/core/pool/workers.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { type Stage, stage, watch } from "../../support/stage.ts";

/** A listener the test feeds by hand, so that it can say who the transport says the peer is. */
class Door {
  readonly address = "door";
  accept: (socket: Socket) => void = () => undefined;
  context: ListenerContext | undefined;
  starts = 0;
  readonly clock: VirtualClock;
  constructor(clock: VirtualClock) {
    this.clock = clock;
  }
  async start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    this.accept = accept;
    this.context = context;
    this.starts++;
  }
  async stop(): Promise<void> {}
  connect(principal: string): ScriptedPeer {
    const peer: Peer = { transport: "door", address: "somewhere", principal };
    const [ours, theirs] = socketPair({ clock: this.clock, peers: [peer, peer], maxFrameBytes: 1_000_000 });
    this.accept(ours);
    return new ScriptedPeer(theirs);
  }
}

/** A registration alone, with a pool of its own. */
async function alone(limits: { maxPending?: number; maxWorkers?: number } = {}) {
  const clock = new VirtualClock();
  const door = new Door(clock);
  const workers = new Workers<Session>({ clock });
  const registration = new WorkerRegistration({
    clock,
    random: new SeededRandom(1),
    workers,
    listen: door,
    ...limits,
  });
  await registration.start();
  const join = async (principal: string, over: Parameters<typeof hello>[0] = {}): Promise<ScriptedPeer> => {
    const peer = door.connect(principal);
    peer.send(hello(over));
    await clock.settle();
    return peer;
  };
  return { clock, door, workers, registration, join };
}

describe("registration alone, with a pool and a listener", () => {
  it("registers, runs jobs on the session, answers PING, and lets it leave", async () => {
    const { clock, workers, registration, join } = await alone();
    const peer = await join("me", { identity: "w", capacity: 2 });
    expect(peer.last("WELCOME")).toMatchObject({ version: PROTOCOL_VERSION, heartbeat: 5_000, maxPayload: 1_048_576 });
    expect(workers.has("w")).toBe(true);
    const session = await workers.acquire();
    const value = session.execute("job");
    await clock.settle();
    peer.answer("result");
    await clock.settle();
    expect(await value).toBe("result");
    workers.release(session);
    peer.send({ type: "PING", nonce: 7 });
    await clock.settle();
    expect(peer.last("PONG").nonce).toBe(7);
    peer.send({ type: "REMOVE" });
    await clock.settle();
    expect(peer.all("REMOVED")).toHaveLength(1);
    expect(peer.closed).toBeDefined();
    expect(workers.size).toBe(0);
    await registration.stop();
    expect(clock.pending).toBe(0);
  });

  it("runs as many at a time as the worker takes, and queues the rest", async () => {
    const { clock, workers, registration, join } = await alone();
    const peer = await join("me", { capacity: 2 });
    const session = await workers.acquire();
    const calls = ["a", "b", "c"].map((data) => session.execute(data));
    await clock.settle();
    expect(peer.jobs).toEqual(["a", "b"]);
    for (const job of peer.all("JOB")) peer.answer("", job);
    await clock.settle();
    expect(peer.jobs).toEqual(["a", "b", "c"]);
    peer.answer("");
    await clock.settle();
    await Promise.all(calls);
    await registration.stop();
    expect(clock.pending).toBe(0);
  });

  it("starts and stops twice", async () => {
    const { clock, registration, join } = await alone();
    await registration.start();
    await registration.stop();
    await registration.stop();
    expect(registration.started).toBe(false);
    await registration.start();
    const peer = await join("me");
    expect(peer.all("WELCOME")).toHaveLength(1);
    await registration.stop();
    await clock.settle();
    expect(peer.closed).toBeDefined();
  });
});

describe("who may have an identity", () => {
  it("is refused while another principal holds it", async () => {
    const { clock, workers, registration, join } = await alone();
    const holder = await join("alice", { identity: "w" });
    const thief = await join("mallory", { identity: "w" });
    expect(thief.last("ERROR").code).toBe("ID_TAKEN");
    expect(thief.closed).toBeDefined();
    expect(holder.closed).toBeUndefined();
    expect(workers.size).toBe(1);
    await registration.stop();
    expect(clock.pending).toBe(0);
  });

  it("goes to the newest of one principal, whose predecessor is out before the WELCOME", async () => {
    await using set = await stage();
    const old = await set.peer({ identity: "w", instance: "1" });
    const call = await set.execute("x", { attempts: 2 });
    const young = await set.peer({ identity: "w", instance: "2" });
    expect(old.last("ERROR").code).toBe("REPLACED");
    expect(set.events.map((event) => event.type).slice(-3)).toEqual(["worker-gone", "job-retried", "worker-joined"]);
    old.answer("from the old one");
    await set.clock.advance(100);
    expect(young.jobs).toEqual(["x"]);
    young.answer("from the new one");
    await set.clock.settle();
    expect(call.value).toBe("from the new one");
  });

  it("is refused to two workers that fight for it, with a time to come back", async () => {
    const { registration, join } = await alone();
    const peers: ScriptedPeer[] = [];
    for (let i = 0; i < 7; i++) peers.push(await join("me", { identity: "w", instance: String(i) }));
    expect(peers[5]?.all("WELCOME")).toHaveLength(1);
    expect(peers[6]?.last("ERROR")).toMatchObject({ code: "FLAPPING", retryAfter: 60_000 });
    expect(peers[5]?.closed).toBeUndefined();
    await registration.stop();
  });

  it("is not taken for two workers when one instance comes back again and again", async () => {
    await using set = await stage();
    for (let i = 0; i <= 60; i++) await set.peer({ identity: "w", instance: "same" });
    expect(set.of("worker-gone")).toHaveLength(60);
    expect(set.of("worker-refused")).toEqual([]);
    await set.peer({ identity: "w", instance: "same" });
    expect(set.of("worker-refused")).toHaveLength(1);
  });

  it("is nobody else's to remove", async () => {
    const { clock, workers, registration, join } = await alone();
    await join("me", { identity: "victim" });
    const other = await join("me", { identity: "other" });
    other.send({ type: "REMOVE" });
    await clock.settle();
    expect(workers.has("victim")).toBe(true);
    expect(workers.has("other")).toBe(false);
    await registration.stop();
  });
});

describe("the door", () => {
  it("waits five seconds for HELLO", async () => {
    await using set = await stage();
    const peer = await set.connection();
    await set.clock.advance(4_999);
    expect(peer.closed).toBeUndefined();
    await set.clock.advance(1);
    expect(peer.last("ERROR").code).toBe("UNRESPONSIVE"); // not fatal: a slow start is no reason to give up
    expect(peer.closed).toBeDefined();
    expect(set.runner.stats()).toMatchObject({ pending: 0, refused: 1 });
  });

  it("gives a newcomer its time when this process stood still", async () => {
    await using set = await stage();
    const peer = await set.connection();
    set.clock.jump(20_000);
    await set.clock.settle();
    peer.send(hello());
    await set.clock.settle();
    expect(peer.all("WELCOME")).toHaveLength(1);
  });

  it.each([
    ["another message first", { type: "PING", nonce: 1 } as const, "PROTOCOL"],
    ["another version", hello({ version: 2 }), "VERSION"],
  ])("refuses %s", async (_name, message, code) => {
    await using set = await stage();
    const peer = await set.connection();
    peer.send(message);
    await set.clock.settle();
    expect(peer.last("ERROR").code).toBe(code);
    expect(peer.closed).toBeDefined();
    expect(set.of("worker-refused")).toHaveLength(1);
    expect(set.runner.workers.size).toBe(0);
  });

  it("bounds the connections that have not said HELLO, and the workers", async () => {
    const { clock, door, workers, registration, join } = await alone({ maxPending: 3, maxWorkers: 2 });
    const waiting = [1, 2, 3, 4].map(() => door.connect("me"));
    await clock.settle();
    expect(waiting.map((peer) => peer.closed !== undefined)).toEqual([false, false, false, true]);
    expect(waiting[3]?.last("ERROR").code).toBe("BUSY");
    waiting[0]?.send(hello({ identity: "a" }));
    waiting[1]?.send(hello({ identity: "b" }));
    await clock.settle();
    const late = await join("me", { identity: "c" });
    expect(late.last("ERROR")).toMatchObject({ code: "BUSY" });
    expect(workers.size).toBe(2);
    await registration.stop();
    expect(clock.pending).toBe(0);
  });

  it("refuses a transport that loses frames", async () => {
    const { clock, door, registration } = await alone();
    const peer: Peer = { transport: "lossy", address: "", principal: "me" };
    const [ours, theirs] = socketPair({ clock, peers: [peer, peer], maxFrameBytes: 1_000 });
    const far = new ScriptedPeer(theirs);
    door.accept({
      peer,
      faults: "lossy",
      bufferedBytes: 0,
      send: (frame) => ours.send(frame),
      open: (receiver) => ours.open(receiver),
      close: () => ours.close(),
    });
    await clock.settle();
    expect(far.closed).toBeDefined();
    await registration.stop();
  });

  it.each([
    ["an empty frame", []],
    ["an unknown type", [0xee, 0, 0, 0, 0]],
    ["a truncated message", [0x03, 0, 0, 0, 4, 0]],
    ["a length beyond the frame", [0x03, 0xff, 0xff, 0xff, 0xff]],
  ])("survives %s, before and after HELLO", async (_name, bytes) => {
    await using set = await stage();
    const early = await set.connection();
    early.sendBytes(...bytes);
    const late = await set.peer({ identity: "late" });
    late.sendBytes(...bytes);
    await set.clock.settle();
    for (const peer of [early, late]) {
      expect(peer.last("ERROR").code).toBe("PROTOCOL");
      expect(peer.closed).toBeDefined();
    }
    const next = await set.peer({ identity: "next" });
    expect(next.all("WELCOME")).toHaveLength(1);
  });
});

describe("answers", () => {
  it("ends the session on an answer to an attempt that was never made", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const call = await set.execute("x", { attempts: 1 });
    peer.send({ type: "JOBRES", attemptId: 2, value: "forged" });
    await set.clock.settle();
    expect(peer.last("ERROR").code).toBe("PROTOCOL");
    expect(call.error).toMatchObject({ code: "WORKER_LOST" });
  });

  it("does not accept another session's answer", async () => {
    await using set = await stage();
    const honest = await set.peer({ identity: "honest" });
    const liar = await set.peer({ identity: "liar" });
    const call = await set.execute("x");
    const [busy, idle] = honest.jobs.length === 1 ? [honest, liar] : [liar, honest];
    idle.send({ type: "JOBRES", attemptId: busy.last("JOB").attemptId, value: "forged" });
    await set.clock.settle();
    expect(call.state).toBe("pending");
    expect(idle.closed).toBeDefined();
    busy.answer("real");
    await set.clock.settle();
    expect(call.value).toBe("real");
  });

  it("drops and counts late answers, and ends the session after a hundred", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const call = await set.execute("x");
    peer.answer("first");
    for (let i = 0; i < 100; i++) peer.answer("again");
    await set.clock.settle();
    expect(call.value).toBe("first");
    expect(peer.closed).toBeUndefined();
    expect(set.runner.stats().strikes).toBe(100);
    peer.answer("once more");
    await set.clock.settle();
    expect(peer.closed).toBeDefined();
  });

  it("takes CANCELLED for a job nobody cancelled as a violation", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const call = await set.execute("x", { attempts: 1 });
    peer.send({ type: "CANCELLED", attemptId: 1 });
    await set.clock.settle();
    expect(peer.last("ERROR").code).toBe("PROTOCOL");
    expect(call.error).toMatchObject({ code: "WORKER_LOST" });
  });

  it.each([
    hello(),
    { type: "WELCOME", version: 1, sessionId: "s", runnerId: "r", heartbeat: 1, maxPayload: 1, features: 0 } as const,
    { type: "REMOVED" } as const,
    { type: "GOAWAY", reason: "stopping", retryAfter: 0 } as const,
    { type: "CANCEL", attemptId: 1, reason: "cancelled" } as const,
  ])("takes $type from a registered worker as a violation", async (message) => {
    await using set = await stage();
    const peer = await set.peer();
    peer.send(message);
    await set.clock.settle();
    expect(peer.last("ERROR").code).toBe("PROTOCOL");
    expect(set.runner.workers.size).toBe(0);
  });
});

describe("silence", () => {
  const beats = async (set: Stage, peer: ScriptedPeer, ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 5_000) {
      await set.clock.advance(5_000);
      peer.send({ type: "PING", nonce: 0 });
      await set.clock.settle();
    }
  };

  it("keeps a worker that beats", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await beats(set, peer, 600_000);
    expect(set.of("worker-suspect")).toEqual([]);
    expect(peer.all("PONG").length).toBe(120);
  });

  it("asks after two intervals, gives no new work, and lets go after three", async () => {
    await using set = await stage();
    const peer = await set.peer();
    const call = await set.execute("has", { timeout: 60_000, attempts: 1 });
    await set.clock.advance(10_000);
    expect(peer.all("PING")).toHaveLength(1);
    expect(set.runner.stats().workers[0]?.state).toBe("suspect");
    peer.answer("done");
    await set.clock.settle();
    expect(call.value).toBe("done");
    expect(set.of("worker-recovered")).toHaveLength(1);
    await set.clock.advance(10_000);
    const waits = await set.execute("waits", { acquireTimeout: 20_000 });
    expect(peer.jobs).toEqual(["has"]);
    await set.clock.advance(4_999);
    expect(peer.closed).toBeUndefined();
    await set.clock.advance(1);
    expect(peer.last("ERROR").code).toBe("UNRESPONSIVE");
    expect(set.of("worker-gone")).toMatchObject([{ reason: "silent" }]);
    expect(waits.state).toBe("pending");
  });

  it("gives work again as soon as a suspect speaks", async () => {
    await using set = await stage();
    const peer = await set.peer();
    await set.clock.advance(10_000);
    await set.execute("waits");
    expect(peer.jobs).toEqual([]);
    peer.send({ type: "PONG", nonce: 0 });
    await set.clock.settle();
    expect(peer.jobs).toEqual(["waits"]);
  });

  it("judges a blocking worker by its attempts' timeouts while it has any", async () => {
    await using set = await stage();
    const peer = await set.peer({ blocking: true });
    const call = await set.execute("long", { timeout: 60_000 });
    await set.clock.advance(59_000);
    expect(peer.closed).toBeUndefined();
    peer.answer("done");
    await set.clock.settle();
    expect(call.value).toBe("done");
    await set.clock.advance(20_000);
    expect(set.of("worker-gone")).toMatchObject([{ reason: "silent" }]);
  });

  it("does not blame the workers for its own standing still", async () => {
    await using set = await stage();
    const peers = [await set.peer({ identity: "a" }), await set.peer({ identity: "b" })];
    await set.clock.advance(4_000);
    set.clock.jump(60_000);
    await set.clock.settle();
    expect(peers.map((peer) => peer.closed)).toEqual([undefined, undefined]);
    for (const peer of peers) peer.send({ type: "PING", nonce: 0 });
    await set.clock.advance(9_000);
    expect(peers.map((peer) => peer.closed)).toEqual([undefined, undefined]);
    await set.clock.advance(6_000);
    expect(set.of("worker-gone")).toHaveLength(2);
  });

  it("answers ten PINGs at once and then four an interval; more are strikes", async () => {
    await using set = await stage();
    const peer = await set.peer();
    for (let i = 0; i < 50; i++) peer.send({ type: "PING", nonce: i });
    await set.clock.settle();
    expect(peer.all("PONG")).toHaveLength(10);
    expect(set.runner.stats().strikes).toBe(40);
    await set.clock.advance(5_000);
    for (let i = 0; i < 80; i++) peer.send({ type: "PING", nonce: i });
    await set.clock.settle();
    expect(peer.closed).toBeDefined();
  });
});

describe("PONGs", () => {
  it("are strikes when nobody asked", async () => {
    await using set = await stage();
    const peer = await set.peer();
    for (let i = 0; i < 101; i++) peer.send({ type: "PONG", nonce: i });
    await set.clock.settle();
    expect(peer.last("ERROR").code).toBe("PROTOCOL");
  });
});

describe("a connection that closes before the job has left", () => {
  it("costs the job no attempt: it has not run", async () => {
    const door = new Door(new VirtualClock());
    await using set = await stage({ clock: door.clock, listen: door, attempts: 1 });
    Object.defineProperty(set, "clock", { value: door.clock });
    let cut = (): void => undefined;
    const peer: Peer = { transport: "door", address: "", principal: "local" };
    const [ours, theirs] = socketPair({ clock: door.clock, peers: [peer, peer], maxFrameBytes: 1_000_000 });
    door.accept({
      peer,
      faults: "stream",
      bufferedBytes: 0,
      send: (frame) => ours.send(frame),
      close: () => ours.close(),
      open: (receiver) => {
        cut = (): void => receiver.closed({ code: "error", message: "reset" });
        ours.open(receiver);
      },
    });
    const cutOff = new ScriptedPeer(theirs);
    cutOff.send(hello({ identity: "cut-off" }));
    await set.clock.settle();
    const watched = watch(set.runner.execute("x"));
    cut();
    const other = await set.peer({ identity: "other" });
    expect(cutOff.jobs).toEqual([]);
    expect(other.last("JOB").attempt).toBe(1);
    other.answer("ran");
    await set.clock.settle();
    expect(watched.value).toBe("ran");
    theirs.close();
    await set.clock.settle();
  });
});

describe("leaving", () => {
  it("lets a busy worker finish, gives it nothing new, and takes jobs that crossed elsewhere", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "leaver", capacity: 2 });
    const first = await set.execute("first");
    peer.send({ type: "REMOVE" });
    const crossing = set.execute("crossing", { attempts: 1 });
    const other = await set.peer({ identity: "other" });
    const call = await crossing;
    const crossed = peer.all("JOB").find((job) => job.job.data === "crossing");
    if (crossed !== undefined) peer.send({ type: "REJECT", attemptId: crossed.attemptId, reason: "draining" });
    await set.clock.settle();
    expect(other.jobs).toEqual(["crossing"]);
    expect(peer.all("REMOVED")).toHaveLength(0);
    peer.answer("done", peer.all("JOB")[0]);
    other.answer("done too");
    await set.clock.settle();
    expect([first.value, call.value]).toEqual(["done", "done too"]);
    expect(peer.all("REMOVED")).toHaveLength(1);
    expect(set.of("worker-gone")).toMatchObject([{ identity: "leaver", reason: "removed", inFlight: 0 }]);
  });

  it("takes the worker's own ERROR for its end", async () => {
    await using set = await stage();
    const peer = await set.peer();
    peer.send({ type: "ERROR", code: "PROTOCOL", text: "you are odd", retryAfter: 0 });
    await set.clock.settle();
    expect(set.of("worker-gone")).toMatchObject([{ message: expect.stringContaining("you are odd") }]);
  });
});

describe("a peer that does not read", () => {
  /** A socket whose far end takes nothing until told. */
  async function slow(set: Stage) {
    let waits = 0;
    const sent: Uint8Array[] = [];
    const [ours, theirs] = socketPair({
      clock: set.clock,
      peers: [
        { transport: "slow", address: "", principal: "local" },
        { transport: "slow", address: "", principal: "local" },
      ],
      maxFrameBytes: 100_000_000,
    });
    const socket: Socket = {
      peer: ours.peer,
      faults: "stream",
      get bufferedBytes() {
        return waits;
      },
      send: (frame) => {
        sent.push(frame);
        waits += frame.byteLength;
        return ours.send(frame);
      },
      open: (receiver) => ours.open(receiver),
      close: () => ours.close(),
    };
    const peer = new ScriptedPeer(theirs);
    return { socket, peer, read: (bytes: number) => void (waits = Math.max(0, waits - bytes)) };
  }

  it("gets no new work above the high-water mark, and again once it has read", async () => {
    const door = new Door(new VirtualClock());
    await using set = await stage({ clock: door.clock, listen: door, highWater: 1_000, maxBuffered: 1_000_000 });
    Object.defineProperty(set, "clock", { value: door.clock });
    const { socket, peer, read } = await slow(set);
    door.accept(socket);
    peer.send(hello({ capacity: 10 }));
    await set.clock.settle();
    await set.execute("x".repeat(2_000));
    await set.execute("y");
    expect(peer.jobs).toHaveLength(1);
    read(5_000);
    await set.clock.advance(10);
    expect(peer.jobs).toHaveLength(2);
  });

  it.each([
    ["over the hard limit, wherever the high-water mark is", { highWater: 25_000_000, maxBuffered: 8_000_000 }, 7, 0],
    ["without progress for ten seconds", { maxPayload: 1_000_000 }, 2, 10_100],
  ])("is given up %s", async (_name, limits, jobs, ms) => {
    const door = new Door(new VirtualClock());
    await using set = await stage({ clock: door.clock, listen: door, ...limits });
    Object.defineProperty(set, "clock", { value: door.clock });
    const { socket, peer } = await slow(set);
    door.accept(socket);
    peer.send(hello({ capacity: 30 }));
    await set.clock.settle();
    for (let job = 0; job < jobs; job++) await set.execute("x".repeat(1_000_000), { attempts: 1, timeout: 60_000 });
    expect(set.of("worker-gone")).toHaveLength(0);
    if (ms > 0) await set.clock.advance(ms);
    else for (let more = 0; more < 2; more++) await set.execute("x".repeat(1_000_000), { attempts: 1 });
    expect(set.of("worker-gone")).toMatchObject([{ reason: "slow" }]);
  });
});

describe("a registration's life", () => {
  it("is told: who comes, and what is wrong with its listeners", async () => {
    const { clock, door, registration, join } = await alone();
    const told: string[] = [];
    const stop = registration.on((event) => told.push(event.type));
    await registration.start();
    await join("me");
    door.context?.report(new Error("a client erred"));
    await clock.settle();
    stop();
    await registration.stop();
    await clock.settle();
    expect(told).toEqual(["worker-joined", "listener-error"]);
    expect(door.starts).toBe(1);
    expect(door.context?.maxFrameBytes).toBe(frameLimit(1_048_576));
  });

  it("ends with nobody let in any more", async () => {
    const { clock, door, registration } = await alone();
    await registration.stop();
    const late = door.connect("me");
    await clock.settle();
    expect(late.closed).toBeDefined();
    expect(registration.counts.refused).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("cannot begin without a pool, or with options that make no sense", () => {
    const listen = new Door(new VirtualClock());
    expect(() => new WorkerRegistration({ listen } as never)).toThrow("WorkerRegistration: `workers`");
    const workers = new Workers<Session>();
    expect(() => new WorkerRegistration({ listen, workers, maxPending: 0 })).toThrow(
      /^WorkerRegistration: .*`maxPending`/,
    );
    const clock = { now: () => 0 } as never;
    expect(() => new WorkerRegistration({ listen, workers, clock })).toThrow(/`clock`/);
  });

  it("runs a lost job once, as it has but the one worker for it", async () => {
    const { clock, workers, registration, join } = await alone();
    const peer = await join("me");
    const session = await workers.acquire();
    const call = watch(session.execute("x"));
    await clock.settle();
    peer.close();
    await clock.settle();
    expect(call.error).toMatchObject({ code: "WORKER_LOST" });
    await registration.stop();
    expect(clock.pending).toBe(0);
  });
});
