/** The receiving half of a socket, shared by the transports: holds frames until a receiver is there, reports the end once. */
import type { CloseReason, Receiver } from "./socket.ts";

/** This end called `close()`. */
export const CLOSED_HERE: CloseReason = { code: "local", message: "closed by this end" };
/** The other end called `close()`. */
export const CLOSED_THERE: CloseReason = { code: "peer", message: "closed by the other end" };

/** A frame over the limit, coming or going. */
export function frameTooLarge(bytes: number, limit: number): CloseReason {
  return { code: "too-large", message: `a frame of ${bytes} bytes is over the limit of ${limit}` };
}

/**
 * The half of a socket every transport has alike: frames are held until it is opened, and it closes exactly once.
 * A transport owns one per socket end and feeds it. Bytes on their way out are the transport's own.
 */
export class Inbox {
  #receiver: Receiver | undefined;
  #held: (readonly [bytes: Uint8Array, attachments: readonly ArrayBufferLike[] | undefined])[] = [];
  #reason: CloseReason | undefined;
  #closedHere = false;
  #isReported = false;

  /** Whether `close` was called: by this end, by the peer or by a failure. */
  get isClosed(): boolean {
    return this.#reason !== undefined;
  }

  /** Takes a frame from the transport. Frames after the close are dropped. */
  frame(bytes: Uint8Array, attachments?: readonly ArrayBufferLike[]): void {
    if (this.#reason !== undefined) return;
    if (this.#receiver === undefined) this.#held.push([bytes, attachments]);
    else this.#receiver.frame(bytes, attachments);
  }

  /** Part of a frame has arrived. */
  progress(): void {
    if (this.#reason === undefined) this.#receiver?.progress?.();
  }

  /** Starts delivery; a second call throws, as a socket has one reader. */
  open(receiver: Receiver): void {
    if (this.#receiver !== undefined) throw new Error("this socket is already open");
    this.#receiver = receiver;
    // Held frames of a socket the peer has closed since are still delivered: they were sent first. A local close drops them.
    const held = this.#held;
    this.#held = [];
    for (const [bytes, attachments] of held) {
      if (this.#closedHere) break;
      receiver.frame(bytes, attachments);
    }
    if (this.#reason !== undefined) this.#report(this.#reason);
  }

  /**
   * Marks the socket closed; `true` the first time. The receiver hears of it at once. For a local close the transport passes
   * `later`, so that `closed` never runs inside the caller's own `close()`.
   */
  close(reason: CloseReason, later?: (report: () => void) => void): boolean {
    if (this.#reason !== undefined) return false;
    this.#reason = reason;
    this.#closedHere = later !== undefined;
    if (later === undefined) this.#report(reason);
    else later(() => this.#report(reason));
    return true;
  }

  #report(reason: CloseReason): void {
    if (this.#receiver === undefined || this.#isReported) return;
    this.#isReported = true;
    this.#receiver.closed(reason);
  }
}
