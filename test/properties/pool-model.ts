/**
 * What a pool of workers is, with everything the runner asks of it: arrays, searched each time. Says what each step grants
 * and whom it turns away; pool-commands.ts plays the same steps on the real pool and compares.
 */
import type { Pooled } from "./pooled.ts";

/** Whether the worker is its own lease, or each lease is an object and its slot comes back some time after it. */
export type Mode = "plain" | "wrapped";

export interface ModelSeat {
  readonly worker: Pooled;
  readonly capacity: number;
  standing: "ready" | "congested" | "suspect";
  leases: number;
  /** When it was last given, given back or changed: the smallest has waited longest. */
  since: number;
}

/** Who waits: in `acquire`, in `getContext`, or in `wait` as a call of the runner does. */
export interface ModelWaiter {
  readonly id: number;
  readonly kind: "acquire" | "context" | "bare";
  readonly due: number;
  readonly group: number;
  readonly avoid: ReadonlySet<Pooled>;
  /** What its worker has to have. */
  readonly require: readonly string[];
  /** Whom its worker must not belong to. */
  readonly except: readonly string[];
  /** Gives the slot back in the moment it is offered. */
  readonly declines: boolean;
}

export interface ModelLease {
  readonly id: number;
  readonly waiter: ModelWaiter;
  readonly seat: ModelSeat;
}

/** Whether a worker is one that somebody could use. */
export function fits({ require, except }: ModelWaiter, { labels, peer }: Pooled): boolean {
  return require.every((label) => labels.includes(label)) && !except.includes(peer.principal);
}

export class PoolModel {
  readonly mode: Mode;
  seats: ModelSeat[] = [];
  waiters: ModelWaiter[] = [];
  /** What acquirers, contexts and bare waiters learn, each in the order they learn it. */
  readonly logs: Record<ModelWaiter["kind"], string[]> = { acquire: [], context: [], bare: [] };
  /** Whether there was somebody to give work to, each time that changed for a bare waiter. */
  readonly fleet: string[] = [];
  /** The leases nobody has given back, the oldest first. */
  readonly leases: ModelLease[] = [];
  /** The slots that bare waiters hold. */
  readonly bare: ModelLease[] = [];
  /** The slots of leases that were given back and are not free yet. */
  readonly returning: ModelSeat[] = [];
  /** The contexts that run. */
  readonly contexts: ModelLease[] = [];
  readonly closes: Map<Pooled, number> = new Map();
  readonly aborted: Set<number> = new Set();
  shut = false;
  now = 0;
  #steps = 0;

  constructor(mode: Mode) {
    this.mode = mode;
  }

  admit(worker: Pooled, capacity: number): void {
    const present = this.seats.find((seat) => seat.worker.identity === worker.identity);
    if (present?.worker === worker) return;
    if (present !== undefined) this.#remove(present);
    this.#change(() => this.seats.push({ worker, capacity, standing: "ready", leases: 0, since: this.#steps++ }));
    if (present !== undefined) this.#close(present.worker);
    this.#serve();
  }

  delete(worker: Pooled): boolean {
    const withdrawn = this.withdraw(worker);
    if (withdrawn) this.#close(worker);
    return withdrawn;
  }

  withdraw(worker: Pooled): boolean {
    const seat = this.seatOf(worker);
    if (seat !== undefined) this.#remove(seat);
    return seat !== undefined;
  }

  seatOf(worker: Pooled): ModelSeat | undefined {
    return this.seats.find((seat) => seat.worker === worker);
  }

  wait(waiter: ModelWaiter): void {
    if (waiter.kind !== "bare" && this.aborted.has(waiter.group)) return this.#tell(waiter, "aborted");
    if (waiter.kind !== "bare" && this.shut) return this.#tell(waiter, "shut");
    this.waiters.push(waiter);
    this.waiters.sort((one, other) => one.id - other.id); // who comes back has his old number
    this.#serve();
  }

  leave(id: number): boolean {
    const before = this.waiters.length;
    this.waiters = this.waiters.filter((waiter) => waiter.id !== id);
    return this.waiters.length < before;
  }

  abort(group: number): void {
    this.aborted.add(group);
    this.#turnAway((waiter) => waiter.group === group, "aborted");
  }

  close(): void {
    this.shut = true;
    this.#turnAway(() => true, "shut");
  }

  advance(ms: number): void {
    this.now += ms;
    const late = this.waiters.filter((waiter) => waiter.due <= this.now).sort((a, b) => a.due - b.due || a.id - b.id);
    this.waiters = this.waiters.filter((waiter) => waiter.due > this.now);
    for (const waiter of late) this.#tell(waiter, "timed out");
  }

  /** Gives back the lease granted to that waiter; of plain workers the oldest of the same worker. */
  release(id: number, worker: Pooled): void {
    const at = this.leases.findIndex((lease) =>
      this.mode === "plain" ? lease.seat.worker === worker : lease.id === id,
    );
    if (at < 0) return;
    for (const { seat } of this.leases.splice(at, 1)) {
      if (this.mode === "plain") this.free(seat);
      else this.returning.push(seat);
    }
  }

  free(seat: ModelSeat): void {
    if (seat.leases === 0) return;
    seat.leases--;
    if (!this.seats.includes(seat)) return;
    seat.since = this.#steps++;
    this.#serve();
  }

  setStanding(worker: Pooled, standing: ModelSeat["standing"]): void {
    const seat = this.seatOf(worker);
    if (seat === undefined || seat.standing === standing) return;
    this.#change(() => (seat.standing = standing));
    seat.since = this.#steps++;
    this.#serve();
  }

  /** The seats that could be given now, in the order they would be. */
  get freeSeats(): ModelSeat[] {
    return this.seats
      .filter((seat) => seat.standing === "ready" && seat.leases < seat.capacity)
      .sort((a, b) => a.leases - b.leases || a.since - b.since);
  }

  get usable(): ModelSeat[] {
    return this.seats.filter((seat) => seat.standing !== "suspect");
  }

  #change(change: () => void): void {
    const bare = this.waiters.filter(({ kind }) => kind === "bare");
    const before = bare.map((waiter) => this.usable.some(({ worker }) => fits(waiter, worker)));
    change();
    for (const [n, waiter] of bare.entries()) {
      const after = this.usable.some(({ worker }) => fits(waiter, worker));
      if (before[n] !== after) this.fleet.push(`${waiter.id} ${after}`);
    }
  }

  #remove(seat: ModelSeat): void {
    this.#change(() => (this.seats = this.seats.filter((other) => other !== seat)));
  }

  #close(worker: Pooled): void {
    this.closes.set(worker, (this.closes.get(worker) ?? 0) + 1);
  }

  #turnAway(who: (waiter: ModelWaiter) => boolean, why: string): void {
    const away = this.waiters.filter((waiter) => waiter.kind !== "bare" && who(waiter));
    this.waiters = this.waiters.filter((waiter) => !away.includes(waiter));
    for (const waiter of away) this.#tell(waiter, why);
  }

  #tell(waiter: ModelWaiter, what: string): void {
    this.logs[waiter.kind].push(`${waiter.id} ${what}`);
  }

  #serve(): void {
    for (;;) {
      const waiter = this.waiters.find((one) => this.#seatFor(one) !== undefined);
      const seat = waiter === undefined ? undefined : this.#seatFor(waiter);
      if (waiter === undefined || seat === undefined) return;
      this.waiters = this.waiters.filter((other) => other !== waiter);
      this.#grant(waiter, seat);
    }
  }

  #seatFor(waiter: ModelWaiter): ModelSeat | undefined {
    const free = this.freeSeats.filter(({ worker }) => fits(waiter, worker));
    return free.find(({ worker }) => !waiter.avoid.has(worker)) ?? free[0];
  }

  #grant(waiter: ModelWaiter, seat: ModelSeat): void {
    const lease = { id: waiter.id, waiter, seat };
    seat.leases++;
    seat.since = this.#steps++;
    this.#tell(waiter, `${waiter.declines ? "declined" : "got"} ${seat.worker.name}`);
    if (waiter.declines) {
      seat.leases--;
      seat.since = this.#steps++;
    } else if (waiter.kind === "bare") this.bare.push(lease);
    else this.leases.push(lease);
    if (waiter.kind === "context") this.contexts.push(lease);
  }
}
