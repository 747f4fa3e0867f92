/**
 * Between input and runner: decides how many lines are under way at a time, and which outcome is due next. A line is kept
 * until its outcome is fetched. See input.ts for the source of lines, run.ts for what is done with an outcome.
 */
import { Deferred } from "../../core/async/deferred.ts";
import type { ByteBudget } from "../../core/job/byte-budget.ts";
import { heldAttemptBytes, heldErrorBytes, heldPayloadBytes } from "../../core/job/held-bytes.ts";
import { type AttemptRecord, type Payload, RunnerStoppedError } from "../../index.ts";
import type { InputLine } from "./input.ts";

/** Where the lines come from. */
export interface PipelineSource {
  /** The next line at hand, or nothing. May throw, which ends the input. */
  next(): InputLine | undefined;
  /** Gets more lines to hand; `false` at the end. May reject, which ends the input. */
  more(): Promise<boolean>;
  /** No more lines. */
  stop(): void;
}

/** What runs the jobs. */
export interface PipelineRunner {
  /** Whether jobs can be made of lines. */
  isReady(): boolean;
  /** Jobs that may be submitted at a time now: one for each slot, and those that may be prefetched. */
  capacity(): number;
  /** One for each slot. */
  slots(): number;
  /** Submits the job of a line, or throws. `onSettled` is called once, later or before this returns. */
  submit(line: string, options: undefined, onSettled: (call: Settled) => void): unknown;
}

/** What is read of a call that has settled. */
export interface Settled {
  /** The result; `undefined`: it failed. */
  readonly value: Payload | undefined;
  readonly error: unknown;
  readonly attempts: readonly AttemptRecord[];
}

/** What the pipeline calls. */
export interface PipelineOwner {
  /** Outcomes may be due: see `shift`. Called once for all that came together. */
  onOutcomes(): void;
  /** A job has failed. Its outcome may not be due yet. Called before `onOutcomes`. */
  onJobFailed(): void;
}

/** What a line takes besides its text, an upper estimate. It bounds how many short jobs wait for a slow reader. */
const LINE_BYTES = 4_096;
/** Jobs the runner is given at least, for workers that are about to join. */
const MIN_SUBMITTED = 16;
/** Jobs are prefetched as long as all results under way are expected to fit this part of the budget. */
const PREFETCH_SHARE = 1 / 2;
/** With fewer free places at the head of the queue, moving the lines is not worth it. */
const MIN_FREE_PLACES = 1_024;

/** Lines that wait, first in, first out. Taking one out costs the same at any length. */
class LineQueue {
  readonly #lines: (InputLine | undefined)[] = [];
  #head = 0;

  /** The line that waits longest. */
  get first(): InputLine | undefined {
    return this.#lines[this.#head];
  }

  push(line: InputLine): void {
    this.#lines.push(line);
  }

  /** Takes the first line out. */
  shift(): void {
    // Dropped at once: an array in the old generation keeps alive what it points to.
    this.#lines[this.#head++] = undefined;
    if (this.#head < MIN_FREE_PLACES || this.#head * 2 < this.#lines.length) return;
    this.#lines.splice(0, this.#head);
    this.#head = 0;
  }
}

/** Moves the lines of one run. */
export class JobPipeline {
  readonly #source: PipelineSource;
  readonly #runner: PipelineRunner;
  readonly #owner: PipelineOwner;
  readonly #budget: ByteBudget;
  readonly #ordered: boolean;
  /** In order: all lines under way. As they come: those whose outcome is known. */
  readonly #due = new LineQueue();
  readonly #done = new Deferred<void>();
  #started = false;
  #running = 0;
  /** A line that was read and is not admitted yet. */
  #nextLine: InputLine | undefined;
  /** Whether a call of the owner is scheduled. */
  #notifying = false;
  #hasFailedJob = false;
  #reading = false;
  /** Whether no more lines are taken. */
  #ended = false;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param budget - What lines and outcomes are admitted against. The writer of the outcomes may share it.
   * @param ordered - Whether outcomes are due in the order of the lines, or as they come.
   */
  constructor(
    source: PipelineSource,
    runner: PipelineRunner,
    owner: PipelineOwner,
    budget: ByteBudget,
    ordered: boolean,
  ) {
    this.#source = source;
    this.#runner = runner;
    this.#owner = owner;
    this.#budget = budget;
    this.#ordered = ordered;
  }

  /**
   * Runs all lines. Settles once there are no more and the owner was called for all outcomes. Rejects with what the source
   * or the owner threw, or with RunnerStoppedError when the runner took no more jobs.
   */
  run(): Promise<void> {
    this.#started = true;
    this.pull();
    return this.#done.promise;
  }

  /** No more lines are taken; those under way go on. May be called twice. */
  stop(): void {
    this.#source.stop();
    this.#end(undefined);
    // In a step of its own: the caller may be in the middle of an outcome.
    this.#scheduleNotify();
  }

  /** Takes the next outcome that is due. It is no longer kept, nor held against the budget. */
  shift(): InputLine | undefined {
    const line = this.#due.first;
    if (line === undefined || !line.settled) return undefined;
    this.#due.shift();
    this.#budget.release(line.bytes);
    return line;
  }

  /**
   * Takes lines in until enough are under way. To be called when outcomes were fetched outside `onOutcomes`, when bytes of
   * the budget were released, and when the fleet has grown.
   */
  pull(): void {
    if (!this.#started) return;
    try {
      this.#fill();
    } catch (error) {
      this.#end({ error });
    }
    if (this.#ended && this.#running === 0 && !this.#notifying) this.#finish();
  }

  #fill(): void {
    // No more than can run: slots that answers free are filled in the same turn, and waiting in the runner's queue costs a
    // job as much as running.
    const limit = this.#submitLimit();
    while (!this.#ended && this.#running < limit) {
      this.#nextLine ??= this.#source.next();
      const line = this.#nextLine;
      if (line === undefined) return this.#readOn();
      if (line.fault === undefined && !this.#runner.isReady()) return;
      const bytes = LINE_BYTES + heldPayloadBytes(line.text) + heldPayloadBytes(line.fault ?? "");
      if (!this.#budget.admits(bytes, line.fault === undefined)) return;
      this.#nextLine = undefined;
      this.#take(line, bytes);
    }
  }

  /** Jobs that may be with the runner at a time. Large results switch prefetching off: each job adds one to the memory. */
  #submitLimit(): number {
    const limit = Math.max(MIN_SUBMITTED, this.#runner.capacity());
    if (limit * this.#budget.estimate <= this.#budget.limit * PREFETCH_SHARE) return limit;
    return Math.max(1, this.#runner.slots());
  }

  #readOn(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#source.more().then(
      (more) => {
        this.#reading = false;
        if (!more) this.#end(undefined);
        this.pull();
      },
      (error: unknown) => {
        this.#end({ error });
        this.pull();
      },
    );
  }

  #take(line: InputLine, bytes: number): void {
    line.bytes = bytes;
    if (this.#ordered) this.#due.push(line);
    if (line.fault !== undefined) {
      this.#budget.hold(bytes);
      return this.#settle(line);
    }
    this.#budget.begin(bytes);
    this.#running++;
    try {
      this.#runner.submit(line.text, undefined, (call) => this.#onSettled(line, call));
    } catch (error) {
      this.#running--;
      this.#fail(line, error);
      this.#hold(line, heldErrorBytes(error));
      this.#settle(line);
    }
  }

  #onSettled(line: InputLine, { value, error, attempts: records }: Settled): void {
    this.#running--;
    line.attempts = records;
    if (value === undefined) {
      this.#hasFailedJob ||= !(error instanceof RunnerStoppedError);
      this.#fail(line, error);
      this.#hold(line, heldErrorBytes(error));
    } else {
      line.value = value;
      this.#hold(line, heldPayloadBytes(value) + heldAttemptBytes(records.length));
    }
    this.#settle(line);
  }

  /** Holds the outcome's bytes, beside the line's. */
  #hold(line: InputLine, bytes: number): void {
    line.bytes += bytes;
    this.#budget.settle(bytes);
  }

  #fail(line: InputLine, error: unknown): void {
    line.error = error;
    if (error instanceof RunnerStoppedError) this.#end({ error });
  }

  #settle(line: InputLine): void {
    line.settled = true;
    if (!this.#ordered) this.#due.push(line);
    this.#scheduleNotify();
  }

  /** Calls the owner once for all outcomes of a turn, and never in the middle of the runner's own work. */
  #scheduleNotify(): void {
    if (this.#notifying) return;
    this.#notifying = true;
    queueMicrotask(() => this.#notify());
  }

  #notify(): void {
    const hasFailedJob = this.#hasFailedJob;
    this.#notifying = false;
    this.#hasFailedJob = false;
    try {
      if (hasFailedJob) this.#owner.onJobFailed();
      this.#owner.onOutcomes();
    } catch (error) {
      this.#end({ error });
    }
    this.pull();
  }

  #end(failure: { readonly error: unknown } | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    if (failure !== undefined) this.#source.stop();
  }

  #finish(): void {
    if (this.#failure === undefined) this.#done.resolve();
    else this.#done.reject(this.#failure.error);
  }
}
