/**
 * Many jobs, bounded: pulls inputs only as fast as workers free up and outcomes are read, and hands outcomes over in input
 * order or as they come. How one job runs is in call.ts.
 */
import type { Call } from "./call.ts";
import { Deferred } from "./deferred.ts";
import { EXECUTE_RULES, type ExecuteOptions } from "./dispatcher.ts";
import { AbortError, type AttemptRecord, RunnerStoppedError } from "./errors.ts";
import type { Job } from "./job.ts";
import type { Payload } from "./message.ts";
import { checkOptions, flag, integer } from "./options.ts";

/** What `map` accepts as one input: a job, or what a job can be made of. */
export type MapInput = Job | Payload;

/** Options of {@link JobRunner.map}: those of `execute` hold for each job. */
export interface MapOptions extends ExecuteOptions {
  /** Jobs submitted at a time; default twice the fleet's slots, at least 16, following the fleet as it grows. */
  readonly concurrency?: number;
  /** Whether outcomes come in input order (default) or as jobs settle. */
  readonly ordered?: boolean;
  /** Inputs that may be ahead of the outcome read last: bounds the memory; default 8 × concurrency, at least 1,024. */
  readonly window?: number;
}

/** A job that succeeded. */
export interface Success<T> {
  readonly ok: true;
  /** The handler's result. */
  readonly value: Payload;
  readonly input: T;
  /** The input's place, from 0. */
  readonly index: number;
  readonly attempts: readonly AttemptRecord[];
}

/** A job that failed. */
export interface Failure<T> {
  readonly ok: false;
  /** What `execute` would have rejected with. */
  readonly error: unknown;
  readonly input: T;
  /** The input's place, from 0. */
  readonly index: number;
  readonly attempts: readonly AttemptRecord[];
}

/** How one job of a `map` ended. */
export type Outcome<T> = Success<T> | Failure<T>;

/** @internal What `map` needs of the runner. */
export interface MapDesk {
  /** Slots in the fleet now. */
  capacity(): number;
  /** Takes a job in, or throws. */
  submit(job: MapInput, options: ExecuteOptions, settled: (call: Call) => void): Call;
}

const LEAST_CONCURRENCY = 16;
const LEAST_WINDOW = 1_024;

class MapRun<T extends MapInput> {
  readonly #desk: MapDesk;
  readonly #how: ExecuteOptions;
  readonly #concurrency: number | undefined;
  readonly #window: number | undefined;
  readonly #ordered: boolean;
  readonly #inputs: Iterator<T> | AsyncIterator<T>;
  readonly #calls = new Set<Call>();
  /** Outcomes not yet read, by the place they will be read at. */
  readonly #ready = new Map<number, Outcome<T>>();
  #pulled = 0;
  #running = 0;
  #arrived = 0;
  #read = 0;
  #pulling = false;
  #exhausted = false;
  #failure: { readonly error: unknown } | undefined;
  #reader: Deferred<void> | undefined;

  constructor(inputs: Iterable<T> | AsyncIterable<T>, options: MapOptions, desk: MapDesk) {
    const { concurrency, window, ordered, ...how } = options;
    this.#desk = desk;
    this.#how = how;
    this.#concurrency = concurrency;
    this.#window = window;
    this.#ordered = ordered ?? true;
    this.#inputs = Symbol.asyncIterator in inputs ? inputs[Symbol.asyncIterator]() : inputs[Symbol.iterator]();
  }

  /** The next outcome, or nothing when all have been read. Throws what the input threw, after the outcomes before it. */
  async next(): Promise<Outcome<T> | undefined> {
    for (;;) {
      this.#pull();
      const outcome = this.#ready.get(this.#read);
      if (outcome !== undefined) {
        this.#ready.delete(this.#read++);
        return outcome;
      }
      if (this.#exhausted && this.#running === 0) {
        if (this.#failure !== undefined) throw this.#failure.error;
        return undefined;
      }
      this.#reader = new Deferred();
      await this.#reader.promise;
    }
  }

  /** Aborts what still runs and lets go of the input. */
  async close(): Promise<void> {
    const done = this.#exhausted;
    this.#exhausted = true;
    for (const call of this.#calls)
      call.stop(new AbortError("nobody reads the results any more", "cancelled"), "cancelled");
    this.#ready.clear();
    if (!done) await this.#inputs.return?.();
  }

  /** Submits inputs until enough run, or enough wait to be read, or the input has to be waited for. */
  #pull(): void {
    const limit = this.#concurrency ?? Math.max(LEAST_CONCURRENCY, 2 * this.#desk.capacity());
    const window = this.#window ?? Math.max(LEAST_WINDOW, 8 * limit);
    while (!this.#exhausted && !this.#pulling && this.#running < limit && this.#pulled - this.#read < window) {
      if (this.#how.signal?.aborted === true) return this.#end({ error: this.#how.signal.reason });
      this.#pullOne();
    }
  }

  #pullOne(): void {
    let next: IteratorResult<T> | Promise<IteratorResult<T>>;
    try {
      next = this.#inputs.next();
    } catch (error) {
      return this.#end({ error });
    }
    if (!(next instanceof Promise)) return this.#take(next);
    this.#pulling = true;
    next.then(
      (result) => {
        this.#pulling = false;
        this.#take(result);
        this.#pull();
      },
      (error: unknown) => {
        this.#pulling = false;
        this.#end({ error });
      },
    );
  }

  #take(result: IteratorResult<T>): void {
    if (this.#exhausted) return;
    if (result.done === true) return this.#end(undefined);
    const input = result.value;
    const index = this.#pulled++;
    this.#running++;
    let settledCall: Call | undefined;
    try {
      const submitted = this.#desk.submit(input, this.#how, (call) => {
        settledCall = call;
        this.#calls.delete(call);
        this.#arrive(call.value === undefined ? failure(call, input, index) : success(call, call.value, input, index));
      });
      if (submitted !== settledCall) this.#calls.add(submitted);
    } catch (error) {
      this.#arrive({ ok: false, error, input, index, attempts: [] });
      if (error instanceof RunnerStoppedError) this.#end({ error });
    }
  }

  #arrive(outcome: Outcome<T>): void {
    this.#running--;
    this.#ready.set(this.#ordered ? outcome.index : this.#arrived++, outcome);
    this.#wake();
  }

  #end(failed: { readonly error: unknown } | undefined): void {
    if (this.#exhausted) return;
    this.#exhausted = true;
    this.#failure = failed;
    this.#wake();
  }

  #wake(): void {
    this.#reader?.resolve();
    this.#reader = undefined;
  }
}

function success<T>(call: Call, value: Payload, input: T, index: number): Success<T> {
  return { ok: true, value, input, index, attempts: call.records };
}

function failure<T>(call: Call, input: T, index: number): Failure<T> {
  return { ok: false, error: call.error, input, index, attempts: call.records };
}

/** @internal Runs every input and yields the outcomes. */
export async function* mapJobs<T extends MapInput>(
  inputs: Iterable<T> | AsyncIterable<T>,
  options: MapOptions | undefined,
  desk: MapDesk,
): AsyncGenerator<Outcome<T>, void, undefined> {
  checkOptions("map", options ?? {}, { ...EXECUTE_RULES, concurrency: integer(1), ordered: flag, window: integer(1) });
  const run = new MapRun(inputs, options ?? {}, desk);
  try {
    for (let outcome = await run.next(); outcome !== undefined; outcome = await run.next()) yield outcome;
  } finally {
    await run.close();
  }
}
