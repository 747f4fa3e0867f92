/**
 * Iterators that can be closed while they wait for an item. The `return()` of a stream's own iterator waits behind a pending
 * `next()`: of a stream that gives nothing it would never come, and what the stream holds would stay open.
 */

/** The iterator of a stream. @throws what the iterable throws. */
export function closableIterator(items: AsyncIterable<unknown>): AsyncIterator<unknown, unknown> {
  if (isWebStream(items)) return new WebStreamIterator(items);
  const iterator: AsyncIterator<unknown, unknown> = items[Symbol.asyncIterator]();
  return isNodeStream(items) ? new NodeStreamIterator(items, iterator) : iterator;
}

/** Closes what was never iterated: a stream, or an iterator such as a generator. Of anything else there is nothing to close. */
export async function closeUnread(items: object): Promise<void> {
  if (isNodeStream(items)) items.destroy();
  else if (isWebStream(items)) await items.cancel();
  else if ("return" in items && typeof items.return === "function") await items.return();
}

/** A step as an iterator has to give it. @throws TypeError for what is no object, as `for await` does. */
export function checkedStep<T, R>(step: IteratorResult<T, R>): IteratorResult<T, R> {
  if (typeof step !== "object" || step === null) throw new TypeError("an iterator gave a step that is no object");
  return step;
}

interface NodeStream {
  destroy(): unknown;
}

interface WebStream {
  getReader(): {
    read(): Promise<IteratorResult<unknown, unknown>>;
    cancel(): Promise<void>;
    releaseLock(): void;
  };
  cancel(): Promise<void>;
}

function isNodeStream(items: object): items is NodeStream {
  return "destroy" in items && typeof items.destroy === "function";
}

function isWebStream(items: object): items is WebStream {
  return "getReader" in items && typeof items.getReader === "function";
}

class NodeStreamIterator implements AsyncIterator<unknown, unknown> {
  readonly #stream: NodeStream;
  readonly #iterator: AsyncIterator<unknown, unknown>;

  constructor(stream: NodeStream, iterator: AsyncIterator<unknown, unknown>) {
    this.#stream = stream;
    this.#iterator = iterator;
  }

  next(): Promise<IteratorResult<unknown, unknown>> {
    return this.#iterator.next();
  }

  async return(): Promise<IteratorResult<unknown, unknown>> {
    // What waits for the next item fails by it, and what has not begun knows nothing of its stream.
    this.#stream.destroy();
    await this.#iterator.return?.();
    return { done: true, value: undefined };
  }
}

class WebStreamIterator implements AsyncIterator<unknown, unknown> {
  readonly #reader: ReturnType<WebStream["getReader"]>;

  constructor(stream: WebStream) {
    this.#reader = stream.getReader();
  }

  next(): Promise<IteratorResult<unknown, unknown>> {
    return this.#reader.read();
  }

  async return(): Promise<IteratorResult<unknown, unknown>> {
    await this.#reader.cancel();
    this.#reader.releaseLock();
    return { done: true, value: undefined };
  }
}
