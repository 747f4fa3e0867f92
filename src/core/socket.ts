/**
 * The seam between the core and a transport: all a transport has to build, and the one helper they share.
 * Frames are opaque bytes here; what they mean is in codec.ts.
 */
import type { RunnerEvent } from "./events.ts";
import type { RunnerStats } from "./stats.ts";

/**
 * What can go wrong on a transport, declared as data so that the core adapts to the declaration and never to a name.
 *
 * - `stream`: an ordered prefix arrives, then the connection is cut and both ends see it (TCP, WebSocket).
 * - `port`: as `stream`, but a dead peer may stay silent: only missing heartbeats tell (MessagePort).
 * - `lossy`: single frames may vanish. Needs an acknowledged hand-over, which version 1 does not have: refused.
 */
export type FaultProfile = "stream" | "port" | "lossy";

/** Who is at the other end according to the transport. Never what the peer claims in a frame. */
export interface Peer {
  /** The transport's name: `memory`, `message-port`, `websocket`, `thread`. For people to read. */
  readonly transport: string;
  /** Where the peer is, for people to read: `127.0.0.1:50214`, `thread 3`. */
  readonly address: string;
  /** Whom the transport authenticated. Identities belong to principals; two peers of one principal may replace each other. */
  readonly principal: string;
  /** The only identity it may register by, when the transport was told so. */
  readonly identity?: string | undefined;
}

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
  /** Bytes taken by `send` that have not left yet: the caller's only back-pressure signal. */
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

/** What a listener may see of the runner it serves: numbers and events, nothing to change anything with. */
export interface RunnerView {
  /** The numbers of this moment. */
  stats(): RunnerStats;
  /** Calls `listener` for every event; the returned function ends that. Events of single jobs cost each of them a little. */
  on(listener: (event: RunnerEvent) => void): () => void;
}

/** What a listener may ask of the runner it serves, for somebody who has shown the right to. */
export interface RunnerControls {
  /**
   * Sends a worker away; `false` when none of that name is registered. `gently`, it gets no more work, finishes what it
   * has and does not come back for a minute; else it is cut off, and what it has in hand is lost.
   */
  letGo(identity: string, gently: boolean): boolean;
  /** Takes no new jobs, finishes those there are, then stops the runner. May be called twice. */
  drain(): void;
}

/** What a listener is given when it starts. */
export interface ListenerContext extends SocketLimits {
  /** The runner, to look at. Absent when it is not a runner that listens. */
  readonly runner?: RunnerView;
  /** The same, to act on. */
  readonly controls?: RunnerControls;
  /** Reports trouble that is nobody's call to fail: a server error, a thread that cannot be kept alive. */
  report(error: Error): void;
}

/** Accepts sockets. May be started again after `stop`. */
export interface Listener {
  /**
   * Resolves once sockets can arrive; rejects, with a `PowerhoseError` or the host's error, when they never will. Settles,
   * one way or the other, once `stop` is called.
   */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void>;
  /** Closes every socket it accepted and gives back the address. May be called twice. */
  stop(): Promise<void>;
  /** Where it listens, for people to read, and to dial where that makes sense: `ws://127.0.0.1:7070/`. */
  readonly address: string;
}

/** Opens sockets. */
export interface Dialer {
  /** Set when the other end lives in this process: waiting for it to come back is then no reason for the process to stay. */
  readonly sameProcess?: boolean;
  /** Opens one socket. Rejects with the signal's reason, an {@link AuthError} when refused, or another error. */
  dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket>;
}

/**
 * The half of a socket every transport has alike: frames are held until somebody opens it, and it closes exactly once.
 * A transport owns one per socket end and feeds it; it knows nothing of bytes on their way out.
 */
export class Inbox {
  #receiver: Receiver | undefined;
  #held: Uint8Array[] = [];
  #reason: CloseReason | undefined;
  #closedHere = false;
  #told = false;

  /** Whether `close` was called: by this end, by the peer or by a failure. */
  get isClosed(): boolean {
    return this.#reason !== undefined;
  }

  /** Takes a frame from the transport. Frames after the close are dropped. */
  frame(bytes: Uint8Array): void {
    if (this.#reason !== undefined) return;
    if (this.#receiver === undefined) this.#held.push(bytes);
    else this.#receiver.frame(bytes);
  }

  /** Starts delivery; a second call throws, as a socket has one reader. */
  open(receiver: Receiver): void {
    if (this.#receiver !== undefined) throw new Error("this socket is already open");
    this.#receiver = receiver;
    // Held frames of a socket the peer has closed since are still delivered: they were sent first. A local close drops them.
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) {
      if (this.#closedHere) break;
      receiver.frame(bytes);
    }
    if (this.#reason !== undefined) this.#tell(this.#reason);
  }

  /**
   * Marks the socket closed; `true` the first time. Tells the receiver at once: for a local close the transport calls
   * `later` instead, so that `closed` never runs inside the caller's own `close()`.
   */
  close(reason: CloseReason, later?: (tell: () => void) => void): boolean {
    if (this.#reason !== undefined) return false;
    this.#reason = reason;
    this.#closedHere = later !== undefined;
    if (later === undefined) this.#tell(reason);
    else later(() => this.#tell(reason));
    return true;
  }

  #tell(reason: CloseReason): void {
    if (this.#receiver === undefined || this.#told) return;
    this.#told = true;
    this.#receiver.closed(reason);
  }
}
