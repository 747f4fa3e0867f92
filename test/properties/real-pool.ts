/** A real pool on a clock moved by hand, with a log of what its waiters learn. */
import { WorkerSelector } from "../../src/core/pool/worker-selector.ts";
import { TimeoutError } from "../../src/core/errors.ts";
import type { Leasing } from "../../src/core/pool/leases.ts";
import { type AcquireOptions, Workers } from "../../src/core/pool/workers.ts";
import { Scheduler } from "../../src/core/pool/scheduler.ts";
import type { Waiter } from "../../src/core/pool/waiter.ts";
import { HandClock } from "./hand-clock.ts";
import type { Mode, ModelWaiter } from "./pool-model.ts";
import type { Pooled } from "./pooled.ts";

/** What a holder holds: the worker itself, or an object made for the lease. */
export type Lease = Pooled | { readonly worker: Pooled };

/** Waits as a call of the runner: it learns of a grant in the same step. */
export class BareWaiter implements Waiter<Pooled> {
  readonly avoid: ReadonlySet<Pooled>;
  readonly selector: WorkerSelector | undefined;
  sequence = 0;
  list: object | undefined;
  previous: Waiter<Pooled> | undefined;
  next: Waiter<Pooled> | undefined;
  readonly take: (worker: Pooled) => void;
  readonly hasCandidates: (usable: boolean) => void;

  constructor(
    { avoid, require, excludedPrincipals, excludedOffers }: ModelWaiter,
    take: (worker: Pooled) => void,
    hasCandidates: (usable: boolean) => void,
  ) {
    this.avoid = avoid;
    this.selector =
      require.length + excludedPrincipals.length + excludedOffers.length === 0
        ? undefined
        : new WorkerSelector(require, new Set(excludedPrincipals), new Set(excludedOffers));
    this.take = take;
    this.hasCandidates = hasCandidates;
  }
}

function workerOf(lease: Lease): Pooled {
  return "worker" in lease ? lease.worker : lease;
}

function whyNot(error: unknown): string {
  return error instanceof TimeoutError ? "timed out" : String(error);
}

export class RealPool {
  readonly clock: HandClock = new HandClock();
  readonly workers: Workers<Pooled, Lease>;
  /** Every worker made, in the pool or not. */
  readonly made: Pooled[] = [];
  readonly logs: Record<ModelWaiter["kind"], string[]> = { acquire: [], context: [], bare: [] };
  readonly fleet: string[] = [];
  readonly bare: Map<number, BareWaiter> = new Map();
  /** What was granted, by waiter. */
  readonly leases: Map<number, Lease> = new Map();
  /** Ends the context of that waiter. */
  readonly ends: Map<number, (ok: boolean) => void> = new Map();
  /** The slots of leases that were given back, each freed by its function. */
  readonly returning: (() => void)[] = [];
  /** What a worker saw that was closed and should not have. */
  readonly faults: string[] = [];
  #groups: AbortController[] = [];
  #waiters = 0;

  constructor(mode: Mode, scansBeforeIndex: number) {
    const leasing: Leasing<Pooled, Lease> = {
      wrap: (worker) => ({ worker }),
      unwrap: (_, free) => this.returning.push(free),
    };
    const { clock } = this;
    const scheduler = new Scheduler<Pooled>({ clock, scansBeforeIndex });
    this.workers = new Workers<Pooled, Lease>({ clock }, { scheduler, ...(mode === "wrapped" ? { leasing } : {}) });
  }

  nextId(): number {
    return this.#waiters++;
  }

  /** A signal that several share. */
  group(n: number): AbortController {
    return (this.#groups[n] ??= new AbortController());
  }

  renew(n: number): void {
    this.#groups[n] = new AbortController();
  }

  acquire(id: number, options: AcquireOptions): void {
    this.workers.acquire(options).then(
      (lease) => {
        this.leases.set(id, lease);
        this.logs.acquire.push(`${id} got ${workerOf(lease).name}`);
      },
      (error: unknown) => this.logs.acquire.push(`${id} ${whyNot(error)}`),
    );
  }

  hold(id: number, options: AcquireOptions): void {
    let entered = false;
    const use = (lease: Lease): Promise<string> => {
      entered = true;
      this.leases.set(id, lease);
      this.logs.context.push(`${id} got ${workerOf(lease).name}`);
      return new Promise((resolve, reject) => {
        this.ends.set(id, (ok) => (ok ? resolve("done") : reject(new Error("done"))));
      });
    };
    this.workers.getContext(use, options).catch((error: unknown) => {
      if (!entered) this.logs.context.push(`${id} ${whyNot(error)}`);
    });
  }

  wait(model: ModelWaiter): void {
    const { id, declines } = model;
    const take = (worker: Pooled): void => {
      this.logs.bare.push(`${id} ${declines ? "declined" : "got"} ${worker.name}`);
      if (declines) this.workers.scheduler.free(worker);
    };
    const waiter = new BareWaiter(model, take, (usable) => this.fleet.push(`${id} ${usable}`));
    this.bare.set(id, waiter);
    this.workers.scheduler.wait(waiter);
  }
}
