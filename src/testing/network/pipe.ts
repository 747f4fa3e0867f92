/**
 * One direction of a simulated connection: frames on their way, in order, each with its time of arrival. Knows no faults by
 * name; connection.ts and network.ts block it, slow it down and cut it.
 */
import type { Clock, TimerHandle } from "../../core/time/clock.ts";
import { decodeFrame } from "../../core/protocol/codec.ts";
import { ProtocolError } from "../../core/errors.ts";
import type { Message } from "../../core/protocol/message.ts";
import type { CloseReason } from "../../core/transport/socket.ts";

/** A frame on its way. */
export interface Frame {
  readonly bytes: Uint8Array;
  /** What it says; `undefined` when it is malformed. */
  readonly messages: readonly Message[] | undefined;
}

/** What arrives at the end of a pipe. */
export type Arrival = { readonly frame: Frame } | { readonly end: CloseReason };

interface Parcel {
  readonly arrival: Arrival;
  readonly bytes: number;
  readonly isEnd: boolean;
  due: number;
}

/** How a pipe carries. */
export interface PipeOptions {
  readonly clock: Clock;
  /** Draws how long one frame takes, in ms. */
  readonly latency: () => number;
  /** Bytes the network takes in before they count as waiting at the sender. */
  readonly window: number;
  /** Something has arrived. Until `read` is called its bytes count as unread: a machine that stands still reads nothing. */
  readonly onArrival: (arrival: Arrival, read: () => void) => void;
}

/** Ordered, whole frames, until it is cut. */
export class Pipe {
  readonly #options: PipeOptions;
  #queue: Parcel[] = [];
  /** Bytes on their way, and those that have arrived and are unread. */
  #bytes = 0;
  #timer: TimerHandle;
  #timerSet = false;
  #lastDue = 0;
  #blocked = false;
  /** Bytes per ms; `Infinity`: as they come. */
  #rate = Number.POSITIVE_INFINITY;
  #ended = false;
  /** Nothing of it counts any more. */
  #sealed = false;
  /** Its sender has crashed silently. */
  #orphaned = false;

  constructor(options: PipeOptions) {
    this.#options = options;
  }

  /** Bytes that wait at the sender. */
  get bufferedBytes(): number {
    return Math.max(0, this.#bytes - this.#options.window);
  }

  /** Whether nothing can be sent through it any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Sends a frame, `extra` ms slower than others. */
  send(frame: Frame, extra = 0): void {
    if (!this.#ended) this.#push({ frame }, frame.bytes.byteLength, extra);
  }

  /** Ends it, behind what is on its way. */
  end(reason: CloseReason): void {
    if (this.#ended) return;
    this.#push({ end: reason }, 0, 0);
    this.#ended = true;
  }

  /** Loses everything on its way but the first `keep` frames, then ends it. An end that is still on its way is lost, too. */
  cut(keep: number, reason: CloseReason): void {
    if (this.#ended && this.#queue.length === 0) return;
    this.#drop(Math.min(keep, this.length));
    this.end(reason);
  }

  /** Loses everything on its way, and what is still sent. Neither end learns of it. */
  seal(): void {
    this.#drop(0);
    this.#bytes = 0;
    this.#sealed = true;
    this.#ended = true;
  }

  /** Its sender has crashed silently: what the network does not carry, now or when it is blocked later, is not sent again. */
  orphan(): void {
    this.#orphaned = true;
    this.#drop(this.#blocked ? 0 : this.#takenIn());
  }

  /** How many frames are on their way. */
  get length(): number {
    return this.#queue.at(-1)?.isEnd === true ? this.#queue.length - 1 : this.#queue.length;
  }

  /** Whether nothing arrives now. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Nothing arrives while it is blocked; what is sent waits. */
  block(blocked: boolean): void {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    if (blocked && this.#orphaned) this.#drop(0);
    this.#replan();
  }

  /** The receiver takes `bytesPerSecond`; `Infinity`: as they come. */
  throttle(bytesPerSecond: number): void {
    const rate = bytesPerSecond / 1_000;
    if (this.#rate === rate) return;
    this.#rate = rate;
    this.#replan();
  }

  #push(arrival: Arrival, bytes: number, extra: number): void {
    this.#bytes += bytes;
    const due = this.#options.clock.now() + this.#options.latency() + extra;
    this.#queue.push({ arrival, bytes, isEnd: "end" in arrival, due: this.#after(due, bytes) });
    this.#setTimer();
  }

  /** Nothing overtakes, and a slow receiver takes its time for each byte. */
  #after(due: number, bytes: number): number {
    this.#lastDue = Math.max(this.#lastDue, due) + bytes / this.#rate;
    return this.#lastDue;
  }

  #replan(): void {
    this.#clearTimer();
    const now = this.#options.clock.now();
    this.#lastDue = now;
    for (const parcel of this.#queue) parcel.due = this.#after(now + this.#options.latency(), parcel.bytes);
    this.#setTimer();
  }

  /** How many of the frames the network has taken in; the others wait at the sender. */
  #takenIn(): number {
    let room = this.#options.window;
    const first = this.#queue.findIndex(({ bytes }) => (room -= bytes) < 0);
    return first < 0 ? this.#queue.length : first;
  }

  #drop(keep: number): void {
    for (const { bytes, isEnd } of this.#queue.splice(keep)) {
      this.#bytes -= bytes;
      if (isEnd) this.#ended = false; // that end will not arrive
    }
    if (this.#queue.length === 0) this.#clearTimer();
  }

  /** One timer, for the first: so no two frames of a pipe are ever due at once and change places. */
  #setTimer(): void {
    const first = this.#queue[0];
    if (this.#timerSet || this.#blocked || first === undefined) return;
    this.#timerSet = true;
    const delay = Math.max(0, first.due - this.#options.clock.now());
    this.#timer = this.#options.clock.set(delay, () => this.#deliver(), false);
  }

  #clearTimer(): void {
    if (!this.#timerSet) return;
    this.#timerSet = false;
    this.#options.clock.clear(this.#timer);
  }

  #deliver(): void {
    this.#timerSet = false;
    const first = this.#queue.shift();
    if (first === undefined) return;
    this.#setTimer();
    const { arrival, bytes } = first;
    this.#options.onArrival(arrival, () => {
      if (!this.#sealed) this.#bytes -= bytes;
    });
  }
}

/** A frame of these bytes. They may say nothing: the network carries anything. */
export function frameOf(bytes: Uint8Array): Frame {
  const messages: Message[] = [];
  try {
    decodeFrame(bytes, (message) => messages.push(message));
    return { bytes, messages };
  } catch (error) {
    if (error instanceof ProtocolError) return { bytes, messages: undefined };
    throw error;
  }
}
