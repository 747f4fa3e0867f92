/**
 * Pulls the items of a stream and sends them, as far as the other end's credit goes: of what a handler gives, and of what goes into
 * a job. One `next()` is pending at a time. When no more is wanted, the iterator's `return()` is called, and the end waits for what is
 * pending.
 */
import { closableIterator } from "./closable-iterator.ts";
import type { AsyncContext } from "../time/async-context.ts";
import type { Clock } from "../time/clock.ts";

/** After an iterator that held up the event loop for so long, in ms, frames are read before the next item is pulled. */
const LONG_MS = 1;

type Step = IteratorResult<unknown, unknown>;

/** What came of a stream: it ended, with what its iterator returned, or it failed. */
export type PumpEnd = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

/** What a pump calls, and is given. */
export interface ItemPumpOwner {
  readonly clock: Clock;
  /** Where its caller's code runs, if that is in this process. */
  readonly asyncContext: AsyncContext | undefined;
  /** Whether there is a backlog: then `resume` follows. */
  holdsUp(): boolean;
  /** Sends an item. Returns what it costs. @throws what makes the job fail. */
  onItem(value: unknown): number;
  /** It is over, and nothing of the iterator runs any more. Called once. */
  onPumped(end: PumpEnd): void;
}

/** Whether a value is a stream: a generator, a ReadableStream, a stream of Node. */
export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** One stream at the end where it comes from. */
export class ItemPump {
  readonly #iterator: AsyncIterator<unknown, unknown>;
  readonly #owner: ItemPumpOwner;
  #credit: number;
  /** Whether a `next()` or a `return()` is pending, or a turn of the event loop. */
  #pending = 0;
  /** Set once no more items are pulled. */
  #end: PumpEnd | undefined;
  #isOver = false;
  #turnBegan: number;

  /** @throws what the iterable throws. */
  constructor(items: AsyncIterable<unknown>, credit: number, owner: ItemPumpOwner) {
    this.#owner = owner;
    this.#iterator = this.#inContext(() => closableIterator(items));
    this.#credit = credit;
    this.#turnBegan = owner.clock.now();
  }

  /** Whether it waits for the next item. */
  get isPulling(): boolean {
    return this.#pending > 0 && this.#end === undefined;
  }

  /** The other end takes so many bytes more. `resume` follows. */
  grant(bytes: number): void {
    this.#credit += bytes;
  }

  /** Pulls the next item, if it may. */
  resume(): void {
    if (this.#pending > 0 || this.#end !== undefined || this.#credit <= 0 || this.#owner.holdsUp()) return;
    this.#pending++;
    try {
      const step = this.#inContext(this.#next);
      Promise.resolve(step).then(this.#onStep, this.#onError);
    } catch (error) {
      this.#onError(error);
    }
  }

  /** No item is wanted any more. */
  leave(): void {
    this.#leave({ ok: true, value: undefined });
  }

  /** No item is wanted any more, and that is the job's end. */
  fail(error: unknown): void {
    this.#leave({ ok: false, error });
  }

  readonly #next = (): Promise<Step> => this.#iterator.next();

  readonly #onStep = (step: Step): void => {
    this.#pending--;
    if (this.#end !== undefined) return this.#finishIfDone();
    try {
      // What an iterator gives may be anything, and throw when it is read.
      if (step.done === true) return this.#endWith({ ok: true, value: step.value });
      this.#credit -= this.#owner.onItem(step.value);
    } catch (error) {
      return this.fail(error);
    }
    this.#goOn();
  };

  readonly #onError = (error: unknown): void => {
    this.#pending--;
    this.#endWith({ ok: false, error });
  };

  /** An iterator that never waits would let no frame in, and no frame out. */
  #goOn(): void {
    const { clock } = this.#owner;
    const now = clock.now();
    if (now - this.#turnBegan <= LONG_MS) return this.resume();
    this.#pending++;
    clock.nextTurn(() => {
      this.#pending--;
      this.#turnBegan = clock.now();
      if (this.#end === undefined) this.resume();
      else this.#finishIfDone();
    });
  }

  /** Lets the iterator clean up: its `finally` runs once its pending `await` lets it. */
  #leave(end: PumpEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#pending++;
    const over = (): void => {
      this.#pending--;
      this.#finishIfDone();
    };
    try {
      Promise.resolve(this.#inContext(this.#return)).then(over, over);
    } catch {
      over();
    }
  }

  readonly #return = async (): Promise<void> => {
    await this.#iterator.return?.();
  };

  #inContext<T>(fn: () => T): T {
    const { asyncContext } = this.#owner;
    return asyncContext === undefined ? fn() : asyncContext.runInAsyncScope(fn);
  }

  #endWith(end: PumpEnd): void {
    this.#end ??= end;
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#isOver || this.#pending > 0 || this.#end === undefined) return;
    this.#isOver = true;
    this.#owner.onPumped(this.#end);
  }
}
