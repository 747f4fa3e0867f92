/** The stream of a task as its caller reads it. */
import { EncodingError } from "../core/errors.ts";
import type { PayloadStream } from "../core/job/payload-stream.ts";
import type { Payload } from "../core/peer.ts";

/**
 * Items in order, each once, without a gap, then what the task returned. Leaving it (`break`, `return`, `await using`) ends the
 * task's generator.
 */
export interface Stream<Item, Return = void>
  extends AsyncIterableIterator<Item, Return | undefined, undefined>, AsyncDisposable {
  /** The next item. Rejects as the call would have, after the items that had arrived. */
  next(): Promise<IteratorResult<Item, Return | undefined>>;
  /** Leaves the stream. */
  return(value?: Return): Promise<IteratorResult<Item, Return | undefined>>;
  /** The stream itself: it has one reader. */
  [Symbol.asyncIterator](): Stream<Item, Return>;
}

/** A call of a task that gives a stream: `for await` reads it, and `await` gives it as soon as it has begun. */
export interface StreamCall<Item, Return = void> extends Promise<Stream<Item, Return>>, AsyncIterable<Item, Return> {}

/** How a stream's bytes become values, and its errors what its caller knows. */
export interface StreamDecoding {
  decode(payload: Payload): unknown;
  restored(error: unknown): unknown;
}

type Step = IteratorResult<unknown, unknown>;

const OVER: Step = { done: true, value: undefined };

/** A stream of values, over one of payloads. */
export class ValueStream implements Stream<unknown, unknown> {
  readonly #stream: PayloadStream;
  readonly #decoding: StreamDecoding;
  #hasFailed = false;

  constructor(stream: PayloadStream, decoding: StreamDecoding) {
    this.#stream = stream;
    this.#decoding = decoding;
  }

  async next(): Promise<Step> {
    try {
      const step = await this.#stream.next();
      return this.#hasFailed ? OVER : this.#valueOf(step);
    } catch (error) {
      // Of a value that cannot be read: then no other is wanted.
      this.#hasFailed = true;
      await this.#stream.return();
      throw this.#decoding.restored(error);
    }
  }

  async return(value?: unknown): Promise<Step> {
    await this.#stream.return();
    return { done: true, value };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream.return();
  }

  #valueOf({ done, value }: IteratorResult<Payload, Payload | undefined>): Step {
    if (done === true) return { done, value: value === undefined ? undefined : this.#decoding.decode(value) };
    return { value: this.#decoding.decode(value) };
  }
}

/** The promise of a call. It can be read as a stream, whatever the task turns out to give. */
export class CallPromise<T> extends Promise<T> implements AsyncIterable<unknown> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, unknown> {
    return new CallReader(this);
  }
}

function leave(result: unknown): unknown {
  return result instanceof ValueStream ? result.return() : undefined;
}

/** Reads a call as a stream, from before that has begun. */
class CallReader implements AsyncIterableIterator<unknown, unknown> {
  readonly #call: Promise<unknown>;
  #hasLeft = false;

  constructor(call: Promise<unknown>) {
    this.#call = call;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Step> {
    try {
      const result = await this.#call;
      if (result instanceof ValueStream) return await result.next();
      throw new EncodingError("the task gives a value and no stream: `await` it");
    } catch (error) {
      if (this.#hasLeft) return OVER;
      throw error;
    }
  }

  /** A stream that has not begun is left as soon as it has. */
  return(value?: unknown): Promise<Step> {
    this.#hasLeft = true;
    this.#call.then(leave).catch(() => undefined);
    return Promise.resolve({ done: true, value });
  }
}
