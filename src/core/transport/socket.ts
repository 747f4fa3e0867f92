/**
 * The seam between the core and a transport: what a transport has to build. Frames are opaque bytes here; codec.ts reads
 * them, inbox.ts is the half that all transports share.
 */
import type { JobContexts } from "../time/async-context.ts";
import type { AttachmentKind, Peer } from "../peer.ts";

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
  | "too-slow" // a frame of the peer came too slowly while other connections waited
  | "violation"; // the peer sent what the transport does not carry

/** Why a socket closed; transport errors are folded into it. */
export interface CloseReason {
  /** Which kind of end it was. */
  readonly code: CloseCode;
  /** For people to read. May hold a peer's words: treat as text. */
  readonly message: string;
  /** The error behind it, if there is one: that of a thread that crashed. */
  readonly cause?: unknown;
}

/** What takes a socket's frames. */
export interface Receiver {
  /**
   * One whole frame, in the order sent. The bytes belong to the receiver from here on, and so do the attachments that were sent
   * with it, if there were any.
   */
  frame(bytes: Uint8Array, attachments?: readonly ArrayBufferLike[]): void;
  /** Part of a frame has arrived: the peer is alive. A transport that sees frames only whole never calls it. */
  progress?(): void;
  /** The socket is closed. Called exactly once, also after a local `close()`; no frame follows it. */
  closed(reason: CloseReason): void;
}

/**
 * Whether the runner or the worker has a prefetched job, in memory that both share: a recall needs no message to be read. The
 * runner parks, recalls and frees, the worker begins. See shared-claims.ts.
 */
export interface Claims {
  /** Marks an attempt that is about to be sent as one that waits. `false`: it cannot be marked, and only messages recall it. */
  park(attemptId: number): boolean;
  /** Takes a parked attempt back. `true`: it never begins. `false`: it has begun, or was not parked. */
  recall(attemptId: number): boolean;
  /** Whether the worker may begin this attempt. `false`: it was taken back. */
  begin(attemptId: number): boolean;
  /** The worker has answered this attempt, so no message it has yet to read names it. */
  free(attemptId: number): void;
}

/** One end of an ordered, message-preserving pipe to one peer. */
export interface Socket {
  /**
   * Hands over one frame, whose bytes belong to the socket from here on. Never blocks, never throws, never delivers
   * synchronously. `false` once closed. A frame taken before `close()` still leaves if the connection is healthy.
   * @param attachments - Memory that goes with the frame and is not copied: given only to a socket that declares `attachments`.
   */
  send(frame: Uint8Array<ArrayBuffer>, attachments?: readonly ArrayBufferLike[]): boolean;
  /**
   * Bytes taken by `send` that the network, or on a port the peer, has not taken yet: the caller's only back-pressure signal.
   * Grows while nothing is taken, and is 0 again once all is; up to 64 KiB may go uncounted. Attachments are not counted.
   */
  readonly bufferedBytes: number;
  /** What it hands over beside a frame; absent: nothing, and all is sent as bytes. */
  readonly attachments?: AttachmentKind | undefined;
  /** The other end, as the transport knows it. */
  readonly peer: Peer;
  /** Whether the transport does not read what the peer sends, to hold back bytes: its silence says nothing then. */
  readonly isPaused?: boolean;
  /**
   * Whether nothing is told of a frame before all of it is there, though that may take long: a silence may be a large frame on
   * a slow line. Absent: {@link Receiver.progress} is called, or frames take no time.
   */
  readonly hidesParts?: boolean;
  /** Where both ends share memory: the claims to the jobs of this socket's session. */
  readonly claims?: Claims | undefined;
  /** What can go wrong on this socket. */
  readonly faults: FaultProfile;
  /** Of a socket whose other end is in the same process: shared by both ends. */
  readonly jobContexts?: JobContexts;
  /** Whether the host closes it when the peer is gone, for whatever reason: a worker takes no silence for death then. */
  readonly reportsPeerExit?: boolean;
  /** Starts delivery, once. Frames that arrived earlier were held and are delivered before this returns or soon after. */
  open(receiver: Receiver): void;
  /** Closes this end. May be called twice. `Receiver.closed` follows in a later turn, never inside this call. */
  close(reason?: CloseReason): void;
}

/** What a reservation tells its connection. */
export interface IncomingOwner {
  /** What it waited for is granted: read on. */
  onGranted(): void;
  /** It held bytes for too long while others waited, and holds none any more: end the connection. */
  onEvicted(message: string): void;
}

/** What one connection holds of the budget, for one frame at a time. */
export interface IncomingReservation {
  /** Whether it waits for bytes it has asked for. */
  readonly isWaiting: boolean;
  /**
   * Asks for `bytes` in all for the frame that is under way, of which `received` have arrived. `false` when it has to wait:
   * {@link IncomingOwner.onGranted} follows, unless it is released before. Not to be called while it waits.
   */
  reserve(bytes: number, received: number): boolean;
  /** So many bytes of the frame have arrived. */
  progress(received: number): void;
  /** The frame was delivered, or its connection is gone. May be called twice. */
  release(): void;
}

/** The budget, as transports see it. */
export interface IncomingBytes {
  /** Makes the reservation of one connection. It holds nothing yet. */
  reservation(owner: IncomingOwner): IncomingReservation;
}

/** What a runner or a worker tells its listeners and dialers. */
export interface SocketLimits {
  /** The largest frame to accept or send, in bytes; a larger one closes the socket with `too-large`. */
  readonly maxFrameBytes: number;
  /**
   * The budget for frames that arrive, shared by all sockets of a runner. For transports that learn a frame's length before
   * its body arrives, and can stop reading.
   */
  readonly incoming?: IncomingBytes;
}
