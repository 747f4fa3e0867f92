/**
 * Many jobs, bounded: pulls inputs only as fast as workers free up and outcomes are read. Yields outcomes in input order or as
 * they arrive. How one job runs is in call.ts.
 *
 * Invariant: the earliest input without an outcome is submitted. The next input waits while the window is full, in number or
 * in bytes, or while the runner's queue is.
 */
import { ByteBudget } from "../job/byte-budget.ts";
import type { SubmittedJob } from "./call-context.ts";
import { Deferred } from "../async/deferred.ts";
import { heldAttemptBytes, heldErrorBytes, heldInputBytes, heldPayloadBytes } from "../job/held-bytes.ts";
import { EXECUTE_RULES, type ExecuteOptions } from "../job/execute-options.ts";
import { AbortError, type AttemptRecord, RunnerStoppedError } from "../errors.ts";
import { Job } from "../job/job.ts";
import { isBytes } from "../job/utf8.ts";
import {
  checkedCopy,
  type WithDefaults,
  isBoolean,
  isFunction,
  integer,
  integerOrInfinity,
  type Validators,
} from "../options.ts";
import type { PayloadStream } from "../job/payload-stream.ts";
import type { Payload } from "../peer.ts";

/** What `map` accepts as one input: a job, or what a job can be made of. */
export type MapInput = Job | Payload;

/** Options of {@link JobRunner.map}: those of `execute` hold for each job. */
export interface MapOptions extends Omit<ExecuteOptions, "input" | "resume"> {
  /** Jobs submitted at a time; default twice the fleet's slots, at least 16, following the fleet as it grows. */
  readonly concurrency?: number | undefined;
  /** Whether outcomes come in input order (default) or as jobs settle. */
  readonly ordered?: boolean | undefined;
  /** Inputs that may be ahead of the outcome read last: bounds the memory; default 8 × concurrency, at least 1,024. */
  readonly window?: number | undefined;
  /**
   * Bytes of inputs and outcomes that may be ahead of the outcome read last, with what the jobs under way are expected to
   * result in; a text counts two bytes a UTF-16 unit. An item that is larger is taken alone. Default 64 MiB; `Infinity`:
   * no limit.
   */
  readonly windowBytes?: number | undefined;
}

/** Options of {@link JobRunner.map} for inputs of any kind. */
export interface MapOptionsOf<T> extends MapOptions {
  /**
   * Makes the job of an input, when the input is pulled, in the async context in which `map` was called. What it throws is the
   * error of that input's outcome. `windowBytes` counts the job, and not the input.
   */
  readonly toJob: (input: T) => MapInput;
}

type MapRunOptions<T> = MapOptions & Partial<MapOptionsOf<T>>;

/** What `map` does when nothing else is asked for; see {@link MapOptions} for what follows the fleet. */
export const MAP_DEFAULTS: WithDefaults<Pick<MapOptions, "ordered" | "windowBytes">> = Object.freeze({
  ordered: true,
  windowBytes: 67_108_864,
});

/** A stream is of one job: neither may `map` give one to many, nor take one. */
const { input: _input, resume: _resume, ...JOB_RULES } = EXECUTE_RULES;

const MAP_RULES: Validators<MapRunOptions<unknown>> = Object.freeze({
  ...JOB_RULES,
  concurrency: integer(1),
  ordered: isBoolean,
  window: integer(1),
  windowBytes: integerOrInfinity(1),
  toJob: isFunction,
});

/** A job that succeeded. */
export interface Success<T, V = Payload> {
  /** Says that it succeeded. */
  readonly ok: true;
  /** The handler's result. */
  readonly value: V;
  /** What came in. */
  readonly input: T;
  /** The input's place, from 0. */
  readonly index: number;
  /** The attempts: worker, outcome and duration of each. */
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
  /** The attempts: worker, outcome and duration of each. */
  readonly attempts: readonly AttemptRecord[];
}

/** How one job of a `map` ended. */
export type Outcome<T, V = Payload> = Success<T, V> | Failure<T>;

/** @internal What `map` needs of the runner. */
export interface JobSubmitter {
  /** Jobs that the workers can be given now: to their slots, and prefetched. */
  capacity(): number;
  /** Whether a new job of so many bytes may wait in the runner's queue. */
  hasRoom(bytes: number, options: ExecuteOptions | undefined): boolean;
  /** Calls `fn` once, soon after a job has stopped waiting. The returned function ends that. */
  whenRoom(fn: () => void): () => void;
  /** Calls `fn` in the async context of the caller of `map`. */
  inContext<R>(fn: () => R): R;
  /** Submits a job, or throws. With `onStream` its handler may give a stream: see Dispatcher. */
  submit(
    job: MapInput,
    options: ExecuteOptions | undefined,
    onSettled: (call: SubmittedJob) => void,
    onStream?: (stream: PayloadStream) => void,
  ): SubmittedJob;
}

const MIN_CONCURRENCY = 16;
const MIN_WINDOW = 1_024;

/** An input that was pulled and not submitted yet. */
interface Pulled<T> {
  readonly input: T;
  /** What is submitted for it. */
  readonly job: MapInput;
  readonly bytes: number;
}

/** An input that no job was made of: its outcome. */
interface Unmade<T> {
  readonly input: T;
  readonly error: unknown;
  readonly bytes: 0;
}

/** An outcome that was not read yet. */
interface Unread<T> {
  readonly outcome: Outcome<T>;
  /** What it holds of the budget, its input included. */
  readonly bytes: number;
}

class MapRun<T> {
  readonly #submitter: JobSubmitter;
  /** Absent: inputs are what jobs are made of. */
  readonly #toJob: MapOptionsOf<T>["toJob"] | undefined;
  readonly #settings: ExecuteOptions | undefined;
  readonly #concurrency: number | undefined;
  readonly #window: number | undefined;
  readonly #budget: ByteBudget;
  readonly #ordered: boolean;
  readonly #inputs: Iterator<T> | AsyncIterator<T>;
  readonly #async: boolean;
  readonly #calls = new Set<SubmittedJob>();
  /** Outcomes not yet read, by the place they will be read at. */
  readonly #ready = new Map<number, Unread<T>>();
  /** The next of them to be read. */
  #unread: Unread<T> | undefined;
  #next: Pulled<T> | Unmade<T> | undefined;
  /** Ends the wait for room in the runner's queue. */
  #forgetRoom: (() => void) | undefined;
  /** Inputs that were submitted. */
  #pulled = 0;
  #running = 0;
  #arrived = 0;
  #read = 0;
  #pulling = false;
  #filling = false;
  /** No more inputs are taken. */
  #exhausted = false;
  /** The input has ended or failed by itself: `return` is not called. */
  #inputEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #reader: Deferred<void> | undefined;

  constructor(inputs: Iterable<T> | AsyncIterable<T>, options: MapRunOptions<T>, context: JobSubmitter) {
    const { concurrency, window, windowBytes, ordered, toJob, ...settings } = options;
    this.#submitter = context;
    this.#toJob = toJob;
    // The runner checks and completes what it is given for each job, unless it is given nothing.
    this.#settings = Object.values(settings).every((value) => value === undefined) ? undefined : settings;
    this.#concurrency = concurrency;
    this.#window = window;
    this.#budget = new ByteBudget(windowBytes ?? MAP_DEFAULTS.windowBytes);
    this.#ordered = ordered ?? MAP_DEFAULTS.ordered;
    this.#async = isAsync(inputs);
    this.#inputs = iterate(inputs);
    settings.signal?.addEventListener("abort", this.#onAbort);
  }

  /** Whether the next outcome is there. Why no promise: most are, and one for each would cost more than the rest. */
  next(): boolean {
    this.#pull();
    this.#unread = this.#ready.get(this.#read);
    return this.#unread !== undefined;
  }

  /** Removes and returns that outcome. */
  take(): Outcome<T> {
    const unread = this.#unread;
    if (unread === undefined) throw new Error("no outcome is there");
    this.#unread = undefined;
    this.#ready.delete(this.#read++);
    this.#budget.release(unread.bytes);
    return unread.outcome;
  }

  /** Waits for an outcome: `false` after the last. Rejects with what the input threw. */
  async more(): Promise<boolean> {
    if (this.#exhausted && this.#running === 0) {
      if (this.#failure !== undefined) throw this.#failure.error;
      return false;
    }
    this.#reader = new Deferred();
    await this.#reader.promise;
    return true;
  }

  /** Aborts what still runs and closes the input. */
  async close(): Promise<void> {
    this.#exhausted = true;
    this.#next = undefined;
    this.#forgetRoom?.();
    this.#settings?.signal?.removeEventListener("abort", this.#onAbort);
    for (const call of this.#calls) {
      const { jobId } = call;
      call.stop(new AbortError("nobody reads the results any more", "cancelled", { jobId }), "cancelled");
    }
    this.#ready.clear();
    if (this.#inputEnded) return;
    const returned = this.#inputs.return?.();
    // A pull in progress may never end, and `return` comes after it: the reader that leaves does not wait for that.
    if (this.#pulling) void Promise.resolve(returned).catch(() => undefined);
    else await returned;
  }

  readonly #onAbort = (): void => this.#end({ error: this.#settings?.signal?.reason });

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
    const concurrency = this.#concurrency ?? Math.max(MIN_CONCURRENCY, 2 * this.#submitter.capacity());
    const window = this.#window ?? Math.max(MIN_WINDOW, 8 * concurrency);
    while (!this.#exhausted && !this.#pulling && this.#running < concurrency && this.#pulled - this.#read < window) {
      if (this.#settings?.signal?.aborted === true) return this.#end({ error: this.#settings?.signal.reason });
      if (!this.#budget.admits(this.#next?.bytes ?? 0)) return;
      if (this.#next === undefined) this.#pullOne();
      else if ("error" in this.#next) this.#fail(this.#next);
      else if (this.#submitter.hasRoom(this.#next.bytes, this.#settings)) this.#submit(this.#next);
      else return this.#awaitRoom();
    }
  }

  /** Other callers, or jobs in backoff, fill the runner's queue. `map` can wait, so it is not refused. */
  #awaitRoom(): void {
    this.#forgetRoom ??= this.#submitter.whenRoom(() => {
      this.#forgetRoom = undefined;
      this.#pull();
    });
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
    this.#next = this.#prepare(input);
  }

  #prepare(input: T): Pulled<T> | Unmade<T> {
    const toJob = this.#toJob;
    // Whatever it is: it is refused when it is submitted.
    if (toJob === undefined) return { input, job: input as MapInput, bytes: heldInputBytes(input) };
    try {
      const job = this.#submitter.inContext(() => toJob(input));
      return { input, job, bytes: heldInputBytes(job) };
    } catch (error) {
      return { input, error, bytes: 0 };
    }
  }

  #fail({ input, error }: Unmade<T>): void {
    const index = this.#pulled++;
    this.#next = undefined;
    this.#running++;
    this.#budget.begin(0);
    this.#arrive({ ok: false, error, input, index, attempts: [] }, 0);
  }

  #submit({ input, job, bytes }: Pulled<T>): void {
    const index = this.#pulled++;
    this.#next = undefined;
    this.#running++;
    this.#budget.begin(bytes);
    let settledCall: SubmittedJob | undefined;
    try {
      const submitted = this.#submitter.submit(job, this.#settings, (call) => {
        settledCall = call;
        this.#calls.delete(call);
        const { value } = call;
        this.#arrive(value === undefined ? failure(call, input, index) : success(call, value, input, index), bytes);
      });
      if (submitted !== settledCall) this.#calls.add(submitted);
    } catch (error) {
      if (isWrongKind(job, error)) return this.#refuse(index, error);
      this.#arrive({ ok: false, error, input, index, attempts: [] }, bytes);
    }
  }

  /** An input that no job can be made of is a mistake in the program, like an input that throws. */
  #refuse(index: number, cause: TypeError): void {
    this.#running--;
    this.#end({ error: new TypeError(`map: input ${index}: ${cause.message}`, { cause }) });
  }

  #arrive(outcome: Outcome<T>, inputBytes: number): void {
    this.#running--;
    const bytes = bytesOf(outcome);
    this.#budget.settle(bytes);
    this.#ready.set(this.#ordered ? outcome.index : this.#arrived++, { outcome, bytes: inputBytes + bytes });
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

/**
 * Whether no job can be made of anything like `input`. A text with a lone surrogate is data, and one job fails; so it does when
 * the user code around it, `onJobId` or `headers`, throws.
 */
function isWrongKind(input: unknown, error: unknown): error is TypeError {
  return error instanceof TypeError && typeof input !== "string" && !(input instanceof Job) && !isBytes(input);
}

/** What an outcome holds besides its input. */
function bytesOf(outcome: Outcome<unknown>): number {
  const made = heldAttemptBytes(outcome.attempts.length);
  return made + (outcome.ok ? heldPayloadBytes(outcome.value) : heldErrorBytes(outcome.error));
}

function success<T>(call: SubmittedJob, value: Payload, input: T, index: number): Success<T> {
  return { ok: true, value, input, index, attempts: call.attempts };
}

function failure<T>(call: SubmittedJob, input: T, index: number): Failure<T> {
  return { ok: false, error: call.error, input, index, attempts: call.attempts };
}

/** @internal Runs every input and yields the outcomes. */
export async function* mapJobs<T>(
  inputs: Iterable<T> | AsyncIterable<T>,
  options: MapRunOptions<T> | undefined,
  context: JobSubmitter,
): AsyncGenerator<Outcome<T>, void, undefined> {
  const run = new MapRun(inputs, checkedCopy<MapRunOptions<T>>("map", options ?? {}, MAP_RULES), context);
  try {
    do {
      // Not by a variable: it would hold the outcome for as long as the reader is busy.
      while (run.next()) yield run.take();
    } while (await run.more());
  } finally {
    await run.close();
  }
}
