/**
 * The runner's end of a thread's connection: a port that also learns how the thread ended. A port alone shows that it was closed
 * and not why, and the error of a lost job has to give the reason.
 */
import type { AttachmentKind, Peer } from "../core/peer.ts";
import type { Claims, CloseReason, Receiver, Socket } from "../core/transport/socket.ts";
import { messagePortSocket, type MessagePortSocketOptions, type PortLike } from "../transports/message-port.ts";

/** A socket to a supervised thread. */
export class ThreadSocket implements Socket {
  /** The supervisor sees every death; but only the thread itself takes what is sent, whenever its handlers let it. */
  readonly faults = "port";
  readonly #inner: Socket;
  readonly #onClosed: (reason: CloseReason) => void;
  #receiver: Receiver | undefined;
  /** The port was closed by the thread, or by its death: which of the two is not known yet. */
  #waiting = false;
  #exitReason: CloseReason | undefined;
  #closedHere = false;

  /** @param onClosed - Told once the port is closed, by whichever end, and before the receiver is. */
  constructor(port: PortLike, options: MessagePortSocketOptions, onClosed: (reason: CloseReason) => void) {
    this.#inner = messagePortSocket(port, options);
    this.#onClosed = onClosed;
  }

  /** Whether this end closed it, before the thread did or died. */
  get closedHere(): boolean {
    return this.#closedHere;
  }

  get claims(): Claims | undefined {
    return this.#inner.claims;
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  get peer(): Peer {
    return this.#inner.peer;
  }

  get attachments(): AttachmentKind | undefined {
    return this.#inner.attachments;
  }

  send(frame: Uint8Array<ArrayBuffer>, attachments?: readonly ArrayBufferLike[]): boolean {
    return this.#inner.send(frame, attachments);
  }

  open(receiver: Receiver): void {
    this.#receiver = receiver;
    this.#inner.open({
      frame: (bytes, attachments) => receiver.frame(bytes, attachments),
      closed: (reason) => this.#closed(reason),
    });
  }

  close(reason?: CloseReason): void {
    // Known at once, unlike what the receiver is told in a later turn: the thread may be gone by then.
    this.#closedHere = !this.#waiting;
    this.#inner.close(reason);
  }

  /**
   * The thread is dead. The receiver is told so once it has had the frames that were sent before.
   * @param portCloses - Whether the port tells when that is. Where it never does, no more frames are waited for.
   * @param cause - What it crashed with, if that is known.
   */
  threadEnded(message: string, portCloses: boolean, cause: unknown): void {
    this.#exitReason = { code: "error", message, cause };
    if (this.#waiting) this.#receiver?.closed(this.#exitReason);
    else if (!portCloses) this.#inner.close(this.#exitReason);
  }

  #closed(reason: CloseReason): void {
    this.#onClosed(reason);
    if (reason.code !== "peer") this.#receiver?.closed(reason);
    else if (this.#exitReason !== undefined) this.#receiver?.closed(this.#exitReason);
    else this.#waiting = true;
  }
}
