/** The stream of a task at its worker: each item as bytes, as it is pulled. */
import { checkedStep, closableIterator } from "../core/async/closable-iterator.ts";
import type { AsyncContext } from "../core/time/async-context.ts";

/** What makes bytes of an item, and names its errors. */
export interface ItemEncoding {
  encode(value: unknown): Uint8Array;
  named(error: unknown): unknown;
}

type Step = IteratorResult<Uint8Array, Uint8Array>;

/** A stream of values as a stream of bytes. Its end is what the iterator returned, as a value, too. */
export class EncodedItems implements AsyncIterator<Uint8Array, Uint8Array>, AsyncIterable<Uint8Array> {
  readonly #iterator: AsyncIterator<unknown, unknown>;
  readonly #encoding: ItemEncoding;
  readonly #context: AsyncContext | undefined;

  /** @param context - What the iterator's code runs in; absent: where it is pulled. */
  constructor(items: AsyncIterable<unknown>, encoding: ItemEncoding, context: AsyncContext | undefined) {
    this.#encoding = encoding;
    this.#context = context;
    this.#iterator = this.#inContext(() => closableIterator(items));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Step> {
    try {
      const step = checkedStep(await this.#inContext(() => this.#iterator.next()));
      return step.done === true
        ? { done: true, value: this.#encoding.encode(step.value) }
        : await this.#encoded(step.value);
    } catch (error) {
      throw this.#encoding.named(error);
    }
  }

  async return(): Promise<Step> {
    await this.#inContext(() => this.#iterator.return?.());
    return { done: true, value: new Uint8Array() };
  }

  /** An item that cannot be carried ends the iterator, which knows nothing of it. */
  async #encoded(item: unknown): Promise<Step> {
    try {
      return { done: false, value: this.#encoding.encode(item) };
    } catch (error) {
      await this.return().catch(() => undefined);
      throw error;
    }
  }

  #inContext<T>(fn: () => T): T {
    return this.#context === undefined ? fn() : this.#context.runInAsyncScope(fn);
  }
}
