/** The stream that goes into a task: at its caller values as bytes, at its worker bytes as values. */
import { checkedStep, closableIterator, closeUnread } from "../core/async/closable-iterator.ts";
import { EncodingError } from "../core/errors.ts";
import { type InputSource, isInputSource, itemsOf } from "../core/job/input-source.ts";
import type { Payload } from "../core/peer.ts";
import { handled, type JobInput } from "../core/worker/input-stream.ts";
import { Transferred } from "./transfer.ts";

type Encode = (value: unknown, root: string) => Uint8Array;

/** A caller's values as payloads, encoded as they are pulled. What is no source is left to the check of options. */
export function encodedSource(source: InputSource<unknown>, encode: Encode): InputSource {
  if (isInputSource(source) !== undefined) return source as InputSource;
  return typeof source === "function" ? () => new EncodedSource(source(), encode) : new EncodedSource(source, encode);
}

/** What the core iterates, or closes unread. */
class EncodedSource implements AsyncIterable<Payload> {
  readonly #source: Iterable<unknown> | AsyncIterable<unknown>;
  readonly #encode: Encode;

  constructor(source: Iterable<unknown> | AsyncIterable<unknown>, encode: Encode) {
    this.#source = source;
    this.#encode = encode;
  }

  [Symbol.asyncIterator](): EncodedInput {
    return new EncodedInput(closableIterator(itemsOf(this.#source)), this.#encode);
  }

  return(): Promise<void> {
    return closeUnread(this.#source);
  }
}

/** Why no generator: its `return` would wait for a source that gives nothing. */
class EncodedInput implements AsyncIterator<Uint8Array, undefined> {
  readonly #iterator: AsyncIterator<unknown, unknown>;
  readonly #encode: Encode;

  constructor(iterator: AsyncIterator<unknown, unknown>, encode: Encode) {
    this.#iterator = iterator;
    this.#encode = encode;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const step = checkedStep(await this.#iterator.next());
    if (step.done === true) return { done: true, value: undefined };
    try {
      return { done: false, value: this.#encoded(step.value) };
    } catch (error) {
      // The iterator knows nothing of it. What it does at its end is not waited for, and no news beside this.
      void this.return().catch(() => undefined);
      throw error;
    }
  }

  #encoded(value: unknown): Uint8Array {
    if (value instanceof Transferred) throw new TypeError("`transfer(…)` is not for the items of `input`");
    return this.#encode(value, "item");
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.#iterator.return?.();
    return { done: true, value: undefined };
  }
}

/** What a task reads. Of a call that gave nothing to read each read fails. */
export class DecodedInput implements JobInput<unknown> {
  readonly #input: JobInput | undefined;
  readonly #decode: (bytes: Uint8Array) => unknown;

  constructor(input: JobInput | undefined, decode: (bytes: Uint8Array) => unknown) {
    this.#input = input;
    this.#decode = decode;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return handled(this.#read());
  }

  async #read(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#input === undefined)
      throw Object.assign(new TypeError("the task reads a stream, and its call has no option `input`"), {
        code: "INVALID_INPUT",
      });
    const step = await this.#input.next();
    if (step.done === true) return step;
    if (typeof step.value === "string") throw new EncodingError("an item of `input` is text and no value");
    return { done: false, value: this.#decode(step.value) };
  }

  async return(): Promise<IteratorResult<unknown, undefined>> {
    await this.#input?.return();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
