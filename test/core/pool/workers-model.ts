/**
 * What a pool of workers is, in the most obvious way: an array of entries and an array of waiters, searched each time. Says
 * what each step grants and whom it turns away; workers.test.ts plays the same steps on the real pool and compares.
 */
import type { PooledWorker } from "../../../src/core/pool/workers.ts";

/** A worker that counts how often it was closed. */
export class Plain implements PooledWorker {
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

interface ModelSeat {
  readonly worker: Plain;
  standing: "ready" | "congested" | "suspect";
  leases: number;
  /** When it was last given, given back or changed: the smallest has waited longest. */
  since: number;
}

interface ModelWaiter {
  readonly id: number;
  readonly due: number;
}

export class PoolModel {
  seats: ModelSeat[] = [];
  waiters: ModelWaiter[] = [];
  /** What acquirers learn, in the order they learn it. */
  readonly log: string[] = [];
  /** The leases nobody has given back, the oldest first. */
  readonly leases: ModelSeat[] = [];
  readonly closes: Map<Plain, number> = new Map();
  now = 0;
  #steps = 0;

  add(worker: Plain): void {
    const present = this.seats.find((seat) => seat.worker.identity === worker.identity);
    if (present?.worker === worker) return;
    if (present !== undefined) this.delete(present.worker);
    this.seats.push({ worker, standing: "ready", leases: 0, since: this.#steps++ });
    this.#match();
  }

  delete(worker: Plain): boolean {
    if (!this.has(worker)) return false;
    this.seats = this.seats.filter((seat) => seat.worker !== worker);
    this.closes.set(worker, (this.closes.get(worker) ?? 0) + 1);
    return true;
  }

  has(worker: Plain): boolean {
    return this.seats.some((seat) => seat.worker === worker);
  }

  acquire(id: number, timeout: number): void {
    this.waiters.push({ id, due: this.now + timeout });
    this.#match();
  }

  abort(id: number): void {
    if (!this.waiters.some((waiter) => waiter.id === id)) return;
    this.waiters = this.waiters.filter((waiter) => waiter.id !== id);
    this.log.push(`${id} aborted`);
  }

  release(worker: Plain): void {
    const oldest = this.leases.findIndex((seat) => seat.worker === worker);
    if (oldest < 0) return;
    for (const seat of this.leases.splice(oldest, 1)) {
      seat.leases--;
      seat.since = this.#steps++;
    }
    this.#match();
  }

  setStanding(worker: Plain, standing: ModelSeat["standing"]): void {
    const seat = this.seats.find((candidate) => candidate.worker === worker);
    if (seat === undefined || seat.standing === standing) return;
    seat.standing = standing;
    seat.since = this.#steps++;
    this.#match();
  }

  advance(ms: number): void {
    this.now += ms;
    const late = this.waiters.filter((waiter) => waiter.due <= this.now).sort((a, b) => a.due - b.due || a.id - b.id);
    this.waiters = this.waiters.filter((waiter) => waiter.due > this.now);
    for (const waiter of late) this.log.push(`${waiter.id} timed out`);
  }

  /** The entries that could be given now. */
  get free(): ModelSeat[] {
    return this.seats.filter((seat) => seat.standing === "ready" && seat.leases < seat.worker.capacity);
  }

  get usable(): ModelSeat[] {
    return this.seats.filter((seat) => seat.standing !== "suspect");
  }

  #match(): void {
    for (;;) {
      const [seat] = this.free.sort((a, b) => a.leases - b.leases || a.since - b.since);
      const waiter = seat === undefined ? undefined : this.waiters.shift();
      if (seat === undefined || waiter === undefined) return;
      seat.leases++;
      seat.since = this.#steps++;
      this.leases.push(seat);
      this.log.push(`${waiter.id} got ${seat.worker.identity}`);
    }
  }
}
