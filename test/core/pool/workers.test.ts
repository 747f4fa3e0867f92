import { describe, expect, it } from "vitest";
import { TimeoutError } from "../../../src/core/errors.ts";
import type { PooledWorker } from "../../../src/core/pool/scheduler.ts";
import { Workers } from "../../../src/core/pool/workers.ts";
import { watch, type Watched } from "../../support/stage.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

/** A worker that counts how often it was closed. */
class Plain implements PooledWorker {
  readonly identity: string;
  readonly capacity: number;
  closes = 0;

  constructor(identity: string, capacity = 1) {
    this.identity = identity;
    this.capacity = capacity;
  }

  close(): void {
    this.closes++;
  }
}

class Pool {
  readonly clock = new VirtualClock();
  readonly workers = new Workers<Plain>({ clock: this.clock });

  add(...workers: Plain[]): void {
    for (const worker of workers) this.workers.add(worker);
  }

  acquire(options?: Parameters<Workers<Plain>["acquire"]>[0]): Watched<Plain> {
    return watch(this.workers.acquire(options));
  }

  async take(): Promise<Plain | undefined> {
    const held = this.acquire();
    await this.clock.settle();
    return held.value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clock.settle();
    expect(this.workers.waiting, "waiters left").toBe(0);
    expect(this.clock.pending, "timers left").toBe(0);
  }
}

describe("a pool of plain objects", () => {
  it("hands out the longest idle first", async () => {
    await using pool = new Pool();
    const [a, b, c] = [new Plain("a"), new Plain("b"), new Plain("c")];
    pool.add(a, b, c);
    expect([await pool.take(), await pool.take(), await pool.take()]).toEqual([a, b, c]);
    pool.workers.release(b);
    pool.workers.release(a);
    expect([await pool.take(), await pool.take()]).toEqual([b, a]);
  });

  it("hands out the least loaded first, and never more than the capacity", async () => {
    await using pool = new Pool();
    pool.add(new Plain("a", 3), new Plain("b", 1), new Plain("c", 2));
    const given: (string | undefined)[] = [];
    for (let i = 0; i < 6; i++) given.push((await pool.take())?.identity);
    expect(given).toEqual(["a", "b", "c", "a", "c", "a"]);
    const seventh = pool.acquire({ timeout: 10 });
    await pool.clock.advance(10);
    expect(seventh.error).toBeInstanceOf(TimeoutError);
  });

  it("prefers an idle worker to one that has been waiting longer with a job", async () => {
    await using pool = new Pool();
    const busy = new Plain("busy", 2);
    pool.add(busy);
    await pool.take();
    const idle = new Plain("idle", 2);
    pool.add(idle);
    expect(await pool.take()).toBe(idle);
  });

  it("counts and finds its workers", () => {
    const pool = new Pool();
    const one = new Plain("one", 2);
    pool.add(one, new Plain("two"));
    expect(pool.workers.scheduler).toMatchObject({ size: 2, usable: 2, slots: 3, waiting: 0 });
    expect([pool.workers.has(one), pool.workers.has("one"), pool.workers.has("three")]).toEqual([true, true, false]);
    expect(pool.workers.has(new Plain("one")), "another object of that name").toBe(false);
    for (const name of ["__proto__", "constructor", "toString"]) expect(pool.workers.has(name)).toBe(false);
  });

  it("takes an object without a capacity for one slot", async () => {
    const workers = new Workers({ clock: new VirtualClock() });
    workers.add({ identity: "plain", close: () => undefined });
    expect(workers.scheduler.slots).toBe(1);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "refuses a capacity of %s and stays as it was",
    (capacity) => {
      const pool = new Pool();
      const present = new Plain("a");
      pool.add(present);
      expect(() => pool.add(new Plain("a", capacity))).toThrow(RangeError);
      expect(pool.workers.scheduler).toMatchObject({ size: 1, usable: 1, slots: 1 });
      expect([pool.workers.has(present), present.closes]).toEqual([true, 0]);
    },
  );

  it("adds the same worker once", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a, a);
    await pool.take();
    pool.add(a);
    expect(pool.workers.scheduler).toMatchObject({ size: 1, usable: 1, slots: 1 });
    const second = pool.acquire({ timeout: 5 });
    await pool.clock.advance(5);
    expect(second.state).toBe("failed");
  });

  it("replaces a worker by another of its identity and closes the old one", async () => {
    await using pool = new Pool();
    const [old, young] = [new Plain("a"), new Plain("a", 2)];
    pool.add(old, young);
    expect(pool.workers.scheduler).toMatchObject({ size: 1, usable: 1, slots: 2 });
    expect([old.closes, young.closes]).toEqual([1, 0]);
    expect(await pool.take()).toBe(young);
  });

  it("deletes by object or name, closes once, and says whether it did", () => {
    const pool = new Pool();
    const [a, b] = [new Plain("a"), new Plain("b")];
    pool.add(a, b);
    expect([pool.workers.delete(new Plain("a")), pool.workers.delete(a), pool.workers.delete(a)]).toEqual([
      false,
      true,
      false,
    ]);
    expect([pool.workers.delete("b"), pool.workers.delete("b")]).toEqual([true, false]);
    expect([a.closes, b.closes]).toEqual([1, 1]);
    expect(pool.workers.scheduler).toMatchObject({ size: 0, usable: 0, slots: 0 });
  });

  it("ignores the release of what it did not lease", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a);
    pool.workers.release(a);
    pool.workers.release(new Plain("a"));
    expect(await pool.take()).toBe(a);
    pool.workers.release(new Plain("a"));
    const waiting = pool.acquire({ timeout: 5 });
    await pool.clock.advance(5);
    expect(waiting.state).toBe("failed");
  });

  it("does not let the late release of a deleted worker free the slot of its next lease", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a);
    await pool.take();
    pool.workers.delete(a);
    pool.add(a);
    expect(await pool.take()).toBe(a);
    pool.workers.release(a);
    const third = pool.acquire({ timeout: 5 });
    await pool.clock.advance(5);
    expect(third.state, "a third holder of one slot").toBe("failed");
    pool.workers.release(a);
    expect(await pool.take()).toBe(a);
  });

  it("knows a lease from the moment it is granted", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a);
    const first = pool.acquire();
    pool.workers.delete(a);
    pool.add(a);
    const second = pool.acquire();
    await pool.clock.settle();
    expect([first.value, second.value]).toEqual([a, a]);
    pool.workers.release(a); // the first holder's: its slot went with the delete
    const third = pool.acquire({ timeout: 5 });
    await pool.clock.advance(5);
    expect(third.state).toBe("failed");
  });

  it("hands a suspect or congested worker to nobody, and counts only the suspect as absent", async () => {
    await using pool = new Pool();
    const a = new Plain("a", 2);
    pool.add(a);
    pool.workers.scheduler.setAvailability(a, "congested");
    expect(pool.workers.scheduler).toMatchObject({ size: 1, usable: 1, slots: 2 });
    const waiting = pool.acquire();
    pool.workers.scheduler.setAvailability(a, "suspect");
    expect(pool.workers.scheduler).toMatchObject({ size: 1, usable: 0, slots: 0 });
    await pool.clock.advance(100);
    expect(waiting.state).toBe("pending");
    pool.workers.scheduler.setAvailability(a, "ready");
    await pool.clock.settle();
    expect(waiting.value).toBe(a);
  });

  it("tells who waits when the first usable worker came and the last one went, and not in between", () => {
    const told: boolean[] = [];
    const workers = new Workers<Plain>({ clock: new VirtualClock() });
    const waiter = {
      sequence: 0,
      avoid: undefined,
      list: undefined,
      previous: undefined,
      next: undefined,
      take: (): void => workers.scheduler.wait(waiter), // and keeps what it has
      hasCandidates: (usable: boolean): void => void told.push(usable),
    };
    workers.scheduler.wait(waiter);
    const [a, b] = [new Plain("a"), new Plain("b")];
    workers.add(a);
    workers.add(b);
    workers.scheduler.setAvailability(a, "suspect");
    expect(told).toEqual([true]);
    workers.scheduler.setAvailability(b, "suspect");
    workers.scheduler.setAvailability(a, "ready");
    workers.delete(b);
    workers.delete(a);
    expect(told).toEqual([true, false, true, false]);
  });
});

describe("waiting for a worker", () => {
  it("gives up after five seconds, and says so", async () => {
    await using pool = new Pool();
    const waiting = pool.acquire();
    await pool.clock.advance(4_999);
    expect([waiting.state, pool.workers.waiting]).toEqual(["pending", 1]);
    await pool.clock.advance(1);
    expect(waiting.error).toBeInstanceOf(TimeoutError);
    expect(waiting.error).toMatchObject({ code: "TIMEOUT", kind: "acquire", ms: 5_000 });
    expect(String(waiting.error)).toBe("TimeoutError: Could not get a worker in 5000 ms (0 registered)");
  });

  it("waits for ever when asked to, without a timer", async () => {
    await using pool = new Pool();
    const waiting = pool.acquire({ timeout: Number.POSITIVE_INFINITY });
    expect(pool.clock.pending).toBe(0);
    await pool.clock.advance(1e9);
    pool.add(new Plain("a"));
    await pool.clock.settle();
    expect(waiting.state).toBe("ok");
  });

  it("refuses wrong options before it waits", async () => {
    await using pool = new Pool();
    for (const timeout of [0, -1, Number.NaN, 2 ** 31]) {
      await expect(pool.workers.acquire({ timeout })).rejects.toThrow(RangeError);
    }
    await expect(pool.workers.acquire(JSON.parse('{"timeOut": 5}') as object)).rejects.toThrow(
      "unknown option `timeOut`",
    );
    expect(pool.workers.waiting).toBe(0);
  });

  it("does not wait, and takes no worker, when its signal has aborted before", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a);
    await expect(pool.workers.acquire({ signal: AbortSignal.abort("no") })).rejects.toBe("no");
    expect(await pool.take()).toBe(a);
  });

  it("leaves the line when its signal aborts, with the signal's reason", async () => {
    await using pool = new Pool();
    const aborter = new AbortController();
    const [first, second] = [pool.acquire({ signal: aborter.signal }), pool.acquire()];
    aborter.abort("enough");
    expect(pool.workers.waiting, "in the same step").toBe(1);
    const a = new Plain("a");
    pool.add(a);
    await pool.clock.settle();
    expect([first.state, first.error, second.value]).toEqual(["failed", "enough", a]);
  });

  it("keeps what it was granted when its signal aborts in the same step", async () => {
    await using pool = new Pool();
    const aborter = new AbortController();
    const a = new Plain("a");
    const waiting = pool.acquire({ signal: aborter.signal });
    pool.add(a);
    aborter.abort("too late");
    await pool.clock.settle();
    expect(waiting.value).toBe(a);
    pool.workers.release(a);
    expect(await pool.take(), "the slot is not lost").toBe(a);
  });

  it("is not granted anything when its signal aborts first in the same step", async () => {
    await using pool = new Pool();
    const aborter = new AbortController();
    const a = new Plain("a");
    const waiting = pool.acquire({ signal: aborter.signal });
    aborter.abort("in time");
    pool.add(a);
    await pool.clock.settle();
    expect(waiting.error).toBe("in time");
    expect(await pool.take()).toBe(a);
  });

  it("can share a signal with any number of others", async () => {
    await using pool = new Pool();
    const aborter = new AbortController();
    const waiting = Array.from({ length: 40 }, () => pool.acquire({ signal: aborter.signal }));
    aborter.abort("all of you");
    await pool.clock.settle();
    expect(waiting.map((one) => one.error)).toEqual(waiting.map(() => "all of you"));
  });

  it("stops listening to its signal however the wait ends", async () => {
    await using pool = new Pool();
    const { signal } = new AbortController();
    let listeners = 0;
    signal.addEventListener = () => void listeners++;
    signal.removeEventListener = () => void listeners--;
    const waiting = [pool.acquire({ signal }), pool.acquire({ signal, timeout: 5 })];
    expect(listeners).toBe(1);
    pool.add(new Plain("a"));
    await pool.clock.advance(5);
    expect([waiting.map(({ state }) => state), listeners]).toEqual([["ok", "failed"], 0]);
  });

  it("gives a context back when it returns, throws or rejects", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a);
    const results = [
      watch(pool.workers.getContext((worker) => worker.identity)),
      watch(pool.workers.getContext(() => Promise.resolve(2))),
      watch(
        pool.workers.getContext(() => {
          throw new Error("thrown");
        }),
      ),
      watch(pool.workers.getContext(() => Promise.reject(new Error("rejected")))),
    ];
    await pool.clock.settle();
    expect(results.map(({ value, error }) => value ?? String(error))).toEqual([
      "a",
      2,
      "Error: thrown",
      "Error: rejected",
    ]);
    expect(await pool.take()).toBe(a);
  });

  it("does not run a context that got no worker", async () => {
    await using pool = new Pool();
    let ran = false;
    const context = watch(pool.workers.getContext(() => (ran = true), { timeout: 5 }));
    await pool.clock.advance(5);
    expect([context.state, ran]).toEqual(["failed", false]);
  });
});

describe("a pool that is misused", () => {
  it.each([null, 5, {}, { identity: "a" }, { identity: 5, close: () => undefined }])(
    "refuses %j as a worker",
    (worker) => {
      const workers = new Workers<Plain>();
      expect(() => workers.add(worker as never)).toThrow(TypeError);
      expect(workers.size).toBe(0);
    },
  );

  it("refuses options it does not know", () => {
    expect(() => new Workers({ clok: 1 } as never)).toThrow(/unknown option `clok`/);
  });
});

describe("a pool that is shut", () => {
  it("rejects everybody who waits in acquire, and nobody else", async () => {
    await using pool = new Pool();
    const taken: Plain[] = [];
    const waiting = [pool.acquire(), pool.acquire({ timeout: Number.POSITIVE_INFINITY })];
    pool.workers.scheduler.wait({
      sequence: 0,
      avoid: undefined,
      list: undefined,
      previous: undefined,
      next: undefined,
      take: (worker: Plain) => taken.push(worker),
    });
    const after = pool.acquire();
    pool.workers.scheduler.close("stopped");
    expect(pool.workers.waiting).toBe(1);
    await pool.clock.settle();
    expect([...waiting, after].map(({ error }) => error)).toEqual(["stopped", "stopped", "stopped"]);
    const a = new Plain("a");
    pool.add(a);
    expect(taken).toEqual([a]);
  });
});

describe("what went wrong in the first Powerhose", () => {
  it("a worker released after its deletion is not handed out again", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a);
    await pool.take();
    pool.workers.delete(a);
    pool.workers.release(a);
    const waiting = pool.acquire({ timeout: 5 });
    await pool.clock.advance(5);
    expect(waiting.state).toBe("failed");
  });

  it("the closed predecessor of a worker is not handed out, nor does its release or deletion touch the successor", async () => {
    await using pool = new Pool();
    const [old, young] = [new Plain("a"), new Plain("a")];
    pool.add(old);
    await pool.take();
    pool.add(young);
    pool.workers.release(old);
    expect(await pool.take()).toBe(young);
    pool.workers.release(old);
    expect(pool.workers.delete(old)).toBe(false);
    expect([pool.workers.has(young), young.closes, old.closes]).toEqual([true, 0, 1]);
    const waiting = pool.acquire({ timeout: 5 });
    await pool.clock.advance(5);
    expect(waiting.state, "the successor is still leased").toBe("failed");
  });

  it("a worker added while somebody waits is not lost", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    const waiting = pool.acquire();
    pool.add(a);
    expect(pool.workers.waiting, "granted in the same step").toBe(0);
    await pool.clock.settle();
    expect(waiting.value).toBe(a);
    pool.workers.release(a);
    expect(await pool.take()).toBe(a);
  });

  it("adding or releasing twice does not give one worker to two holders", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a, a);
    await pool.take();
    pool.workers.release(a);
    pool.workers.release(a);
    expect(await pool.take()).toBe(a);
    const second = pool.acquire({ timeout: 5 });
    await pool.clock.advance(5);
    expect(second.state).toBe("failed");
  });

  it("the timeout is one deadline for the whole wait, whatever comes and goes meanwhile", async () => {
    await using pool = new Pool();
    const waiting = pool.acquire({ timeout: 200 });
    const first = {
      sequence: 0,
      avoid: undefined,
      list: undefined,
      previous: undefined,
      next: undefined,
      take: (): void => undefined,
    };
    for (let i = 0; i < 19; i++) {
      await pool.clock.advance(10);
      pool.workers.scheduler.wait({ ...first, sequence: -1 - i }); // has waited before, and goes before
      pool.add(new Plain("short-lived"));
      pool.workers.delete("short-lived");
    }
    await pool.clock.advance(9);
    expect(waiting.state).toBe("pending");
    await pool.clock.advance(1);
    expect(waiting.error).toMatchObject({ kind: "acquire", ms: 200 });
  });

  it("deleting a worker that is held closes it once and leaves its holder's release harmless", async () => {
    await using pool = new Pool();
    const [a, b] = [new Plain("a"), new Plain("b")];
    pool.add(a);
    const held = await pool.take();
    expect(pool.workers.delete(a)).toBe(true);
    expect([held, a.closes, pool.workers.size]).toEqual([a, 1, 0]);
    pool.add(b);
    pool.workers.release(a);
    expect([await pool.take(), a.closes]).toEqual([b, 1]);
  });

  it("a context whose worker is deleted as it fails does not bring it back", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a);
    const failing = watch(
      pool.workers.getContext((worker) => {
        pool.workers.delete(worker);
        throw new Error("broken");
      }),
    );
    await pool.clock.settle();
    expect([String(failing.error), pool.workers.size, a.closes]).toEqual(["Error: broken", 0, 1]);
    const waiting = pool.acquire({ timeout: 5 });
    await pool.clock.advance(5);
    expect(waiting.state).toBe("failed");
  });

  it("a close() that comes back into the pool finds it consistent", async () => {
    await using pool = new Pool();
    const [old, between, young] = [new Plain("a"), new Plain("a"), new Plain("a")];
    const seen: unknown[] = [];
    old.close = () => {
      seen.push(pool.workers.size, pool.workers.delete(old), pool.workers.has(young));
      pool.add(between);
    };
    pool.add(old, young);
    expect(seen).toEqual([1, false, true]);
    expect(pool.workers.scheduler).toMatchObject({ size: 1, usable: 1, slots: 1 });
    expect(await pool.take()).toBe(between);
    expect(young.closes).toBe(1);
    const second = pool.acquire({ timeout: 5 });
    await pool.clock.advance(5);
    expect(second.state, "no ghost of the one between").toBe("failed");
  });

  it("a close() that throws costs neither the newcomer its place nor a waiter its worker", async () => {
    await using pool = new Pool();
    const [old, young] = [new Plain("a"), new Plain("a")];
    old.close = () => {
      throw new Error("cannot close");
    };
    pool.add(old);
    await pool.take();
    const waiting = pool.acquire();
    expect(() => pool.add(young)).toThrow("cannot close");
    await pool.clock.settle();
    expect([pool.workers.has(young), waiting.value]).toEqual([true, young]);
  });

  it("waiters are served in the order they came, and none waits longer than its timeout", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    const order: number[] = [];
    const waiting = Array.from({ length: 5 }, async (_, i) => {
      try {
        await pool.workers.acquire({ timeout: 100 });
        order.push(i);
      } catch {
        order.push(-i);
      }
    });
    pool.add(a);
    await pool.clock.settle();
    for (let i = 0; i < 2; i++) {
      pool.workers.release(a);
      await pool.clock.settle();
    }
    await pool.clock.advance(100);
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2, -3, -4]);
  });
});

describe("odd steps of a pool", () => {
  it("say what they do not understand", () => {
    const { workers } = new Pool();
    expect(() => new Workers({ clock: { now: () => 0 } as never })).toThrow(/^Workers: .*`clock`/);
    expect(() => workers.add(new Plain("a", 0))).toThrow(/^Workers.add: .*`capacity`/);
  });

  it("do not move a worker whose standing is what it was", async () => {
    await using pool = new Pool();
    const [a, b] = [new Plain("a"), new Plain("b")];
    pool.add(a, b);
    pool.workers.scheduler.setAvailability(a, "ready");
    expect(await pool.take()).toBe(a);
  });

  it("free no slot that was not taken", async () => {
    await using pool = new Pool();
    const a = new Plain("a");
    pool.add(a);
    pool.workers.scheduler.free(a);
    expect(await pool.take()).toBe(a);
    const second = pool.acquire({ timeout: 10 });
    await pool.clock.advance(10);
    expect(second.error).toBeInstanceOf(TimeoutError);
  });

  it("count what is leased", async () => {
    await using pool = new Pool();
    const a = new Plain("a", 3);
    pool.add(a);
    await pool.take();
    await pool.take();
    expect(pool.workers.leased).toBe(2);
    pool.workers.release(a);
    expect(pool.workers.leased).toBe(1);
  });

  it("withdraw whoever is there, without closing it", () => {
    const { workers } = new Pool();
    const a = new Plain("a");
    workers.scheduler.withdraw(a);
    workers.add(a);
    workers.scheduler.withdraw(a);
    expect([workers.size, workers.usable, a.closes]).toEqual([0, 0, 0]);
  });
});
