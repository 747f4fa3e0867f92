/**
 * The stream that goes into one call: its caller's items, pulled and sent as far as the worker gives credit. An iterable can be
 * read once, so that a call whose iterable was opened has no other attempt; a function gives each attempt an iterable of its own.
 */
import type { AsyncContext } from "../time/async-context.ts";
import { captureAsyncContext } from "../time/system.ts";
import { closeUnread } from "../async/closable-iterator.ts";
import { ItemPump, type ItemPumpOwner, type PumpEnd } from "../async/item-pump.ts";
import { EncodingError } from "../errors.ts";
import { type InputSource, itemsOf } from "../job/input-source.ts";
import { isBytes } from "../job/utf8.ts";
import type { Payload } from "../peer.ts";
import { wirePayloadBytes } from "../protocol/codec.ts";
import { ITEM_COST } from "../protocol/constants.ts";
import type { CancelReason } from "../protocol/message.ts";
import type { Attempt, AttemptFeed } from "../session/attempt.ts";
import type { Session } from "../session/session.ts";
import type { Clock } from "../time/clock.ts";
import { checkItemLimit } from "./payload-limits.ts";

/** The call, as its input uses it. */
export interface FedCall {
  /** Ends it from outside. */
  stop(error: unknown, reason: CancelReason): void;
  /** The worker has what it waited for: it has the time limit of an attempt from now on. */
  onResumed(now: number): void;
}

/** The input of one call, over all its attempts. */
export class InputFeed implements AttemptFeed<Session> {
  readonly #source: InputSource;
  readonly #clock: Clock;
  readonly #call: FedCall;
  /** Where its caller's code runs. */
  readonly #asyncContext = captureAsyncContext?.();
  #current: Feeding | undefined;
  #isOpened = false;

  constructor(source: InputSource, clock: Clock, call: FedCall) {
    this.#source = source;
    this.#clock = clock;
    this.#call = call;
  }

  /** Whether no other attempt could have it. */
  get isSpent(): boolean {
    return this.#wasOpened && typeof this.#source !== "function";
  }

  get #wasOpened(): boolean {
    return this.#isOpened || this.#current?.isOpened === true;
  }

  onCredit(attempt: Attempt<Session>, bytes: number, now: number): void {
    if (this.#current?.attempt !== attempt) {
      this.leave();
      this.#current = new Feeding(attempt, this.#source, this.#clock, this.#asyncContext, this.#call);
    }
    this.#current.onCredit(bytes, now);
  }

  /** From when on the silence of the worker counts: never, while it waits for an item. */
  quietSince(startedAt: number): number {
    return Math.max(startedAt, this.#current?.quietSince ?? startedAt);
  }

  /** The attempt is over: the rest is not wanted there. */
  leave(): void {
    const current = this.#current;
    this.#isOpened = this.#wasOpened;
    this.#current = undefined;
    current?.leave();
  }

  /** The call has settled. */
  end(): void {
    this.leave();
    if (!this.#isOpened) closeSource(this.#source, this.#clock);
  }
}

/** Closes a source that was never begun. It is user code: not now, when a call is about to settle. */
export function closeSource(source: InputSource, clock: Clock): void {
  if (typeof source !== "function") clock.endOfTurn(() => void closeUnread(source).catch(() => undefined));
}

/** The input of one attempt. */
class Feeding implements ItemPumpOwner {
  readonly attempt: Attempt<Session>;
  readonly clock: Clock;
  readonly asyncContext: AsyncContext | undefined;
  readonly #source: InputSource;
  readonly #call: FedCall;
  isOpened = false;
  #pump: ItemPump | undefined;
  #credit = 0;
  #activeAt = Number.NEGATIVE_INFINITY;
  /** Whether the time limit was put off, as the worker waited for an item. */
  #stoodStill = false;
  #isDue = false;
  #isOver = false;

  constructor(
    attempt: Attempt<Session>,
    source: InputSource,
    clock: Clock,
    asyncContext: AsyncContext | undefined,
    call: FedCall,
  ) {
    this.attempt = attempt;
    this.#source = source;
    this.clock = clock;
    this.asyncContext = asyncContext;
    this.#call = call;
  }

  get quietSince(): number {
    const isWaiting = !this.#isOver && this.#pump?.isPulling === true;
    if (isWaiting) this.#stoodStill = true;
    return isWaiting ? Number.POSITIVE_INFINITY : this.#activeAt;
  }

  onCredit(bytes: number, now: number): void {
    this.#activeAt = now;
    if (this.#pump === undefined) this.#credit += bytes;
    else this.#pump.grant(bytes);
    this.#pullSoon();
  }

  readonly #onRelieved = (): void => this.#pullSoon();

  /** User code runs at the end of the turn: now a frame is half read. */
  #pullSoon(): void {
    if (this.#isDue || this.#isOver) return;
    this.#isDue = true;
    this.clock.endOfTurn(() => {
      this.#isDue = false;
      this.#pull();
    });
  }

  #pull(): void {
    if (this.#isOver) return;
    try {
      this.#pump ??= this.#open();
    } catch (error) {
      return this.#fail(error);
    }
    // The source may have ended its own call.
    if (this.#isOver) this.#pump.leave();
    else this.#pump.resume();
  }

  #open(): ItemPump {
    this.isOpened = true;
    const items =
      this.asyncContext === undefined
        ? itemsOf(this.#source)
        : this.asyncContext.runInAsyncScope(itemsOf<Payload>, undefined, this.#source);
    return new ItemPump(items, this.#credit, this);
  }

  holdsUp(): boolean {
    const { attempts } = this.attempt.session;
    if (attempts.hasBacklog) attempts.resumeLater(this.#onRelieved);
    return attempts.hasBacklog;
  }

  onItem(value: unknown): number {
    if (this.#isOver) return 0;
    try {
      return this.#send(value);
    } catch (error) {
      this.#fail(error);
      return 0;
    }
  }

  #send(value: unknown): number {
    const { session } = this.attempt;
    const item = checkedItem(value);
    checkItemLimit(item, session);
    session.attempts.sendInput(this.attempt, item);
    this.#resume();
    return wirePayloadBytes(item) + ITEM_COST;
  }

  #resume(): void {
    this.#activeAt = this.clock.now();
    if (!this.#stoodStill) return;
    this.#stoodStill = false;
    this.#call.onResumed(this.#activeAt);
  }

  onPumped(end: PumpEnd): void {
    if (this.#isOver) return;
    if (!end.ok) return this.#fail(end.error);
    this.#isOver = true;
    this.attempt.session.attempts.endInput(this.attempt);
    this.#resume();
  }

  /** That is the caller's own failure, and ends its call. */
  #fail(error: unknown): void {
    this.leave();
    this.#call.stop(error, "cancelled");
  }

  leave(): void {
    this.#isOver = true;
    this.#pump?.leave();
  }
}

function checkedItem(value: unknown): Payload {
  if (isBytes(value)) return value;
  if (typeof value !== "string") throw new TypeError("an item of `input` must be a string or a Uint8Array");
  if (!value.isWellFormed())
    throw new EncodingError("an item of `input` has a lone surrogate, which UTF-8 cannot carry");
  return value;
}
