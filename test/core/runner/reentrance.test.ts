/**
 * User code that comes back in: from every place where the core calls user code, everything that can be asked of a runner or
 * a worker is asked, in the middle of whatever the core is doing. Each call then still settles once, no timer is left, no
 * session that is gone can be reached, and the runner starts and serves again without spinning.
 */
import { describe, expect, it } from "vitest";
import type { SubmittedJob } from "../../../src/core/dispatch/call-context.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { Dialer, Listener } from "../../../src/core/transport/listener.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { RunnerOptions } from "../../../src/core/runner/runner-options.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { Workers } from "../../../src/core/pool/workers.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";

const HERE = { transport: "test", address: "here", principal: "local" };
/** More than any case needs. What spins looks at the clock all the time. */
const MOST_LOOKS = 50_000;

/** A clock that ends what spins: an error is thrown out of it. */
class Watchdog extends VirtualClock {
  #looks = 0;

  override now(): number {
    if (++this.#looks > MOST_LOOKS) throw new Error("this spins");
    return super.now();
  }
}

/** A listener and a dialer whose calls the test can be in the middle of. */
class Door implements Listener, Dialer {
  readonly address = "door";
  readonly #clock: VirtualClock;
  onStart: () => void = () => undefined;
  onStop: () => void = () => undefined;
  onDial: () => void = () => undefined;
  onDialAborted: () => void = () => undefined;
  running = 0;
  dialing = 0;
  readonly #waiting: Socket[] = [];
  #accept: ((socket: Socket) => void) | undefined;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async start(accept: (socket: Socket) => void): Promise<void> {
    this.#accept = accept;
    this.running++;
    this.onStart();
  }

  async stop(): Promise<void> {
    this.running = 0;
    this.#accept = undefined;
    this.onStop();
  }

  /** Is never answered: ends when it is aborted. */
  dial(signal: AbortSignal): Promise<Socket> {
    this.dialing++;
    this.onDial();
    return new Promise((_resolve, reject) => {
      const aborted = (): void => {
        this.dialing--;
        this.onDialAborted();
        reject(signal.reason);
      };
      if (signal.aborted) aborted();
      else signal.addEventListener("abort", aborted, { once: true });
    });
  }

  /** A connection that says HELLO. */
  connect(identity: string, instance: string): ScriptedPeer {
    const { peer, socket } = this.#dialled(identity, instance);
    this.accept(socket);
    return peer;
  }

  /** Connections whose HELLO waits to be read: it is, in the call that accepts them. */
  async keepWaiting(identity: string, instances: readonly string[]): Promise<void> {
    const waiting = instances.map((instance) => this.#dialled(identity, instance).socket);
    await this.#clock.settle();
    this.#waiting.push(...waiting);
  }

  /** Accepts one that waits. */
  acceptWaiting(): void {
    const socket = this.#waiting.shift();
    if (socket !== undefined) this.accept(socket);
  }

  #dialled(identity: string, instance: string): { readonly peer: ScriptedPeer; readonly socket: Socket } {
    const [socket, theirs] = socketPair({ clock: this.#clock, peers: [HERE, HERE], maxFrameBytes: 1_000_000 });
    const peer = new ScriptedPeer(theirs);
    peer.send(hello({ identity, instance }));
    return { peer, socket };
  }

  /** Hands a socket to whoever listens. */
  accept(socket: Socket): void {
    if (this.#accept === undefined) socket.close();
    else this.#accept(socket);
  }
}

/** Something that has to settle exactly once. */
interface Told {
  readonly what: string;
  times: number;
}

class World {
  readonly clock = new Watchdog();
  readonly random = new SeededRandom(9);
  readonly door = new Door(this.clock);
  readonly outgoing = new Door(this.clock);
  readonly runner: JobRunner;
  readonly aborter = new AbortController();
  readonly told: Told[] = [];
  readonly states: string[] = [];
  worker: Worker | undefined;
  handlerSignal: AbortSignal | undefined;
  /** What user code does when it is called next. Once. */
  act: (() => unknown) | undefined;
  acted = 0;

  constructor(options: RunnerOptions = {}) {
    const { clock, random, door } = this;
    this.runner = new JobRunner({ clock, random, listen: door, ...options });
    this.runner.on((event) => {
      if (event.type === "runner-state") this.states.push(event.state);
    });
  }

  /** User code. */
  readonly user = (): void => {
    const { act } = this;
    if (act === undefined) return;
    this.act = undefined;
    this.acted++;
    void act();
  };

  async start(): Promise<this> {
    this.promise("start", this.runner.start());
    await this.door.keepWaiting("a", ["other", "another"]);
    return this;
  }

  async peer(identity = "a", instance = "1"): Promise<ScriptedPeer> {
    const peer = this.door.connect(identity, instance);
    await this.clock.settle();
    return peer;
  }

  async ownWorker(): Promise<void> {
    const { clock, random, runner } = this;
    this.worker = new Worker({
      dial: runner,
      clock,
      random,
      identity: "own",
      capacity: 2,
      handler: (job, { signal, shuttingDown }) => {
        this.handlerSignal = signal;
        if (job.data === "user") this.user();
        if (job.data !== "listens") return job.data;
        return new Promise((resolve) => {
          signal.addEventListener("abort", this.user);
          signal.addEventListener("abort", () => resolve("late"));
          shuttingDown.addEventListener("abort", this.user);
        });
      },
    });
    void this.worker.start().catch(() => undefined);
    await this.clock.settle();
  }

  promise(what: string, promise: Promise<unknown>): void {
    const told = { what, times: 0 };
    this.told.push(told);
    const count = (): void => void told.times++;
    promise.then(count, count);
  }

  submit(data: string | Uint8Array, settled: (call: SubmittedJob) => void = this.user, options = {}): void {
    const told = { what: `submit ${String(data)}`, times: 0 };
    this.told.push(told);
    try {
      this.runner.submitter.submit(new Job(data), { attempts: 1, ...options }, (call) => {
        told.times++;
        settled(call);
      });
    } catch {
      told.times++;
    }
  }

  /** A map that has `running` jobs under way and pulls the next input inside whatever settles one. */
  map(running: number): void {
    let pulled = 0;
    const { user } = this;
    const inputs = (function* (): Generator<string> {
      for (; pulled < 40; pulled++) {
        if (pulled >= running) user();
        yield `m${pulled}`;
      }
    })();
    const read = async (): Promise<void> => {
      try {
        const options = { concurrency: running, window: 64, attempts: 1, acquireTimeout: 50 };
        for await (const _outcome of this.runner.map(inputs, options));
      } catch {
        // stopped
      }
    };
    this.promise("map", read());
  }

  /** Everything is over: what was asked for has been told once, and the runner can begin again. */
  async finish(): Promise<void> {
    const { clock, runner } = this;
    await clock.settle();
    this.#checkSessions();
    if (runner.state === "stopped") this.#checkStopped();
    await clock.advance(100);
    this.#checkSessions();
    void this.worker?.stop();
    this.promise("last stop", runner.stop());
    await clock.advance(1);
    this.#checkSessions();
    this.#checkStopped();
    expect(this.door.running, "listeners left").toBe(0);
    expect(this.outgoing.dialing, "dials left").toBe(0);
    expect(clock.pending, "timers left").toBe(0);
    expect(this.told.filter(({ times }) => times !== 1)).toEqual([]);
    this.act = undefined;
    await this.#beginAgain();
    expect(clock.pending, "timers left after another life").toBe(0);
  }

  /** What a runner that has stopped has let go of, there and then. */
  #checkStopped(): void {
    const { queued, running, backoff } = this.runner.stats();
    expect({ queued, running, backoff }, "jobs of a stopped runner").toEqual({ queued: 0, running: 0, backoff: 0 });
    expect(this.runner.workers.waiting, "who waits for a worker of a stopped runner").toBe(0);
    // A life is starting, started, perhaps draining, stopped; or it is stopped before.
    expect(this.states.join(" ")).toMatch(
      /^(?:(?:starting( started( draining)?)?|created|draining) ?|stopped ?)*stopped$/,
    );
    expect(this.states.join(" "), "stopped once a life").not.toMatch(/\b(\w+) \1\b/);
  }

  async #beginAgain(): Promise<void> {
    const { clock, runner } = this;
    void runner.start();
    await clock.settle();
    expect(runner.state).toBe("started");
    const fresh = new Worker({ dial: runner, clock, handler: (job) => `${String(job.data)}!`, random: this.random });
    void fresh.start().catch(() => undefined);
    await clock.settle();
    const results: unknown[] = [];
    for (let job = 0; job < 3; job++) {
      runner.execute("x", { deadline: 1_000 }).then(
        (value) => results.push(value),
        (error: unknown) => results.push(error),
      );
    }
    await clock.advance(20);
    expect(results).toEqual(["x!", "x!", "x!"]);
    void fresh.stop();
    void runner.stop();
    await clock.settle();
    const { workers, pending, queued, running, backoff } = runner.stats();
    expect([workers.length, pending, queued, running, backoff]).toEqual([0, 0, 0, 0, 0]);
  }

  #checkSessions(): void {
    const { runner } = this;
    const pooled = runner.workers.scheduler.matching(undefined);
    expect(pooled.map(({ state }) => state)).not.toContain("gone");
    const names = runner.stats().workers.map(({ identity }) => identity);
    expect(new Set(names).size, "one session an identity").toBe(names.length);
    for (const { identity } of pooled) expect(names).toContain(identity);
    if (runner.state === "stopped") expect(names, "sessions of a stopped runner").toEqual([]);
  }
}

type Act = (world: World) => unknown;

/** What user code may ask for, whenever it is called. */
const ACTS: Readonly<Record<string, Act>> = {
  "stops the runner": (w) => w.promise("stop", w.runner.stop()),
  "stops the runner twice": (w) => {
    w.promise("stop", w.runner.stop());
    w.promise("stop", w.runner.stop());
  },
  "starts the runner": (w) => w.promise("start", w.runner.start()),
  "restarts the runner": (w) => {
    w.promise("stop", w.runner.stop());
    w.promise("start", w.runner.start());
  },
  "drains the runner": (w) => w.promise("drain", w.runner.drain({ timeout: 20 })),
  "drains the runner of what waits": (w) => w.promise("drain", w.runner.drain({ timeout: 20, queued: "reject" })),
  "runs another job": (w) => w.promise("execute", w.runner.execute("more", { acquireTimeout: 10, deadline: 20 })),
  "hands in another job": (w) => w.submit("more", () => undefined, { acquireTimeout: 10, deadline: 20 }),
  "maps more": (w) => w.map(1),
  "deletes a worker": (w) => w.runner.workers.delete("a"),
  "deletes all workers": (w) => {
    for (const one of w.runner.workers.scheduler.matching(undefined)) w.runner.workers.delete(one);
  },
  "acquires a worker": (w) =>
    w.promise(
      "acquire",
      w.runner.workers.getContext((held) => held.execute("held", { deadline: 10 }), { timeout: 10 }),
    ),
  "aborts the jobs": (w) => w.aborter.abort(new Error("enough")),
  "lets in another worker of that name": (w) => w.door.acceptWaiting(),
  "lets in two of that name": (w) => {
    w.door.acceptWaiting();
    w.door.acceptWaiting();
  },
  "stops the worker": (w) => w.worker?.stop(),
  "drains the worker": (w) => w.worker?.drain(),
};

/** Where the core calls user code: sets a world up, and makes it happen. Resolves once it has. */
const PLACES: Readonly<Record<string, (act: (world: World) => void) => Promise<World>>> = {};

/** In the middle of how a job ends: the input of a map is pulled, and a callback is called. */
const ENDS: Readonly<Record<string, (world: World, peer: ScriptedPeer) => unknown>> = {
  "its worker is replaced": (w) => w.door.connect("a", "2"),
  "its worker comes back": (w) => w.door.connect("a", "1"),
  "its worker is lost": (_, peer) => peer.close(),
  "it is answered": (_, peer) => peer.answer("done"),
  "it is answered while its worker leaves": (_, peer) => {
    peer.send({ type: "REMOVE" });
    peer.answer("done");
  },
  "it fails": (_, peer) => {
    const error = { name: "Error", message: "failed", code: "", stack: "" };
    const { attemptId } = peer.last("JOB");
    peer.send({ type: "JOBERR", attemptId, error, retryable: false, retryAfter: 0 });
  },
  "its worker breaks the protocol": (_, peer) => peer.sendBytes(0xff, 0xff),
  "it takes too long": (w) => w.clock.advance(1_000),
  "its worker is deleted": (w) => w.runner.workers.delete("a"),
  "it is aborted": (w) => w.aborter.abort(new Error("enough")),
  "the runner stops": (w) => w.promise("stop", w.runner.stop()),
  "the runner drains of what waits": (w) => w.promise("drain", w.runner.drain({ timeout: 20, queued: "reject" })),
};

/** Those that end a map, which pulls no more then. */
const ENDS_OF_MAPS = ["it is aborted", "the runner stops", "the runner drains of what waits"];

const places = PLACES as Record<string, (act: (world: World) => void) => Promise<World>>;

for (const [end, make] of Object.entries(ENDS)) {
  places[`the end of a job, when ${end}`] = async (arm) => {
    const world = await new World({ timeout: 900 }).start();
    const peer = await world.peer();
    for (const name of ["one", "two", "three"]) world.submit(name, world.user, { signal: world.aborter.signal });
    await world.clock.settle();
    arm(world);
    await make(world, peer);
    await world.clock.settle();
    return world;
  };
  if (ENDS_OF_MAPS.includes(end)) continue;
  places[`the input of a map, when ${end}`] = async (arm) => {
    const world = await new World({ timeout: 900 }).start();
    const peer = await world.peer();
    // Some are with the worker, and some wait.
    world.map(3);
    await world.clock.settle();
    arm(world);
    await make(world, peer);
    await world.clock.settle();
    return world;
  };
}

places["the end of a job that cannot be handed over"] = async (arm) => {
  const world = await new World().start();
  const bytes = new Uint8Array(8);
  world.submit(bytes);
  world.submit("behind");
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  arm(world);
  await world.peer();
  return world;
};

places["the end of a job that waits in vain"] = async (arm) => {
  const world = await new World().start();
  world.submit("one", world.user, { acquireTimeout: 20 });
  world.submit("two", world.user, { acquireTimeout: 20 });
  arm(world);
  await world.clock.advance(30);
  return world;
};

places["the end of a job that fails at once"] = async (arm) => {
  const world = await new World().start();
  arm(world);
  world.submit("one", world.user, { failFast: true });
  world.submit("two", world.user, { failFast: true, verify: 2 });
  await world.clock.settle();
  return world;
};

places["an option of a job"] = async (arm) => {
  const world = await new World().start();
  await world.peer();
  arm(world);
  const { user } = world;
  const options = {
    attempts: 1,
    get deadline(): number {
      user();
      return 50;
    },
  };
  world.promise("execute", world.runner.execute("x", options));
  return world;
};

places["an option of acquire"] = async (arm) => {
  const world = await new World().start();
  arm(world);
  const { user } = world;
  const require = Object.defineProperty(["gpu"], 0, {
    get() {
      user();
      return "gpu";
    },
    enumerable: true,
  });
  world.promise("acquire", world.runner.workers.acquire({ timeout: 50, require }));
  return world;
};

places["the headers of a job"] = async (arm) => {
  const world = await new World().start();
  await world.peer();
  arm(world);
  const { user } = world;
  const headers = (function* (): Generator<readonly [string, string]> {
    user();
    yield ["a", "b"];
  })();
  world.promise("execute", world.runner.execute(new Job("x", headers), { deadline: 50 }));
  return world;
};

places["a listener of the runner's events"] = async (arm) => {
  const world = new World();
  world.runner.on(world.user);
  await world.start();
  arm(world);
  const peer = await world.peer();
  world.submit("one");
  await world.clock.settle();
  peer.close();
  await world.clock.settle();
  return world;
};

places["whoever watches the desk"] = async (arm) => {
  const world = await new World().start();
  await world.peer();
  Object.defineProperty(world.runner, "taken", { value: world.user });
  arm(world);
  world.submit("one", () => undefined, { deadline: 20 });
  await world.clock.settle();
  return world;
};

places["whoever holds a worker"] = async (arm) => {
  const world = await new World().start();
  await world.peer();
  arm(world);
  world.promise("getContext", world.runner.workers.getContext(world.user));
  await world.clock.settle();
  return world;
};

places["the start of a listener"] = async (arm) => {
  const world = new World();
  world.door.onStart = world.user;
  arm(world);
  return world.start();
};

places["the stop of a listener"] = async (arm) => {
  const world = await new World().start();
  await world.peer();
  world.submit("one");
  world.door.onStop = world.user;
  arm(world);
  world.promise("stop", world.runner.stop());
  await world.clock.settle();
  return world;
};

for (const moment of ["onDial", "onDialAborted"] as const) {
  places[`a dialer of the runner, ${moment}`] = async (arm) => {
    const world: World = new World({ dial: [0, 1].map(() => ({ dial: (signal) => world.outgoing.dial(signal) })) });
    world.outgoing[moment] = world.user;
    arm(world);
    await world.start();
    if (moment === "onDialAborted") world.promise("stop", world.runner.stop());
    await world.clock.settle();
    return world;
  };
  places[`a dialer of a worker, ${moment}`] = async (arm) => {
    const world = await new World().start();
    const { clock, random, outgoing } = world;
    outgoing[moment] = world.user;
    world.worker = new Worker({
      dial: { dial: (signal) => outgoing.dial(signal) },
      handler: () => "",
      clock,
      random,
    });
    arm(world);
    world.promise("worker start", world.worker.start());
    if (moment === "onDialAborted") void world.worker.stop();
    await clock.settle();
    return world;
  };
}

for (const moment of ["onStart", "onStop"] as const) {
  places[`the listener of a worker, ${moment}`] = async (arm) => {
    const world = await new World().start();
    const { clock, random } = world;
    const listen = new Door(clock);
    listen[moment] = world.user;
    world.worker = new Worker({ listen, handler: () => "", clock, random });
    arm(world);
    world.promise("worker start", world.worker.start());
    await clock.settle();
    void world.worker.stop();
    await clock.settle();
    expect(listen.running, "the listener of a worker that has stopped").toBe(0);
    return world;
  };
}

places["a handler"] = async (arm) => {
  const world = await new World().start();
  await world.ownWorker();
  arm(world);
  for (const data of ["user", "x", "user", "x"]) world.submit(data, () => undefined);
  await world.clock.settle();
  return world;
};

places["a handler whose job is called off"] = async (arm) => {
  const world = await new World().start();
  await world.ownWorker();
  for (const data of ["listens", "listens", "x"]) {
    world.submit(data, () => undefined, { signal: world.aborter.signal });
  }
  await world.clock.settle();
  arm(world);
  world.aborter.abort(new Error("enough"));
  await world.clock.advance(10);
  return world;
};

for (const how of ["drain", "stop"] as const) {
  places[`a handler whose worker leaves: ${how}`] = async (arm) => {
    const world = await new World().start();
    await world.ownWorker();
    for (const data of ["listens", "listens", "x"]) world.submit(data, () => undefined, { timeout: 20 });
    await world.clock.settle();
    arm(world);
    void world.worker?.[how]();
    await world.clock.advance(30);
    return world;
  };
}

places["a listener of a worker's events"] = async (arm) => {
  const world = await new World().start();
  await world.ownWorker();
  world.worker?.on(world.user);
  arm(world);
  world.submit("x", () => undefined);
  await world.clock.settle();
  return world;
};

describe.each(Object.entries(PLACES))("user code in %s", (_place, play) => {
  it.each(Object.entries(ACTS))("%s", async (_act, act) => {
    const world = await play((made) => {
      made.act = () => act(made);
    });
    expect(world.acted, "user code was called").toBe(1);
    await world.finish();
  });
});

describe("what is there before anybody looks", () => {
  it.each([
    ["too many new connections", { maxPending: 1 }, "stream"],
    ["transports that lose frames are not supported", {}, "lossy"],
  ] as const)("is a HELLO of a connection that is refused: %s", async (message, options, faults) => {
    const world = await new World(options).start();
    const events: unknown[] = [];
    world.runner.on((event) => events.push(event));
    const held = socketPair({ clock: world.clock, peers: [HERE, HERE], maxFrameBytes: 1_000_000 });
    const [silent] = socketPair({ clock: world.clock, peers: [HERE, HERE], maxFrameBytes: 1_000_000 });
    const peer = new ScriptedPeer(held[1]);
    peer.send(hello());
    await world.clock.settle();
    world.submit("waits", () => undefined, { deadline: 20 });
    if (faults === "stream") world.door.accept(silent);
    world.door.accept(Object.defineProperty(held[0], "faults", { value: faults }));
    await world.clock.settle();
    expect(peer.received.map(({ type }) => type)).toEqual(["ERROR"]);
    expect(events).toMatchObject([{ type: "worker-refused", message }]);
    await world.finish();
  });

  it("is the end of a socket that a worker opens: no timer is left", async () => {
    const clock = new Watchdog();
    const [ours, theirs] = socketPair({ clock, peers: [HERE, HERE], maxFrameBytes: 1_000_000 });
    theirs.close();
    await clock.settle();
    let accept: (socket: Socket) => void = () => undefined;
    const listen: Listener = {
      address: "door",
      start: async (take) => {
        accept = take;
      },
      stop: async () => undefined,
    };
    const worker = new Worker({ listen, handler: () => "", clock });
    await worker.start();
    accept(ours);
    await clock.settle();
    expect(clock.pending).toBe(0);
    await worker.stop();
  });
});

describe("a session that can take no job", () => {
  it("is taken out of the pool by the first job it does not take, which waits for another", async () => {
    const world = await new World().start();
    await world.peer();
    const [session] = world.runner.workers.scheduler.matching(undefined);
    Object.defineProperty(session?.attempts, "assign", { value: () => undefined });
    const results: unknown[] = [];
    world.promise(
      "execute",
      world.runner.execute("x", { deadline: 50 }).then((value) => results.push(value)),
    );
    expect(world.runner.workers.size).toBe(0);
    const other = await world.peer("b");
    other.answer("done");
    await world.clock.settle();
    expect(results).toEqual(["done"]);
    await world.finish();
  });
});

/** What can be pooled, and calls user code when it is closed. */
class Closing {
  readonly identity: string;
  closes = 0;
  readonly #onClose: () => void;

  constructor(identity: string, onClose: () => void = () => undefined) {
    this.identity = identity;
    this.#onClose = onClose;
  }

  close(): void {
    if (++this.closes === 1) this.#onClose();
  }
}

describe("user code in the close of a pooled worker", () => {
  const acts: Readonly<Record<string, (pool: Workers<Closing>, next: Closing) => unknown>> = {
    "adds the same again": (pool, next) => pool.add(next),
    "adds another of that name": (pool) => pool.add(new Closing("a")),
    "deletes the newcomer": (pool) => pool.delete("a"),
    "acquires and gives back": (pool) => pool.getContext(() => undefined, { timeout: 10 }).catch(() => undefined),
  };
  it.each(Object.entries(acts))("%s, as it is replaced or deleted", async (_name, act) => {
    const clock = new Watchdog();
    const pool = new Workers<Closing>({ clock });
    const next = new Closing("a");
    pool.add(new Closing("a", () => void act(pool, next)));
    const granted: Closing[] = [];
    const held = await pool.acquire();
    const waits = pool.acquire({ timeout: 100 }).then(
      (worker) => granted.push(worker),
      () => undefined,
    );
    pool.add(next);
    await clock.settle();
    pool.release(held);
    await clock.advance(200);
    await waits;
    for (const worker of granted) {
      expect(pool.has(worker) || worker.closes === 1, "granted only what is, or was, in the pool").toBe(true);
      pool.release(worker);
    }
    pool.delete("a");
    expect([pool.size, pool.waiting, pool.usable, clock.pending]).toEqual([0, 0, 0, 0]);
  });
});
