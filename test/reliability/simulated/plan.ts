/**
 * What is played in a simulated world: its knobs, who works in it, what is asked of it and what goes wrong, all as data. Drawn
 * from a seed for volume (`drawPlan`), or by fast-check where a failure has to shrink (plan-arbitrary.ts). How it is played
 * is in play.ts.
 */
import type { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import type { CrashKind } from "../../../src/testing/simulation/world.ts";

/** How a handler goes about a job, once its time has passed. */
export type Manner =
  | "ok" // returns, whatever its signal says
  | "polite" // gives up as soon as its signal aborts
  | "sync" // returns at once
  | "throw" // fails
  | "retryable" // fails, and asks to be tried again
  | "big" // returns more than may be sent
  | "waits" // ends only when its signal aborts
  | "deaf"; // takes ten times as long, and does not hear its signal

/** One `execute`. Times in ms. */
export interface CallPlan {
  readonly at: number;
  readonly takes: number;
  readonly manner: Manner;
  readonly abortAfter: number | undefined;
  readonly deadline: number | undefined;
  readonly queueTimeout: number | undefined;
  readonly attempts: number | undefined;
  readonly failFast: boolean;
  /** Whether its data is more than may be sent. */
  readonly huge: boolean;
  /** Labels its worker has to have. */
  readonly require: readonly string[];
  /**
   * By `execute`, by a leased worker, as one of a `map`, or as a `map` whose caller takes the bytes back once they are sent, and
   * gives up others as its input is pulled: in the middle of what the runner does.
   */
  readonly by: "execute" | "held" | "map" | "spoiled";
}

/** One worker. */
export interface WorkerPlan {
  readonly capacity: number;
  readonly blocking: boolean;
  readonly maxJobs: number | undefined;
  readonly maxAge: number | undefined;
  /** What it comes with. */
  readonly labels: readonly string[];
  /** If it is a relay: its fleet, and whether it stands for it at a second runner, too. */
  readonly fleet?: FleetPlan | undefined;
  /** Whether it goes by the name of the worker before it. */
  readonly duplicate: boolean;
}

/** The fleet behind a relay. */
export interface FleetPlan {
  readonly workers: readonly WorkerPlan[];
  /** Jobs that may wait at the relay. */
  readonly maxQueue: number;
  /** How long, in ms. */
  readonly queueTimeout: number;
}

/** What can go wrong, or be done to the fleet by hand. Their order decides what a seed draws. */
export const FAULT_KINDS = [
  "cut",
  "half-open-out",
  "half-open-in",
  "partition",
  "slow-worker",
  "slow-runner",
  "stall-worker",
  "stall-runner",
  "worker-clock",
  "runner-clock",
  "delete",
  "leave",
  "byzantine",
  "crash",
  "restart-runner",
] as const;

/** How jobs are prefetched, unless a kind of world says otherwise. */
const PREFETCHES: readonly ("auto" | number)[] = ["auto", "auto", 0, 1, 4, 32];

/** One such fault. */
export type FaultPlan = { readonly at: number; readonly worker: number; readonly lasts: number } & (
  | { readonly kind: Exclude<(typeof FAULT_KINDS)[number], "crash"> }
  | { readonly kind: "crash"; readonly how: CrashKind }
);

/** The runner's options. */
export interface RunnerPlan {
  readonly heartbeat: number;
  readonly cancelGrace: number;
  readonly helloTimeout: number;
  readonly stallTimeout: number;
  readonly maxWorkers: number;
  readonly timeout: number;
  readonly acquireTimeout: number;
  readonly retryOnTimeout: boolean;
  readonly attempts: number;
  readonly maxLost: number;
  readonly maxQueue: number;
  readonly maxQueueBytes: number;
  readonly highWater: number;
  readonly prefetch: "auto" | number;
}

/** A whole world. Times in ms, sizes in bytes. */
export interface Plan {
  readonly runner: RunnerPlan;
  readonly reconnectMax: number;
  readonly latency: readonly [number, number];
  readonly payload: number;
  readonly workers: readonly WorkerPlan[];
  readonly calls: readonly CallPlan[];
  readonly faults: readonly FaultPlan[];
  /** When the faults are over. */
  readonly calmAt: number;
  /** Workers that stay out of reach after that. */
  readonly lostForGood: number;
  /** Whether the relays face a second runner, which some of the calls go to. */
  readonly hasSecondRunner?: boolean | undefined;
  /** How it ends: by `stop`, or by `drain` with jobs on their way. */
  readonly ending: "stop" | "drain" | "drain-reject";
}

const MANNERS: readonly Manner[] = [
  "ok",
  "ok",
  "ok",
  "ok",
  "polite",
  "polite",
  "sync",
  "throw",
  "retryable",
  "waits",
  "deaf",
  "big",
];
const CRASHES: readonly CrashKind[] = ["fin", "rst", "silent"];

/** How much of everything. */
export interface PlanSize {
  /** Jobs. */
  readonly jobs: number;
  /** Workers at most. */
  readonly workers: number;
  /** Virtual ms in which jobs come and faults happen. */
  readonly length: number;
  /** Only these faults, and many of them: for bugs that need one of a kind at the right moment. */
  readonly focus?: readonly FaultPlan["kind"][];
  /** How jobs may be prefetched; default as often by measure as not. */
  readonly prefetch?: readonly ("auto" | number)[];
  /** Whether most workers are relays, some behind another, and some of two runners. */
  readonly relays?: boolean;
  /** Whether some callers take back what they have given: see `by` of a call. */
  readonly spoils?: boolean;
  /** Whether jobs are large, workers take many, and little of them may wait: for what becomes of those who read slowly. */
  readonly heavy?: boolean;
}

/** Draws a world. Each seed uses some features only: a bug that one of them hides is found where that one is off. */
export class PlanDraw {
  readonly #chance: SeededRandom;
  readonly #size: PlanSize;
  /** How long things take in this world: the other times are drawn around it. */
  readonly #pace: number;
  /** What workers of this world may come with, and jobs ask for; mostly nothing. */
  readonly #labels: readonly string[];

  constructor(chance: SeededRandom, size: PlanSize) {
    this.#chance = chance;
    this.#size = size;
    this.#pace = 5 * 10 ** (chance.random() * 2); // 5 to 500
    this.#labels = chance.pick([[], [], ["gpu"], ["cuda", "gpu"]]);
  }

  draw(): Plan {
    const chance = this.#chance;
    const manners = this.#some(MANNERS, "ok");
    const { focus } = this.#size;
    const kinds = focus ?? (chance.below(5) === 0 ? [] : this.#some<FaultPlan["kind"]>(FAULT_KINDS, "cut"));
    const { jobs, length } = this.#size;
    const workers = 1 + chance.below(this.#size.workers);
    const faults = kinds.length === 0 ? 0 : 1 + chance.below(focus === undefined ? 25 : 60);
    const latency = this.#latency();
    const drawn = {
      runner: this.#runner(latency[1], workers),
      reconnectMax: Math.max(20, this.#pace * chance.pick([1, 5, 30])),
      latency,
      payload: this.#size.heavy === true ? chance.pick([2_000, 2_500]) : chance.pick([0, 0, 100, 2_000]),
      workers: Array.from({ length: workers }, (_, index) => this.#worker(index)),
      ...(this.#size.relays === true ? { hasSecondRunner: chance.below(3) === 0 } : {}),
      calls: Array.from({ length: jobs }, () => this.#call(manners)),
      faults: Array.from({ length: faults }, () => this.#fault(kinds)),
      calmAt: length,
      lostForGood: workers > 1 && chance.below(4) === 0 ? 1 : 0,
      ending: chance.pick<Plan["ending"]>(["stop", "stop", "drain", "drain-reject"]),
    };
    // Drawn last, so that all else of a seed is as it was before there was such a limit.
    const maxQueueBytes = chance.pick([500, 20_000, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    return { ...drawn, runner: { ...drawn.runner, maxQueueBytes } };
  }

  #runner(latency: number, workers: number): Omit<RunnerPlan, "maxQueueBytes"> {
    const chance = this.#chance;
    const pace = this.#pace;
    return {
      // Shorter than the way to the other end and back, no session would ever live.
      heartbeat: Math.max(2 * latency, pace * chance.pick([1, 3, 10, 50])) + 2,
      helloTimeout: 4 * latency + 2 * pace,
      stallTimeout: pace * chance.pick(this.#size.heavy === true ? [1, 3] : [1, 10, 100]) + 100,
      maxWorkers: workers > 1 && chance.below(15) === 0 ? workers - 1 : 10_000,
      cancelGrace: pace * chance.pick([0.2, 1, 5]),
      timeout: pace * chance.pick([0.5, 1, 2, 5, 20]),
      acquireTimeout: pace * chance.pick([1, 10, 100]),
      retryOnTimeout: chance.below(4) > 0,
      attempts: 1 + chance.below(5),
      maxLost: 1 + chance.below(3),
      maxQueue: chance.pick([2, 20, 100_000]),
      highWater: chance.pick(this.#size.heavy === true ? [200, 5_000] : [200, 5_000, 1_048_576]),
      prefetch: chance.pick(this.#size.prefetch ?? PREFETCHES),
    };
  }

  #latency(): readonly [number, number] {
    return this.#chance.pick<readonly [number, number]>([
      [0, 0],
      [1, 2],
      [0, this.#pace],
      [this.#pace / 4, this.#pace / 2],
    ]);
  }

  /** A random choice of kinds, never none. */
  #some<T>(all: readonly T[], atLeast: T): readonly T[] {
    const share = this.#chance.pick([0.2, 0.5, 1]);
    const chosen = all.filter(() => this.#chance.random() < share);
    return chosen.length > 0 ? chosen : [atLeast];
  }

  #maybe(oneIn: number, draw: () => number): number | undefined {
    return this.#chance.below(oneIn) === 0 ? draw() : undefined;
  }

  #about(ms: number): number {
    return ms * this.#chance.random() * 2 + 0.5;
  }

  #worker(index: number): WorkerPlan {
    const chance = this.#chance;
    return {
      capacity: this.#size.heavy === true ? 4 + chance.below(5) : 1 + chance.below(chance.pick([1, 3, 8])),
      blocking: chance.below(2) === 0,
      maxJobs: this.#maybe(5, () => 1 + chance.below(20)),
      maxAge: this.#maybe(5, () => 20 * this.#about(this.#pace)),
      labels: this.#labels.filter(() => chance.below(2) === 0),
      duplicate: index > 0 && chance.below(10) === 0,
      // A relay that retires before its fleet has joined would hardly ever be there.
      ...(this.#size.relays === true && chance.below(5) > 0 ? { maxAge: undefined, fleet: this.#fleet(1) } : {}),
    };
  }

  /** Two relays deep at most. */
  #fleet(depth: number): FleetPlan {
    const chance = this.#chance;
    const workers = Array.from({ length: 1 + chance.below(3) }, () => {
      const isRelay = depth < 2 && chance.below(3) === 0;
      const { maxJobs, maxAge, ...worker } = this.#leaf();
      return isRelay
        ? { ...worker, maxJobs: undefined, maxAge: undefined, fleet: this.#fleet(depth + 1) }
        : { ...worker, maxJobs, maxAge };
    });
    return {
      workers,
      maxQueue: chance.pick([1, 100_000, 100_000]),
      queueTimeout: chance.pick([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 3 * this.#pace]),
    };
  }

  #leaf(): WorkerPlan {
    const chance = this.#chance;
    return {
      capacity: 1 + chance.below(2),
      blocking: chance.below(2) === 0,
      maxJobs: this.#maybe(8, () => 1 + chance.below(20)),
      maxAge: this.#maybe(8, () => 20 * this.#about(this.#pace)),
      labels: this.#labels.filter(() => chance.below(2) === 0),
      duplicate: false,
    };
  }

  #call(manners: readonly Manner[]): CallPlan {
    const chance = this.#chance;
    return {
      at: chance.random() * this.#size.length,
      takes: chance.below(20) === 0 ? this.#about(10 * this.#pace) : this.#about(this.#pace),
      manner: chance.pick(manners),
      abortAfter: this.#maybe(6, () => this.#about(this.#pace)),
      deadline: this.#maybe(5, () => this.#about(6 * this.#pace)),
      queueTimeout: this.#maybe(6, () => this.#about(5 * this.#pace)),
      attempts: this.#maybe(5, () => 1 + chance.below(3)),
      failFast: chance.below(30) === 0,
      huge: chance.below(60) === 0,
      require: this.#labels.filter(() => chance.below(3) === 0),
      by:
        this.#size.spoils === true && chance.below(2) === 0
          ? "spoiled"
          : chance.pick(["execute", "execute", "execute", "execute", "execute", "execute", "held", "map"]),
    };
  }

  #fault(kinds: readonly FaultPlan["kind"][]): FaultPlan {
    const chance = this.#chance;
    const kind = chance.pick(kinds);
    const at = chance.random() * this.#size.length;
    const fault = {
      at,
      // Behind relays there are more.
      worker: chance.below(this.#size.relays === true ? 12 : this.#size.workers),
      lasts: this.#about(chance.pick([1, 10]) * this.#pace),
    };
    return kind === "crash" ? { ...fault, kind, how: chance.pick(CRASHES) } : { ...fault, kind };
  }
}
