/** A stream of payloads as its caller reads it: what `JobRunner.open` gives when the handler returns a stream. */
import type { Payload } from "../peer.ts";

/**
 * Items in order, each once, without a gap, all of one attempt; then, once, the end: what the handler's iterator returned, or an
 * error. Leaving it (`break`, `return`, `await using`) aborts the handler, whose `finally` runs as soon as its pending `await` lets it.
 */
export interface PayloadStream extends AsyncIterableIterator<Payload, Payload | undefined, undefined>, AsyncDisposable {
  /** The next item. Rejects as `JobRunner.execute` does, after the items that had arrived. */
  next(): Promise<IteratorResult<Payload, Payload | undefined>>;
  /** Leaves the stream. */
  return(value?: Payload): Promise<IteratorResult<Payload, Payload | undefined>>;
  /** The stream itself: it has one reader. */
  [Symbol.asyncIterator](): PayloadStream;
}
