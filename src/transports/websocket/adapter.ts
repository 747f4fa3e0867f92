/**
 * The half that all WebSocket sockets have alike, whichever class is underneath: limits, holding, closing once. The class
 * underneath is a {@link WebSocketAdapter}; the owner of its events feeds them in. Browser-safe.
 */
import { describeError } from "../../core/describe-error.ts";
import { systemClock } from "../../core/time/system.ts";
import { CLOSED_HERE, frameTooLarge, Inbox } from "../../core/transport/inbox.ts";
import type { Peer } from "../../core/peer.ts";
import type { CloseReason, FaultProfile } from "../../core/transport/socket.ts";
import type { Receiver, Socket } from "../../core/transport/socket.ts";

/** What is asked of the WebSocket underneath. */
export interface WebSocketAdapter {
  /** Whether it takes frames. */
  readonly isOpen: boolean;
  /** Bytes taken and not yet handed to the network. */
  readonly bufferedBytes: number;
  /** Whether it does not read what the peer sends. */
  readonly isPaused: boolean;
  /** Whether it tells of a message only once all of it is there. */
  readonly hidesParts: boolean;
  /** Sends one binary message. May throw. */
  send(frame: Uint8Array<ArrayBuffer>): void;
  /** Begins the closing handshake, behind what was sent. May be called when it is closing already. */
  close(reason: CloseReason): void;
}

/** A socket over a {@link WebSocketAdapter}. */
export class WebSocketSocket implements Socket {
  readonly faults: FaultProfile = "stream";
  readonly peer: Peer;
  readonly #wire: WebSocketAdapter;
  readonly #maxFrameBytes: number;
  readonly #inbox = new Inbox();

  constructor(wire: WebSocketAdapter, peer: Peer, maxFrameBytes: number) {
    this.#wire = wire;
    this.peer = peer;
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** Nothing waits in a closed socket, whatever the wire underneath still counts. */
  get bufferedBytes(): number {
    return this.#inbox.isClosed ? 0 : this.#wire.bufferedBytes;
  }

  get isPaused(): boolean {
    return this.#wire.isPaused;
  }

  get hidesParts(): boolean {
    return this.#wire.hidesParts;
  }

  send(frame: Uint8Array<ArrayBuffer>): boolean {
    if (this.#inbox.isClosed || !this.#wire.isOpen) return false;
    if (frame.byteLength > this.#maxFrameBytes) {
      this.close(frameTooLarge(frame.byteLength, this.#maxFrameBytes));
      return false;
    }
    try {
      this.#wire.send(frame);
      return true;
    } catch (error) {
      this.close({
        code: "error",
        message: `sending failed: ${describeError(error)}`,
      });
      return false;
    }
  }

  open(receiver: Receiver): void {
    this.#inbox.open(receiver);
  }

  /** The receiver is told in the next turn: a closing handshake with a dead peer could take for ever. */
  close(reason: CloseReason = CLOSED_HERE): void {
    if (this.#inbox.close(reason, (report) => systemClock.nextTurn(report))) this.#wire.close(reason);
  }

  /** From the wire: a binary message. */
  received(bytes: Uint8Array): void {
    if (bytes.byteLength > this.#maxFrameBytes) this.failed(frameTooLarge(bytes.byteLength, this.#maxFrameBytes));
    else this.#inbox.frame(bytes);
  }

  /** From the wire: part of a binary message. */
  progressed(): void {
    this.#inbox.progress();
  }

  /** From the wire: something that cannot go on. Closes it. */
  failed(reason: CloseReason): void {
    if (this.#inbox.isClosed) return;
    this.#wire.close(reason);
    this.#inbox.close(reason);
  }

  /** From the wire: it is closed. */
  ended(reason: CloseReason): void {
    this.#inbox.close(reason);
  }
}
