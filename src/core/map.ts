/**
 * Many jobs, bounded: pulls inputs only as fast as workers free up and outcomes are read, and hands outcomes over in input
 * order or as they come. How one job runs is in call.ts.
 */
import type { TakenJob } from "./call-desk.ts";
import { Deferred } from "./deferred.ts";
import { EXECUTE_RULES, type ExecuteOptions } from "./execute-options.ts";
import { AbortError, type AttemptRecord, RunnerStoppedError } from "./errors.ts";
import type { Job } from "./job.ts";
import type { Payload } from "./message.ts";
import { checkedCopy, flag, integer } from "./options.ts";

/** What `map` accepts as one input: a job, or what a job can be made of. */
export type MapInput = Job | Payload;

/** Options of {@link JobRunner.map}: those of `execute` hold for each job. */
export interface MapOptions extends ExecuteOptions {
  /** Jobs submitted at a time; default twice the fleet's slots, at least 16, following the fleet as it grows. */
  readonly concurrency?: number | undefined;
  /** Whether outcomes come in input order (default) or as jobs settle. */
  readonly ordered?: boolean | undefined;
  /** Inputs that may be ahead of the outcome read last: bounds the memory; default 8 × concurrency, at least 1,024. */
  readonly window?: number | undefined;
}

/** A job that succeeded. */
export interface Success<T> {
  /** Says that it succeeded. */
  readonly ok: true;
  /** The handler's result. */
  readonly value: Payload;
  /** What came in. */
  readonly input: T;
  /** The input's place, from 0. */
  readonly index: number;
  /** What was tried, with whom, and for how long. */
  readonly attempts: readonly AttemptRecord[];
}

/** A job that failed. */
export interface Failure<T> {
  /** Says that it failed. */
  readonly ok: false;
  /** What `execute` would have rejected with. */
  readonly error: unknown;
  /** What came in. */
  readonly input: T;
  /** The input's place, from 0. */
  readonly index: number;
  /** What was tried, with whom, and for how long. */
  readonly attempts: readonly AttemptRecord[];
}

/** How one job of a `map` ended. */
export type Outcome<T> = Success<T> | Failure<T>;

/** @internal What `map` needs of the runner. */
export interface MapDesk {
  /** Slots in the fleet now. */
  capacity(): number;
  /** Takes a job in, or throws. */
  submit(job: MapInput, options: ExecuteOptions | undefined, settled: (call: TakenJob) => void): TakenJob;
}

const LEAST_CONCURRENCY = 16;
const LEAST_WINDOW = 1_024;

class MapRun<T extends MapInput> {
  readonly #desk: MapDesk;
  readonly #how: ExecuteOptions | undefined;
  readonly #concurrency: number | undefined;
  readonly #window: number | undefined;
  readonly #ordered: boolean;
  readonly #inputs: Iterator<T> | AsyncIterator<T>;
  readonly #async: boolean;
  readonly #calls = new Set<TakenJob>();
  /** Outcomes not yet read, by the place they will be read at. */
  readonly #ready = new Map<number, Outcome<T>>();
  #pulled = 0;
  #running = 0;
  #arrived = 0;
  #read = 0;
  #pulling = false;
  #filling = false;
  /** No more inputs are taken. */
  #exhausted = false;
  /** The input has ended or broken by itself, and is not to be told. */
  #inputEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #reader: Deferred<void> | undefined;

  constructor(inputs: Iterable<T> | AsyncIterable<T>, options: MapOptions, desk: MapDesk) {
    const { concurrency, window, ordered, ...how } = options;
    this.#desk = desk;
    // The runner checks and completes what it is given for each job, unless it is given nothing.
    this.#how = Object.values(how).every((value) => value === undefined) ? undefined : how;
    this.#concurrency = concurrency;
    this.#window = window;
    this.#ordered = ordered ?? true;
    this.#async = isAsync(inputs);
    this.#inputs = iterate(inputs);
    how.signal?.addEventListener("abort", this.#onAbort);
  }

  /** The next outcome, if it is there, which most are: a promise for each would cost more than it tells. */
  next(): Outcome<T> | undefined {
    this.#pull();
    const outcome = this.#ready.get(this.#read);
    if (outcome !== undefined) this.#ready.delete(this.#read++);
    return outcome;
  }

  /** No outcome is there: `true` once there is news, `false` after the last. Rejects with what the input threw. */
  async more(): Promise<boolean> {
    if (this.#exhausted && this.#running === 0) {
      if (this.#failure !== undefined) throw this.#failure.error;
      return false;
    }
    this.#reader = new Deferred();
    await this.#reader.promise;
    return true;
  }

  /** Aborts what still runs and lets go of the input. */
  async close(): Promise<void> {
    this.#exhausted = true;
    this.#how?.signal?.removeEventListener("abort", this.#onAbort);
    for (const call of this.#calls)
      call.stop(new AbortError("nobody reads the results any more", "cancelled"), "cancelled");
    this.#ready.clear();
    if (this.#inputEnded) return;
    const letGo = this.#inputs.return?.();
    // An input that is being waited for answers only after that, if ever: whoever leaves does not wait for it too.
    if (this.#pulling) void Promise.resolve(letGo).catch(() => undefined);
    else await letGo;
  }

  readonly #onAbort = (): void => this.#end({ error: this.#how?.signal?.reason });

  /** Submits inputs until enough run, or enough wait to be read, or the input has to be waited for. */
  #pull(): void {
    if (this.#filling) return;
    this.#filling = true;
    try {
      this.#fill();
    } finally {
      this.#filling = false;
    }
  }

  #fill(): void {
    const limit = this.#concurrency ?? Math.max(LEAST_CONCURRENCY, 2 * this.#desk.capacity());
    const window = this.#window ?? Math.max(LEAST_WINDOW, 8 * limit);
    while (!this.#exhausted && !this.#pulling && this.#running < limit && this.#pulled - this.#read < window) {
      if (this.#how?.signal?.aborted === true) return this.#end({ error: this.#how?.signal.reason });
      this.#pullOne();
    }
  }

  #pullOne(): void {
    let next: IteratorResult<T> | Promise<IteratorResult<T>>;
    try {
      next = this.#inputs.next();
    } catch (error) {
      return this.#inputIsOver({ error });
    }
    if (!this.#async && !(next instanceof Promise)) return this.#take(next);
    this.#pulling = true;
    // Whatever can be awaited will do, as in a `for await`.
    Promise.resolve(next).then(
      (result) => {
        this.#pulling = false;
        this.#take(result);
        this.#pull();
      },
      (error: unknown) => {
        this.#pulling = false;
        this.#inputIsOver({ error });
      },
    );
  }

  #take(result: IteratorResult<T>): void {
    if (this.#exhausted) return;
    let input: T;
    try {
      if (typeof result !== "object" || result === null)
        throw new TypeError(`map: the input answered ${String(result)}, not a result`);
      if (result.done) return this.#inputIsOver(undefined);
      input = result.value;
    } catch (error) {
      return this.#inputIsOver({ error });
    }
    this.#submit(input);
  }

  #submit(input: T): void {
    const index = this.#pulled++;
    this.#running++;
    let settledCall: TakenJob | undefined;
    try {
      const submitted = this.#desk.submit(input, this.#how, (call) => {
        settledCall = call;
        this.#calls.delete(call);
        this.#arrive(call.value === undefined ? failure(call, input, index) : success(call, call.value, input, index));
      });
      if (submitted !== settledCall) this.#calls.add(submitted);
    } catch (error) {
      this.#arrive({ ok: false, error, input, index, attempts: [] });
    }
  }

  #arrive(outcome: Outcome<T>): void {
    this.#running--;
    this.#ready.set(this.#ordered ? outcome.index : this.#arrived++, outcome);
    if (!outcome.ok && outcome.error instanceof RunnerStoppedError) this.#end({ error: outcome.error });
    this.#wake();
    // A slow reader must not leave workers idle while there is room for outcomes.
    this.#pull();
  }

  #inputIsOver(failed: { readonly error: unknown } | undefined): void {
    this.#inputEnded = true;
    this.#end(failed);
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

function isAsync<T>(inputs: Iterable<T> | AsyncIterable<T>): inputs is AsyncIterable<T> {
  // Boxed, as a string is iterable too.
  return typeof Reflect.get(Object(inputs) as object, Symbol.asyncIterator) === "function";
}

function iterate<T>(inputs: Iterable<T> | AsyncIterable<T>): Iterator<T> | AsyncIterator<T> {
  if (isAsync(inputs)) return inputs[Symbol.asyncIterator]();
  if (typeof Reflect.get(Object(inputs) as object, Symbol.iterator) === "function") return inputs[Symbol.iterator]();
  throw new TypeError("map: expected an iterable or an async iterable of jobs, strings or bytes");
}

function success<T>(call: TakenJob, value: Payload, input: T, index: number): Success<T> {
  return { ok: true, value, input, index, attempts: call.records };
}

function failure<T>(call: TakenJob, input: T, index: number): Failure<T> {
  return { ok: false, error: call.error, input, index, attempts: call.records };
}

/** @internal Runs every input and yields the outcomes. */
export async function* mapJobs<T extends MapInput>(
  inputs: Iterable<T> | AsyncIterable<T>,
  options: MapOptions | undefined,
  desk: MapDesk,
): AsyncGenerator<Outcome<T>, void, undefined> {
  const rules = { ...EXECUTE_RULES, concurrency: integer(1), ordered: flag, window: integer(1) };
  const given = checkedCopy("map", options ?? {}, rules);
  const run = new MapRun(inputs, given, desk);
  try {
    do {
      for (let outcome = run.next(); outcome !== undefined; outcome = run.next()) yield outcome;
    } while (await run.more());
  } finally {
    await run.close();
  }
}
