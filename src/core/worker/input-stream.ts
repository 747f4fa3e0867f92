/**
 * The stream that goes into a job, as its handler reads it: kept until it is read, and asked for with credit. Nothing is asked for
 * before the first read, so that a handler that reads nothing costs its caller nothing.
 */
import { Deferred } from "../async/deferred.ts";
import { Fifo } from "../collections/fifo.ts";
import { wholePayload } from "../job/holed-bytes.ts";
import type { Payload } from "../peer.ts";
import { wirePayloadBytes } from "../protocol/codec.ts";
import { ITEM_COST } from "../protocol/constants.ts";

/** Items in order, each once, without a gap, then the end. It has one reader, and rejects once the job is aborted. */
export interface JobInput<Item = Payload> extends AsyncIterableIterator<Item, undefined, undefined>, AsyncDisposable {
  /** The next item. */
  next(): Promise<IteratorResult<Item, undefined>>;
  /** Reads no more: the caller's iterable is closed once the job has its result. */
  return(): Promise<IteratorResult<Item, undefined>>;
  /** The stream itself: it has one reader. */
  [Symbol.asyncIterator](): JobInput<Item>;
}

type Step = IteratorResult<Payload, undefined>;

const OVER: Step = { done: true, value: undefined };

/** A read that is not waited for any more must not end its process: a handler that asks ahead gives up when its job is aborted. */
export function handled<T>(read: Promise<T>): Promise<T> {
  read.catch(() => undefined);
  return read;
}

/** The input of one job. */
export class InputStream implements JobInput {
  readonly #window: number;
  readonly #ask: (bytes: number) => void;
  readonly #unread = new Fifo<Payload>();
  readonly #readers: Deferred<Step>[] = [];
  /** Bytes that were read and not asked for again; the whole window, until the first read. */
  #owed: number;
  #end: "open" | "ended" | "failed" = "open";
  #error: unknown;

  /** @param ask - Asks the other end for so many bytes more. */
  constructor(window: number, ask: (bytes: number) => void) {
    this.#window = window;
    this.#owed = window;
    this.#ask = ask;
  }

  /** An item has come. */
  onInput(value: Payload): void {
    if (this.#end !== "open") return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#unread.push(value);
    else reader.resolve(this.#give(value));
  }

  /** The last item has come, or no other is wanted. */
  endInput(): void {
    if (this.#end !== "open") return;
    this.#end = "ended";
    for (const reader of this.#readers.splice(0)) reader.resolve(OVER);
  }

  /** The job is over: a reader that goes on must not take what it has for all. */
  close(error: unknown): void {
    if (this.#end === "open") this.fail(error);
  }

  /** The job is aborted: what waits for an item waits no longer. */
  fail(error: unknown): void {
    if (this.#end === "failed") return;
    this.#end = "failed";
    this.#error = error;
    this.#unread.clear();
    for (const reader of this.#readers.splice(0)) reader.reject(error);
  }

  next(): Promise<Step> {
    const item = this.#unread.shift();
    if (item !== undefined) return Promise.resolve(this.#give(item));
    if (this.#end === "failed") return handled(Promise.reject<Step>(this.#error));
    if (this.#end === "ended") return Promise.resolve(OVER);
    const reader = new Deferred<Step>();
    this.#readers.push(reader);
    this.#askAgain();
    return handled(reader.promise);
  }

  return(): Promise<Step> {
    this.endInput();
    this.#unread.clear();
    return Promise.resolve(OVER);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #give(value: Payload): Step {
    this.#owed += wirePayloadBytes(value) + ITEM_COST;
    if (this.#end === "open") this.#askAgain();
    return { done: false, value: wholePayload(value) };
  }

  /** What was read is asked for in pieces of half the window. */
  #askAgain(): void {
    if (this.#owed * 2 < this.#window) return;
    const owed = this.#owed;
    this.#owed = 0;
    this.#ask(owed);
  }
}
