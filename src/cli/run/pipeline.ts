/**
 * Between input and runner: decides how many lines are under way at a time, and which outcome is due next. A line is kept
 * until its outcome is fetched. See input.ts for the source of lines, run.ts for what is done with an outcome.
 */
import { Deferred } from "../../core/async/deferred.ts";
import type { ByteBudget } from "../../core/job/byte-budget.ts";
import { heldAttemptBytes, heldErrorBytes, heldPayloadBytes } from "../../core/job/held-bytes.ts";
import { type AttemptRecord, type Payload, type PayloadStream, RunnerStoppedError } from "../../index.ts";
import { Fifo } from "../../core/collections/fifo.ts";
import type { InputLine, PendingCall } from "./input.ts";
import { itemBytes, LineStream, type LineStreamOwner } from "./line-stream.ts";

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
  /** Slots of jobs that wait before their next attempt: others may have them meanwhile. */
  unused(): number;
  /**
   * Submits the job of a line, or throws. `onSettled` is called once, later or before this returns; before it `onStream`, with the
   * first item of a stream.
   */
  submit(
    line: InputLine,
    onSettled: (call: Settled) => void,
    onStream: (stream: PayloadStream) => void,
  ): PendingCall | undefined;
}

/** What is read of a call that has settled. */
export interface Settled {
  /** The result; `undefined`: it failed. */
  readonly value: Payload | undefined;
  readonly error: unknown;
  readonly attempts: readonly AttemptRecord[];
  /** Whether the result is the end of a stream. */
  readonly endsStream?: boolean;
}

/** An item that is due. */
export interface LineItem {
  readonly line: InputLine;
  readonly value: Payload;
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

/** Moves the lines of one run. */
export class JobPipeline implements LineStreamOwner<InputLine> {
  readonly #source: PipelineSource;
  readonly #runner: PipelineRunner;
  readonly #owner: PipelineOwner;
  readonly #budget: ByteBudget;
  readonly #ordered: boolean;
  /** In order: all lines under way. As they come: those whose outcome is known. */
  readonly #due = new Fifo<InputLine>();
  /** Streams under way. */
  readonly #streams = new Set<LineStream<InputLine>>();
  /** As they come: a stream for each item that waits. */
  readonly #items = new Fifo<LineStream<InputLine>>();
  /** Whether a job has given a stream. */
  #isStreaming = false;
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

  /** Takes the next item that is due. To be called before `shift`. It is no longer kept, nor held against the budget. */
  shiftItem(): LineItem | undefined {
    if (!this.#isStreaming) return undefined;
    const stream = this.#ordered ? this.#due.first?.stream : this.#items.shift();
    const value = stream?.shift();
    if (stream === undefined || value === undefined) return undefined;
    this.#budget.release(itemBytes(value));
    return { line: stream.line, value };
  }

  /** Takes the next outcome that is due, once there is no item. It is no longer kept, nor held against the budget. */
  shift(): InputLine | undefined {
    const line = this.#due.first;
    if (line === undefined || !line.settled) return undefined;
    this.#due.shift();
    this.#budget.release(line.bytes);
    return line;
  }

  /**
   * Takes lines in until enough are under way, and reads streams on. To be called when outcomes were fetched outside
   * `onOutcomes`, when bytes of the budget were released, when the fleet has grown, and now and then: see `mayRead`.
   */
  pull(): void {
    if (!this.#started) return;
    try {
      this.#fill();
    } catch (error) {
      this.#end({ error });
    }
    for (const stream of this.#streams) if (stream.isPaused && this.mayRead(stream)) stream.wake();
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
    // In order, streams behind the first keep their slots for long: one is left for each line that has to be tried again.
    if (this.#isStreaming && this.#ordered) return Math.max(1, this.#runner.slots());
    const limit = Math.max(MIN_SUBMITTED, this.#runner.capacity());
    if (limit * this.#budget.estimate <= this.#budget.limit * PREFETCH_SHARE) return limit;
    return Math.max(1, this.#runner.slots() + this.#runner.unused());
  }

  /**
   * Whether the next item of a stream may be read: as long as the budget has room. Without room a stream whose items are due goes
   * on by one item at a time, and the others stand still, with their slots. So they go on, whatever the budget, while the first
   * line waits for a slot: its worker was lost, and they may have all slots that are left.
   */
  mayRead(stream: LineStream<InputLine>): boolean {
    const { held, limit } = this.#budget;
    if (held < limit) return true;
    const first = this.#due.first;
    if (!this.#ordered || first === stream.line) return stream.isEmpty;
    return first?.call?.isWaiting === true;
  }

  onItem(stream: LineStream<InputLine>, bytes: number): void {
    this.#budget.hold(bytes);
    if (!this.#ordered) this.#items.push(stream);
    this.#scheduleNotify();
  }

  onEnd(stream: LineStream<InputLine>): void {
    const { line, fault } = stream;
    this.#streams.delete(stream);
    if (fault !== undefined) {
      line.value = undefined;
      line.error = fault;
      this.#hasFailedJob = true;
    }
    this.#finishLine(line);
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
      const call = this.#runner.submit(
        line,
        (settled) => this.#onSettled(line, settled),
        (stream) => this.#onStream(line, stream),
      );
      if (!line.settled) line.call = call;
    } catch (error) {
      this.#running--;
      this.#fail(line, error);
      this.#hold(line, heldErrorBytes(error));
      this.#settle(line);
    }
  }

  #onStream(line: InputLine, stream: PayloadStream): void {
    this.#isStreaming = true;
    line.stream = new LineStream(line, stream, this);
    this.#streams.add(line.stream);
  }

  #onSettled(line: InputLine, { value, error, attempts: records, endsStream = false }: Settled): void {
    line.call = undefined;
    line.attempts = records;
    line.endsStream = endsStream || line.stream !== undefined;
    if (value === undefined) {
      this.#hasFailedJob ||= !(error instanceof RunnerStoppedError);
      this.#fail(line, error);
    } else {
      line.value = value;
    }
    if (line.stream === undefined) return this.#finishLine(line);
    // Its items are read before that.
    this.#scheduleNotify();
  }

  /** The outcome of a line that ran is known, and it has given all its items. */
  #finishLine(line: InputLine): void {
    const { value, error, attempts } = line;
    this.#running--;
    const bytes =
      value === undefined ? heldErrorBytes(error) : heldPayloadBytes(value) + heldAttemptBytes(attempts.length);
    this.#hold(line, bytes);
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
