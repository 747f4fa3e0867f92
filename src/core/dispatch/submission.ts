/** A submitted job: a node of the dispatcher's list until its call settles, and the way of the outcome to the caller. */
import type { CallOptions } from "./call-options.ts";
import type { CallOwner, SubmittedJob } from "./call-context.ts";
import type { LinkedNode, LinkedQueue } from "../collections/linked-queue.ts";
import type { PayloadStream } from "../job/payload-stream.ts";
import type { Payload } from "../peer.ts";
import { ResultStream, type StreamContext } from "./result-stream.ts";

/** Takes a result; of a job that is submitted with a callback, the call as well. */
export type Resolve = (value: Payload, call: SubmittedJob) => void;
/** Takes what a call failed with. */
export type Reject = (error: unknown, call: SubmittedJob) => void;

/** A job whose result is taken as a whole. */
export class Submission implements LinkedNode<Submission>, CallOwner<SubmittedJob> {
  list: object | undefined;
  previous: Submission | undefined;
  next: Submission | undefined;
  call: SubmittedJob | undefined;
  readonly #queue: LinkedQueue<Submission>;
  readonly #resolve: Resolve;
  readonly #reject: Reject;

  constructor(queue: LinkedQueue<Submission>, resolve: Resolve, reject: Reject) {
    this.#queue = queue;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Makes the stream of a call, if one is taken. */
  streamFor(_options: CallOptions, _context: StreamContext): ResultStream | undefined {
    return undefined;
  }

  onSettled(call: SubmittedJob): void {
    const { value } = call;
    this.#queue.remove(this);
    if (value === undefined) this.#reject(call.error, call);
    else this.#resolve(value, call);
  }
}

/** A job whose handler may give a stream: its promise settles with the result, or with the stream once that has begun. */
export class StreamSubmission extends Submission {
  readonly #resolve: (result: Payload | PayloadStream) => void;
  #stream: ResultStream | undefined;

  constructor(
    queue: LinkedQueue<Submission>,
    resolve: (result: Payload | PayloadStream) => void,
    reject: (error: unknown) => void,
  ) {
    super(queue, resolve, reject);
    this.#resolve = resolve;
  }

  override streamFor(options: CallOptions, context: StreamContext): ResultStream {
    this.#stream = new ResultStream(context, options, this.#resolve);
    return this.#stream;
  }

  override onSettled(call: SubmittedJob): void {
    const { value, error, endsStream } = call;
    const stream = this.#stream;
    stream?.end(value === undefined ? { ok: false, error } : { ok: true, value });
    if (stream !== undefined && endsStream === true) this.#resolve(stream);
    // Nothing comes of it for a stream that has begun: the promise has settled.
    super.onSettled(call);
  }
}

/** A job whose outcome goes to a callback, and the stream that its handler may give to another, before that. */
export class ReadSubmission extends Submission {
  readonly #onStream: (stream: PayloadStream) => void;
  #stream: ResultStream | undefined;

  constructor(
    queue: LinkedQueue<Submission>,
    onSettled: (call: SubmittedJob) => void,
    onStream: (stream: PayloadStream) => void,
  ) {
    const settle = (_outcome: unknown, call: SubmittedJob): void => onSettled(call);
    super(queue, settle, settle);
    this.#onStream = onStream;
  }

  override streamFor(options: CallOptions, context: StreamContext): ResultStream {
    this.#stream = new ResultStream(context, options, this.#onStream);
    return this.#stream;
  }

  override onSettled(call: SubmittedJob): void {
    const { value, error } = call;
    this.#stream?.end(value === undefined ? { ok: false, error } : { ok: true, value });
    super.onSettled(call);
  }
}
