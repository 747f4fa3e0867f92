/**
 * Between the lines and the runner: how many lines are under way at a time, and which outcome is due next. Takes lines in,
 * hands them to the runner and keeps them until their outcome is fetched. Where lines come from is input.ts; what is
 * done with an outcome is run.ts.
 */
import type { ByteBudget } from "../../core/job/byte-budget.ts";
import { heldAttemptBytes, heldErrorBytes, heldPayloadBytes } from "../../core/job/held-bytes.ts";
import { type AttemptRecord, type Payload, RunnerStoppedError } from "../../index.ts";
import type { InputLine } from "./input-line.ts";
import { LineQueue } from "./line-queue.ts";

/** Where the lines come from. */
export interface PipelineSource {
  /** The next line at hand, or nothing. May throw, which ends the input. */
  next(): InputLine | undefined;
  /** Gets more lines to hand; `false` at the end. May reject, which ends the input. */
  more(): Promise<boolean>;
  /** No more lines. */
  stop(): void;
}

/** Who runs the jobs: the runner's own door for jobs by the thousand. */
export interface PipelineRunner {
  /** Jobs that may be submitted at a time now: those that slots are there for, and those prefetched. */
  capacity(): number;
  /** The former alone. */
  slots(): number;
  /** Takes a job in, or throws. `settled` is called once, later or before this returns. */
  submit(job: string, options: undefined, settled: (call: Settled) => void): unknown;
}

/** What is read of a call that has settled. */
export interface Settled {
  /** The result; `undefined`: it failed. */
  readonly value: Payload | undefined;
  readonly error: unknown;
  readonly attempts: readonly AttemptRecord[];
}

/** Whoever does something with the outcomes. */
export interface PipelineOwner {
  /** Outcomes may be due: `shift` tells. Called once for all that came together. */
  onOutcomes(): void;
  /** A job has failed, whose turn to be written has perhaps not come. Before `arrived`. */
  onJobFailed(): void;
}

/** What a line takes besides its text, amply: what bounds how far short jobs run ahead of the reader. */
const LINE_BYTES = 4_096;
/** Jobs the runner is given at least, for workers that are about to come. */
const MIN_SUBMITTED = 16;
/** Jobs are prefetched as long as all results under way are expected to fit this part of the budget. */
const PREFETCH_SHARE = 1 / 2;

/** Moves the lines of one run. */
export class JobPipeline {
  readonly #source: PipelineSource;
  readonly #desk: PipelineRunner;
  readonly #owner: PipelineOwner;
  readonly #budget: ByteBudget;
  readonly #ordered: boolean;
  /** In order: all lines under way. As they come: those whose outcome is known. */
  readonly #due = new LineQueue();
  readonly #done: Promise<void>;
  #fulfil: () => void = () => undefined;
  #giveUp: (error: unknown) => void = () => undefined;
  #begun = false;
  #running = 0;
  /** A line that was read and is not admitted yet. */
  #nextLine: InputLine | undefined;
  /** Whether outcomes have come that the owner is to be told of. */
  #news = false;
  #failed = false;
  #reading = false;
  /** No more lines are taken. */
  #over = false;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param budget - What lines and outcomes are admitted against, and may be shared with what writes the outcomes.
   * @param ordered - Whether outcomes are due in the order of the lines, or as they come.
   */
  constructor(
    source: PipelineSource,
    desk: PipelineRunner,
    owner: PipelineOwner,
    budget: ByteBudget,
    ordered: boolean,
  ) {
    this.#done = new Promise((resolve, reject) => {
      this.#fulfil = resolve;
      this.#giveUp = reject;
    });
    this.#source = source;
    this.#desk = desk;
    this.#owner = owner;
    this.#budget = budget;
    this.#ordered = ordered;
  }

  /**
   * Runs all lines. Resolves once there are no more and the owner has been told of all outcomes; rejects then with what
   * the source or the owner threw, or with RunnerStoppedError when a job met a runner that takes no more.
   */
  run(): Promise<void> {
    this.#begun = true;
    this.pull();
    return this.#done;
  }

  /** No more lines are taken; those under way go on. May be called twice. */
  stop(): void {
    this.#source.stop();
    this.#end(undefined);
    // The end is told in a step of its own: whoever stops the pump may be in the middle of an outcome.
    this.#announce();
  }

  /** The next outcome that is due, which is no longer kept then, and no longer held against the budget. */
  shift(): InputLine | undefined {
    const line = this.#due.first;
    if (line === undefined || !line.settled) return undefined;
    this.#due.shift();
    this.#budget.release(line.bytes);
    return line;
  }

  /**
   * Takes lines in until enough are under way. To be called when outcomes were fetched later than in `arrived`, when bytes
   * of the budget were released, and when the fleet has grown.
   */
  pull(): void {
    if (!this.#begun) return;
    try {
      this.#fill();
    } catch (error) {
      this.#end({ error });
    }
    if (this.#over && this.#running === 0 && !this.#news) this.#finish();
  }

  #fill(): void {
    // No more than can run: what is freed by answers is filled in the same turn, and to wait in the queue costs a job as
    // much as to run.
    const limit = this.#submitLimit();
    while (!this.#over && this.#running < limit) {
      this.#nextLine ??= this.#source.next();
      const line = this.#nextLine;
      if (line === undefined) return this.#readOn();
      const bytes = LINE_BYTES + heldPayloadBytes(line.text) + heldPayloadBytes(line.fault ?? "");
      if (!this.#budget.admits(bytes, line.fault === undefined)) return;
      this.#nextLine = undefined;
      this.#take(line, bytes);
    }
  }

  /** Jobs that may be with the runner at a time. Large results switch prefetching off: each job adds one to the memory. */
  #submitLimit(): number {
    const limit = Math.max(MIN_SUBMITTED, this.#desk.capacity());
    if (limit * this.#budget.estimate <= this.#budget.limit * PREFETCH_SHARE) return limit;
    return Math.max(1, this.#desk.slots());
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
      this.#desk.submit(line.text, undefined, (call) => this.#settled(line, call));
    } catch (error) {
      this.#running--;
      this.#fail(line, error);
      this.#count(line, heldErrorBytes(error));
      this.#settle(line);
    }
  }

  #settled(line: InputLine, { value, error, attempts: records }: Settled): void {
    this.#running--;
    line.attempts = records;
    if (value === undefined) {
      this.#failed ||= !(error instanceof RunnerStoppedError);
      this.#fail(line, error);
      this.#count(line, heldErrorBytes(error));
    } else {
      line.value = value;
      this.#count(line, heldPayloadBytes(value) + heldAttemptBytes(records.length));
    }
    this.#settle(line);
  }

  /** The outcome's bytes are held from now on, beside the line's. */
  #count(line: InputLine, bytes: number): void {
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
    this.#announce();
  }

  /** The owner hears of all outcomes of a turn at once, and never in the middle of the runner's own work. */
  #announce(): void {
    if (this.#news) return;
    this.#news = true;
    queueMicrotask(() => this.#tell());
  }

  #tell(): void {
    const failed = this.#failed;
    this.#news = false;
    this.#failed = false;
    try {
      if (failed) this.#owner.onJobFailed();
      this.#owner.onOutcomes();
    } catch (error) {
      this.#end({ error });
    }
    this.pull();
  }

  #end(failure: { readonly error: unknown } | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = failure;
    if (failure !== undefined) this.#source.stop();
  }

  #finish(): void {
    if (this.#failure === undefined) this.#fulfil();
    else this.#giveUp(this.#failure.error);
  }
}
