/**
 * The items of one call between the worker and the reader: kept until they are read, and paid for with credit. The call is retried
 * until its reader was given an item; from then on its failure is the reader's, unless it is to be resumed. How the call goes on is in
 * call.ts.
 */
import { resultFault } from "./payload-limits.ts";
import { ProgressSink } from "./progress-sink.ts";
import type { CallOptions } from "./call-options.ts";
import type { Attempt, AttemptSink } from "../session/attempt.ts";
import type { StreamBudget } from "./stream-budget.ts";
import { Deferred } from "../async/deferred.ts";
import { wholePayload } from "../job/holed-bytes.ts";
import type { Job } from "../job/job.ts";
import { Fifo } from "../collections/fifo.ts";
import type { PayloadStream } from "../job/payload-stream.ts";
import { AbortError } from "../errors.ts";
import type { Payload } from "../peer.ts";
import type { CancelReason } from "../protocol/message.ts";
import { wirePayloadBytes } from "../protocol/codec.ts";
import { ITEM_COST } from "../protocol/constants.ts";
import type { Session } from "../session/session.ts";
import type { Clock } from "../time/clock.ts";

type Result = IteratorResult<Payload, Payload | undefined>;
type End = { readonly ok: true; readonly value: Payload | undefined } | { readonly ok: false; readonly error: unknown };

const OVER: End = { ok: true, value: undefined };

/** The call, as its stream uses it. */
export interface StreamedCall {
  readonly jobId: string;
  /** Absent once it has settled. */
  readonly job: Job | undefined;
  /** Ends it from outside. */
  stop(error: unknown, reason: CancelReason): void;
  /** The worker gave what no caller may get, and is not waited for. */
  onUnusable(fault: string): void;
  /** The worker may send items again: it has the time limit of an attempt from now on. */
  onResumed(now: number): void;
}

/** What all streams of a runner share. */
export interface StreamContext {
  readonly clock: Clock;
  readonly streamBudget: StreamBudget;
  /** The largest item, in bytes. */
  readonly maxPayload: number;
  /** The same of the buffers that stand apart from one. */
  readonly maxAttachments: number;
}

/** One stream, as the call fills it and its reader empties it. */
export class ResultStream implements PayloadStream, AttemptSink<Session> {
  /** Whether an item has arrived, in any attempt. */
  hasBegun = false;
  /** Items that the reader was given. */
  delivered = 0;
  readonly #context: StreamContext;
  readonly #options: CallOptions;
  readonly #onBegun: (stream: PayloadStream) => void;
  readonly #progress: ProgressSink | undefined;
  #call: StreamedCall | undefined;
  #attempt: Attempt<Session> | undefined;
  readonly #unread = new Fifo<Payload>();
  readonly #readers: Deferred<Result>[] = [];
  /** Bytes of the budget it has. */
  #reserved = 0;
  /** Bytes that were read and not given back. */
  #owed = 0;
  #activeAt = Number.NEGATIVE_INFINITY;
  #end: End | undefined;

  /** @param onBegun - Called with the first item. */
  constructor(context: StreamContext, options: CallOptions, onBegun: (stream: PayloadStream) => void) {
    this.#context = context;
    this.#options = options;
    this.#onBegun = onBegun;
    this.#progress = options.onProgress && new ProgressSink(options.onProgress, context.clock);
  }

  /** The call it belongs to. */
  set call(call: StreamedCall) {
    this.#call = call;
  }

  /** An attempt is sent: bytes of items that the worker may send at once. */
  takesItems(): number {
    if (this.#reserved === 0) this.#reserved = this.#context.streamBudget.reserve(this.#options.streamWindow);
    return Math.max(1, this.#reserved);
  }

  get wantsProgress(): boolean {
    return this.#progress !== undefined;
  }

  onProgress(attempt: Attempt<Session>, value: Payload): void {
    this.#progress?.onProgress(attempt, value);
  }

  onItem(attempt: Attempt<Session>, value: Payload, now: number): void {
    const fault = resultFault(value, attempt.session.identity, this.#context);
    if (fault === undefined)
      return this.#push(attempt, this.#call?.job?.takesHoles === true ? value : wholePayload(value), now);
    attempt.session.attempts.cancel(attempt, "cancelled");
    this.#call?.onUnusable(fault);
  }

  #push(attempt: Attempt<Session>, value: Payload, now: number): void {
    this.#attempt = attempt;
    this.#activeAt = now;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#unread.push(value);
    else reader.resolve(this.#give(value));
    if (this.hasBegun) return;
    this.hasBegun = true;
    this.#onBegun(this);
  }

  /** Whether an item was read that no other attempt could take back. */
  get isCommitted(): boolean {
    return this.delivered > 0 && !this.#options.resume;
  }

  /** From when on the silence of the worker counts: never, while it has no credit. */
  quietSince(startedAt: number): number {
    const { credit = 1 } = this.#attempt ?? {};
    return credit <= 0 ? Number.POSITIVE_INFINITY : Math.max(startedAt, this.#activeAt);
  }

  /** Another attempt follows, or what was not read is not wanted any more. */
  restart(): void {
    this.#attempt = undefined;
    this.#activeAt = Number.NEGATIVE_INFINITY;
    this.#owed = 0;
    this.#unread.clear();
  }

  /** The call has settled: what arrived is read before that. */
  end(end: End): void {
    this.#attempt = undefined;
    this.#call = undefined;
    if (this.#end !== undefined) return;
    this.#end = end;
    // What is unread is the reader's from here on: one that never comes must cost the others nothing.
    this.#release();
    for (const reader of this.#readers.splice(0))
      this.#tellEnd().then(reader.resolve.bind(reader), reader.reject.bind(reader));
  }

  next(): Promise<Result> {
    const { signal } = this.#options;
    if (this.#end !== undefined && signal?.aborted === true && this.#unread.length > 0) {
      this.restart();
      this.#end = { ok: false, error: signal.reason };
    }
    const item = this.#unread.shift();
    if (item !== undefined) return Promise.resolve(this.#give(item));
    if (this.#end !== undefined) return this.#tellEnd();
    const reader = new Deferred<Result>();
    this.#readers.push(reader);
    return reader.promise;
  }

  return(value?: Payload): Promise<Result> {
    const call = this.#call;
    if (this.#end === undefined) this.end(OVER);
    this.#end = OVER;
    this.restart();
    const left = "the reader has left the stream";
    call?.stop(new AbortError(left, "cancelled", { jobId: call.jobId }), "cancelled");
    return Promise.resolve({ done: true, value });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #give(value: Payload): Result {
    this.delivered++;
    if (this.#end === undefined) this.#giveBack(wirePayloadBytes(value) + ITEM_COST);
    return { done: false, value };
  }

  /** What was read is given back in pieces of half the window, and with it what the budget could not spare before. */
  #giveBack(bytes: number): void {
    this.#owed += bytes;
    const attempt = this.#attempt;
    if (attempt === undefined || this.#owed * 2 < this.#reserved) return;
    const { streamBudget, clock } = this.#context;
    const more = streamBudget.reserve(this.#options.streamWindow - this.#reserved);
    this.#reserved += more;
    const stoodStill = (attempt.credit ?? 0) <= 0;
    const owed = this.#owed;
    this.#owed = 0;
    attempt.session.attempts.grant(attempt, owed + more);
    if (!stoodStill) return;
    this.#activeAt = clock.now();
    this.#call?.onResumed(this.#activeAt);
  }

  #tellEnd(): Promise<Result> {
    const end = this.#end ?? OVER;
    this.#end = OVER;
    return end.ok ? Promise.resolve({ done: true, value: end.value }) : Promise.reject(end.error);
  }

  #release(): void {
    this.#context.streamBudget.release(this.#reserved);
    this.#reserved = 0;
  }
}
