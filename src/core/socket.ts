/**
 * The seam between the core and a transport: all a transport has to build, and the one helper they share.
 * Frames are opaque bytes here; what they mean is in codec.ts.
 */
import type { Peer } from "./peer.ts";

/**
 * What can go wrong on a transport, declared as data so that the core adapts to the declaration and never to a name.
 *
 * - `stream`: an ordered prefix arrives, then the connection is cut and both ends see it (TCP, WebSocket).
 * - `port`: as `stream`, but a dead peer may stay silent: only missing heartbeats tell (MessagePort). Nothing but the peer's
 *   own event loop takes what is sent: bytes that wait say that it is busy. They hold back new work and never end a session.
 * - `lossy`: single frames may vanish. Needs an acknowledged hand-over, which version 1 does not have: refused.
 */
export type FaultProfile = "stream" | "port" | "lossy";

/** Why a socket closed. */
export type CloseCode =
  | "local" // this end called close()
  | "peer" // the other end closed
  | "error" // the transport failed: reset, crash, exit
  | "too-large" // a frame over the limit
  | "violation"; // the peer sent what the transport does not carry

/** Why a socket closed; transport errors are folded into it. */
export interface CloseReason {
  /** Which kind of end it was. */
  readonly code: CloseCode;
  /** For people to read. May hold a peer's words: treat as text. */
  readonly message: string;
}

/** Who takes a socket's frames. */
export interface Receiver {
  /** One whole frame, in the order sent. The bytes belong to the receiver from here on. */
  frame(bytes: Uint8Array): void;
  /** The socket is closed. Called exactly once, also after a local `close()`; no frame follows it. */
  closed(reason: CloseReason): void;
}

/** One end of an ordered, message-preserving pipe to one peer. */
export interface Socket {
  /**
   * Hands over one frame, whose bytes belong to the socket from here on. Never blocks, never throws, never delivers
   * synchronously. `false` once closed. A frame taken before `close()` still leaves if the connection is healthy.
   */
  send(frame: Uint8Array<ArrayBuffer>): boolean;
  /**
   * Bytes taken by `send` that the network, or on a port the peer, has not taken yet: the caller's only back-pressure signal.
   * Grows while nothing is taken, and is 0 again once all is; up to 64 KiB may go uncounted.
   */
  readonly bufferedBytes: number;
  /** Who the transport says this is. */
  readonly peer: Peer;
  /** What can go wrong on this socket. */
  readonly faults: FaultProfile;
  /** Starts delivery, once. Frames that arrived earlier were held and are delivered before this returns or soon after. */
  open(receiver: Receiver): void;
  /** Closes this end. May be called twice. `Receiver.closed` follows in a later turn, never inside this call. */
  close(reason?: CloseReason): void;
}

/** What a listener or dialer is told by whoever runs it. */
export interface SocketLimits {
  /** The largest frame to accept or send, in bytes; a larger one closes the socket with `too-large`. */
  readonly maxFrameBytes: number;
}
