/** The stream of a handler, with the time that it takes to give its items: not the time in which none is asked for. */
import type { HandlerTimer } from "./handler-timer.ts";

type Step = IteratorResult<unknown, unknown>;

/** Counts one run of a handler when the stream ends or is left. */
export class TimedItems implements AsyncIterableIterator<unknown, unknown> {
  readonly #items: AsyncIterable<unknown>;
  readonly #timer: HandlerTimer;
  #iterator: AsyncIterator<unknown, unknown> | undefined;
  /** Nanoseconds so far. */
  #spent: bigint;
  #isCounted = false;

  /** @param since - When the handler was called, as `process.hrtime.bigint()` tells it. */
  constructor(items: AsyncIterable<unknown>, timer: HandlerTimer, since: bigint) {
    this.#items = items;
    this.#timer = timer;
    this.#spent = process.hrtime.bigint() - since;
  }

  [Symbol.asyncIterator](): this {
    this.#iterator ??= this.#items[Symbol.asyncIterator]();
    return this;
  }

  next(): Promise<Step> {
    return this.#timed(async () => (await this.#iterator?.next()) ?? { done: true, value: undefined });
  }

  async return(): Promise<Step> {
    try {
      await this.#timed(async () => await this.#iterator?.return?.());
    } finally {
      this.#count();
    }
    return { done: true, value: undefined };
  }

  /** A stream of Node that has not begun is ended by this alone. */
  destroy(): void {
    if ("destroy" in this.#items && typeof this.#items.destroy === "function") this.#items.destroy();
  }

  async #timed<T extends Step | undefined>(fn: () => Promise<T>): Promise<T> {
    const since = process.hrtime.bigint();
    let isOver = true;
    try {
      const step = await fn();
      isOver = step?.done === true;
      return step;
    } finally {
      this.#spent += process.hrtime.bigint() - since;
      if (isOver) this.#count();
    }
  }

  #count(): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    this.#timer.count(process.hrtime.bigint() - this.#spent);
  }
}
