/**
 * The stream of one line: read as far as the pipeline lets it, its items kept until they are written. When it may be read on is
 * decided in pipeline.ts.
 */
import { Deferred } from "../../core/async/deferred.ts";
import { heldPayloadBytes } from "../../core/job/held-bytes.ts";
import type { Payload, PayloadStream } from "../../index.ts";
import { Fifo } from "../../core/collections/fifo.ts";

/** What an item takes besides its bytes, an upper estimate. */
const ITEM_BYTES = 256;

/** What a stream of a line `L` asks and tells the pipeline. */
export interface LineStreamOwner<L> {
  /** Whether the next item may be read now. If not, `wake` follows. */
  mayRead(stream: LineStream<L>): boolean;
  /** An item waits to be written. */
  onItem(stream: LineStream<L>, bytes: number): void;
  /** No item follows, and the call has settled. Called once, in a step of its own. */
  onEnd(stream: LineStream<L>): void;
}

/** Bytes that an item holds while it waits. */
export function itemBytes(item: Payload): number {
  return heldPayloadBytes(item) + ITEM_BYTES;
}

/** One stream, from its first item to its end. */
export class LineStream<L> {
  readonly line: L;
  /** Why the command left it. */
  fault: unknown;
  readonly #stream: PayloadStream;
  readonly #owner: LineStreamOwner<L>;
  readonly #items = new Fifo<{ readonly value: Payload }>();
  /** Pending while it may not be read. */
  #pause: Deferred<void> | undefined;

  constructor(line: L, stream: PayloadStream, owner: LineStreamOwner<L>) {
    this.line = line;
    this.#stream = stream;
    this.#owner = owner;
    void this.#read();
  }

  /** Whether no item waits to be written. */
  get isEmpty(): boolean {
    return this.#items.first === undefined;
  }

  /** Whether it stands still until `wake`. */
  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** Asks again whether it may be read. */
  wake(): void {
    this.#pause?.resolve();
  }

  /** Takes the first item that waits. */
  shift(): Payload | undefined {
    return this.#items.shift()?.value;
  }

  /** Ends it: what it gave cannot be written. */
  leave(fault: unknown): void {
    this.fault ??= fault;
    void this.#stream.return();
    this.wake();
  }

  async #read(): Promise<void> {
    // In a step of its own: the runner is in the middle of a frame.
    await Promise.resolve();
    try {
      for (let step = await this.#next(); step.done !== true; step = await this.#next()) {
        this.#items.push({ value: step.value });
        this.#owner.onItem(this, itemBytes(step.value));
      }
    } catch {
      // The call has the error, too.
    }
    this.#owner.onEnd(this);
  }

  async #next(): Promise<IteratorResult<Payload, Payload | undefined>> {
    while (this.fault === undefined && !this.#owner.mayRead(this)) {
      this.#pause = new Deferred();
      await this.#pause.promise;
      this.#pause = undefined;
    }
    return await this.#stream.next();
  }
}
