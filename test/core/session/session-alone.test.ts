/** One session by itself: its keeper and the owner of its attempts are the test's, and write down what they are told. */
import { describe, expect, it } from "vitest";
import { TimerQueue } from "../../../src/core/time/timer-queue.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { Attempt, AttemptOwner } from "../../../src/core/session/attempt.ts";
import type { HelloMessage, Message } from "../../../src/core/protocol/message.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Peer } from "../../../src/core/peer.ts";
import { SendBudget } from "../../../src/core/health/send-budget.ts";
import { Session } from "../../../src/core/session/session.ts";
import type { SessionContext, SessionRules } from "../../../src/core/session/session-context.ts";
import type { CloseReason, FaultProfile, Receiver, Socket } from "../../../src/core/transport/socket.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";

const PEER: Peer = { transport: "test", address: "", principal: "me" };

/** Writes everything down, and welcomes whoever says HELLO. */
class Keeper implements SessionContext<Session>, AttemptOwner<Session> {
  readonly clock: VirtualClock;
  readonly timers: TimerQueue;
  readonly budget: SendBudget;
  readonly rules: SessionRules = {
    helloTimeout: 5_000,
    heartbeat: 1_000,
    cancelGrace: 500,
    maxStrikes: 100,
    maxFrameBytes: 1_000_000,
    highWater: 10_000,
    maxBuffered: 100_000,
    stallTimeout: 10_000,
    prefetch: 0,
  };
  readonly told: string[] = [];

  constructor(clock: VirtualClock) {
    this.clock = clock;
    this.timers = new TimerQueue(clock, false);
    this.budget = new SendBudget(clock, this.timers, Number.POSITIVE_INFINITY);
  }
  execute(): Promise<string> {
    return Promise.resolve("executed");
  }
  onHello(session: Session, message: HelloMessage): void {
    session.welcome(message, "r1", 1_000_000);
  }
  onAvailability(_session: Session, standing: string): void {
    this.told.push(standing);
  }
  onSuspected(_session: Session, suspect: boolean): void {
    this.told.push(suspect ? "suspected" : "recovered");
  }
  onTurns(_session: Session, areParked: boolean): void {
    this.told.push(areParked ? "parks" : "parks nothing");
  }
  onPrefetchLimit(): void {
    this.told.push("prefetches");
  }
  onParked(): void {
    this.told.push("parked");
  }
  onResized(): void {
    this.told.push("resized");
  }
  onFleetFailed(): void {
    this.told.push("failed behind");
  }
  onDraining(): void {
    this.told.push("draining");
  }
  onGone(_session: Session, reason: string, message: string): void {
    this.told.push(`gone: ${reason}, ${message}`);
  }
  onStrike(): void {
    this.told.push("strike");
  }
  stalled(): void {
    this.told.push("stalled");
  }
  onSucceeded(_attempt: Attempt<Session>, value: unknown): void {
    this.told.push(`succeeded: ${String(value)}`);
  }
  onFailed(): void {
    this.told.push("failed");
  }
  onRejected(): void {
    this.told.push("rejected");
  }
  onLost(): void {
    this.told.push("lost");
  }
  onNotSent(): void {
    this.told.push("not sent");
  }
  onStarted(): void {
    this.told.push("began");
  }
  onSlotFreed(): void {
    this.told.push("freed");
  }
}

/** A socket whose backlog is the test's to say. */
class Clogged implements Socket {
  readonly peer: Peer = PEER;
  faults: FaultProfile = "stream";
  waits = 0;
  looks = 0;
  taken = true;
  readonly #inner: Socket;

  constructor(inner: Socket) {
    this.#inner = inner;
  }
  get bufferedBytes(): number {
    this.looks++;
    return this.waits;
  }
  send(frame: Parameters<Socket["send"]>[0]): boolean {
    return this.taken && this.#inner.send(frame);
  }
  open(receiver: Receiver): void {
    this.#inner.open({
      frame: (bytes) => receiver.frame(bytes),
      closed: (reason: CloseReason) => receiver.closed(reason),
    });
  }
  close(): void {
    this.#inner.close();
  }
}

/** A session, its keeper and the worker's end; `join` says HELLO, `give` hands a job over. */
function alone() {
  const clock = new VirtualClock();
  const keeper = new Keeper(clock);
  const [ours, theirs] = socketPair({ clock, peers: [PEER, PEER], maxFrameBytes: 1_000_000 });
  const socket = new Clogged(ours);
  const session = new Session("s1", socket, keeper);
  const peer = new ScriptedPeer(theirs);
  session.open();
  const say = async (...messages: readonly Message[]): Promise<void> => {
    peer.send(...messages);
    await clock.settle();
  };
  const join = (over: Partial<HelloMessage> = {}): Promise<void> => say(hello(over));
  const give = async (data = "x"): Promise<Attempt<Session>> => {
    const attempt = session.attempts.assign(keeper, new Job(data), 1, 1, 1_000, clock.now());
    await clock.settle();
    if (attempt === undefined) throw new Error("not assigned");
    return attempt;
  };
  const end = async (): Promise<void> => {
    session.close();
    await clock.settle();
    expect(keeper.timers.size, "deadlines left").toBe(0);
    expect(clock.pending, "timers left").toBe(0);
  };
  return { clock, keeper, socket, session, peer, say, join, give, end };
}

describe("what a session knows of its worker", () => {
  it("is nothing before HELLO", async () => {
    const { session, end } = alone();
    const { identity, instance, capacity, labels, state, inFlight, served, peer } = session;
    expect({ identity, instance, capacity, labels, state, inFlight, served, peer }).toEqual({
      identity: "",
      instance: "",
      capacity: 1,
      labels: [],
      state: "connecting",
      inFlight: 0,
      served: 0,
      peer: PEER,
    });
    await end();
  });

  it("is what HELLO said", async () => {
    const { session, join, end } = alone();
    await join({ identity: "w", instance: "i7", capacity: 3, labels: ["gpu"] });
    const { identity, instance, capacity, labels } = session;
    expect({ identity, instance, capacity, labels }).toEqual({
      identity: "w",
      instance: "i7",
      capacity: 3,
      labels: ["gpu"],
    });
    await end();
  });

  it("has an age counted from its registration", async () => {
    const { clock, session, join, end } = alone();
    await clock.advance(700);
    await join();
    await clock.advance(300);
    expect(session.age).toBe(300);
    await end();
  });

  it("is busy while something is in flight, and counts what was answered", async () => {
    const { clock, session, peer, join, give, end } = alone();
    await join();
    expect(session.state).toBe("idle");
    await give();
    expect([session.state, session.inFlight, session.served]).toEqual(["busy", 1, 0]);
    peer.answer("y");
    await clock.settle();
    expect([session.state, session.inFlight, session.served]).toEqual(["idle", 0, 1]);
    await end();
  });
});

describe("a cancelled attempt", () => {
  it("is cancelled once, and not at all when it is over", async () => {
    const { clock, keeper, session, peer, say, join, give, end } = alone();
    await join({ capacity: 2 });
    const attempt = await give();
    session.attempts.cancel(attempt, "cancelled");
    session.attempts.cancel(attempt, "deadline");
    await say({ type: "CANCELLED", attemptId: attempt.id });
    session.attempts.cancel(attempt, "cancelled");
    const answered = await give();
    peer.answer("y");
    await clock.settle();
    session.attempts.cancel(answered, "cancelled");
    await clock.settle();
    expect(peer.all("CANCEL")).toMatchObject([{ attemptId: 1, reason: "cancelled" }]);
    expect(keeper.told).toEqual(["freed", "succeeded: y", "freed"]);
    await end();
  });

  it("was not served, and its confirmation counts once", async () => {
    const { keeper, session, peer, say, join, give, end } = alone();
    await join();
    const attempt = await give();
    session.attempts.cancel(attempt, "cancelled");
    await say({ type: "CANCELLED", attemptId: 1 }, { type: "CANCELLED", attemptId: 1 });
    expect(keeper.told).toEqual(["freed", "strike"]);
    expect(session.served).toBe(0);
    expect(peer.closed).toBeUndefined();
    await end();
  });

  it("ends the session when it is not confirmed, and is nobody's loss", async () => {
    const { clock, keeper, session, join, give } = alone();
    await join();
    session.attempts.cancel(await give(), "timeout");
    await clock.advance(499);
    expect(session.state).toBe("busy");
    await clock.advance(1);
    expect(session.state).toBe("gone");
    expect(keeper.told).toEqual(["gone: unresponsive, no answer to CANCEL in 500 ms", "freed"]);
    expect(clock.pending).toBe(0);
  });
});

describe("the end of a session", () => {
  it("names who closed it", async () => {
    const { keeper, session, join, end } = alone();
    await join();
    session.close();
    await end();
    expect(keeper.told).toEqual(["gone: deleted, closed by the runner"]);
  });

  it.each(["connecting", "gone"])("says nothing to a worker that is sent away while %s", async (state) => {
    const { clock, keeper, session, peer, join } = alone();
    if (state === "gone") {
      await join();
      session.close();
    }
    session.dismiss("stopping", 0);
    await clock.settle();
    expect(peer.all("GOAWAY")).toEqual([]);
    expect(keeper.told).toEqual([
      state === "gone" ? "gone: deleted, closed by the runner" : "gone: stopped, the runner stops",
    ]);
    expect(clock.pending).toBe(0);
  });

  it("comes at once for a worker that is sent away with nothing in flight", async () => {
    const { clock, keeper, session, peer, join } = alone();
    await join();
    session.dismiss("draining", 70);
    await clock.settle();
    expect(peer.received.map((message) => message.type)).toEqual(["WELCOME", "GOAWAY", "REMOVED"]);
    expect(peer.last("GOAWAY")).toMatchObject({ reason: "draining", retryAfter: 70 });
    expect(keeper.told).toEqual(["draining", "gone: removed, left"]);
  });

  it("is told of once, however often the worker asks to leave", async () => {
    const { clock, keeper, peer, say, join, give } = alone();
    await join();
    await give();
    await say({ type: "REMOVE" }, { type: "REMOVE" });
    peer.answer("y");
    await clock.settle();
    expect(keeper.told).toEqual(["draining", "succeeded: y", "freed", "gone: removed, left"]);
  });

  it.each([
    ["its own ERROR", { type: "ERROR", code: "PROTOCOL", text: "odd", retryAfter: 0 }, "closed", "odd"],
    ["a message out of place", hello(), "violation", "HELLO is not a worker's to send now"],
    ["a runner's message", { type: "REMOVED" }, "violation", "REMOVED is not a worker's to send"],
  ] as const)("has a reason: %s", async (_name, message, reason, text) => {
    const { keeper, say, join } = alone();
    await join();
    await say(message);
    expect(keeper.told).toEqual([expect.stringMatching(new RegExp(`^gone: ${reason}, .*${text}$`))]);
  });

  it("has a reason: no HELLO", async () => {
    const { clock, keeper, peer } = alone();
    await clock.advance(5_000);
    expect(keeper.told).toEqual(["gone: refused, no HELLO in 5000 ms"]);
    expect(peer.last("ERROR").code).toBe("UNRESPONSIVE");
  });
});

describe("a silent worker's PONGs", () => {
  it("are owed for each PING it was sent, and are strikes beyond that", async () => {
    const { clock, keeper, peer, say, join, end } = alone();
    await join();
    for (const nonce of [0, 1]) {
      await clock.advance(2_000);
      expect(peer.all("PING")).toHaveLength(nonce + 1);
      await say({ type: "PONG", nonce });
    }
    expect(keeper.told).toEqual([
      "suspected",
      "suspect",
      "recovered",
      "ready",
      "suspected",
      "suspect",
      "recovered",
      "ready",
    ]);
    await say({ type: "PONG", nonce: 2 });
    expect(keeper.told.at(-1)).toBe("strike");
    expect(peer.closed).toBeUndefined();
    await end();
  });
});

describe("a backlog", () => {
  it("takes a worker out of the pool in the same step, and lets it back in once it is read", async () => {
    const { clock, keeper, socket, session, join, end } = alone();
    await join({ capacity: 9 });
    socket.waits = 10_001;
    session.attempts.assign(keeper, new Job("x"), 1, 1, 1_000, clock.now());
    clock.endOfTurn(() => keeper.told.push("end of turn"));
    await clock.settle();
    expect(keeper.told.slice(0, 2)).toEqual(["congested", "end of turn"]);
    socket.waits = 10_000;
    await clock.advance(5);
    expect(keeper.told.at(-1)).toBe("ready");
    const { looks } = socket;
    await clock.advance(100);
    expect(socket.looks, "looks on when nothing waits").toBe(looks);
    await end();
  });

  it.each([9_999, 10_000])("of %i bytes is none", async (waits) => {
    const { clock, keeper, socket, join, give, end } = alone();
    await join();
    socket.waits = waits;
    await give();
    await clock.advance(100);
    expect(keeper.told).toEqual([]);
    await end();
  });

  it("is not looked at when the socket has refused the frame: it is about to close", async () => {
    const { keeper, socket, join, give, end } = alone();
    await join();
    socket.waits = 50_000;
    socket.taken = false;
    await give();
    expect(keeper.told).toEqual([]);
    await end();
  });

  it("of a suspect or a leaver is watched, and changes nothing of its standing", async () => {
    const { clock, keeper, socket, say, join, give, end } = alone();
    await join();
    await clock.advance(1_990);
    socket.waits = 50_000;
    await clock.advance(10); // a PING leaves
    expect(keeper.told).toEqual(["suspected", "suspect"]);
    await clock.advance(10);
    socket.waits = 0;
    await clock.advance(10);
    expect(keeper.told).toEqual(["suspected", "suspect"]);
    await say({ type: "PONG", nonce: 0 });
    await give();
    await say({ type: "REMOVE" });
    socket.waits = 50_000;
    await say({ type: "PING", nonce: 1 });
    await clock.advance(10);
    expect(keeper.told).toEqual(["suspected", "suspect", "recovered", "ready", "draining"]);
    await end();
  });

  it("outlasts a suspicion: a worker that speaks again but has not read stays out of the pool", async () => {
    const { clock, keeper, socket, say, join, end } = alone();
    await join();
    await clock.advance(1_990);
    socket.waits = 50_000;
    await clock.advance(20);
    await say({ type: "PONG", nonce: 0 });
    expect(keeper.told).toEqual(["suspected", "suspect", "recovered", "congested"]);
    await clock.advance(10);
    expect(keeper.told.slice(4).every((standing) => standing === "congested")).toBe(true);
    await end();
  });
});

describe("bytes that are not read", () => {
  const beat = async ({ clock, peer }: ReturnType<typeof alone>, ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) {
      await clock.advance(500);
      peer.send({ type: "PING", nonce: 0 });
    }
    await clock.settle();
  };

  it("end the session after the stall timeout, and at once when they are too many", async () => {
    for (const [waits, ms] of [
      [50_000, 10_500],
      [100_001, 500],
    ] as const) {
      const set = alone();
      await set.join({ capacity: 9 });
      set.socket.waits = waits;
      await set.give();
      await beat(set, ms);
      expect(set.keeper.told.at(-1)).toBe("freed");
      expect(set.keeper.told).toContain(`gone: slow, it does not read: ${waits} bytes wait`);
      await set.end();
    }
  });

  it("on a port hold back new work, and never end the session", async () => {
    const set = alone();
    set.socket.faults = "port";
    await set.join({ capacity: 9 });
    set.socket.waits = 1_000_000;
    await set.give();
    await beat(set, 60_000);
    expect(set.keeper.told).toEqual(["congested"]);
    set.socket.waits = 0;
    await set.clock.advance(5);
    expect(set.keeper.told).toEqual(["congested", "ready"]);
    await set.end();
  });

  it("of a worker that may be computing hold back new work, until its attempts are over", async () => {
    const set = alone();
    await set.join({ capacity: 9, blocking: true });
    set.socket.waits = 90_000;
    await set.give();
    await beat(set, 60_000);
    set.socket.waits = 100_001;
    await beat(set, 1_000);
    expect(set.keeper.told).toEqual(["congested"]);
    set.socket.waits = 90_000;
    set.peer.answer("done");
    await beat(set, 9_500);
    expect(set.keeper.told, "counted from the answer").toEqual(["congested", "succeeded: done", "freed"]);
    await beat(set, 1_000);
    expect(set.keeper.told.at(-1)).toBe("gone: slow, it does not read: 90000 bytes wait");
    await set.end();
  });

  it("while this process stood still are nobody's fault", async () => {
    const set = alone();
    await set.join({ capacity: 9 });
    set.socket.waits = 50_000;
    await set.give();
    await beat(set, 1_000);
    set.keeper.stalled = (): void => set.session.extend(set.clock.now());
    set.clock.jump(10_000);
    await beat(set, 8_500);
    expect(set.session.state).toBe("busy");
    await beat(set, 1_000);
    expect(set.keeper.told).toContain("gone: slow, it does not read: 50000 bytes wait");
    await set.end();
  });

  it("are looked at again as soon as the worker is heard", async () => {
    const set = alone();
    await set.join({ capacity: 9 });
    set.socket.waits = 50_000;
    await set.give();
    set.socket.waits = 0;
    await set.say({ type: "PING", nonce: 1 });
    expect(set.keeper.told).toEqual(["congested", "ready"]);
    await set.end();
  });
});

describe("a worker that leaves and falls silent", () => {
  it("is asked, goes on leaving, and is given up like any other", async () => {
    const { clock, keeper, session, peer, say, join, give } = alone();
    await join();
    await give();
    await say({ type: "REMOVE" });
    await clock.advance(2_000);
    expect([session.state, peer.all("PING").length]).toEqual(["draining", 1]);
    expect(keeper.told).toEqual(["draining"]);
    await clock.advance(1_000);
    expect(keeper.told).toEqual(["draining", "gone: silent, nothing heard for 3000 ms", "lost", "freed"]);
  });
});
