/**
 * Runner and workers in one process, without infrastructure: one listener, any number of dialers. The pipe itself is
 * core/transport/socket-pair.ts; this file joins dialers to the listener, and keeps the accepted sockets for `stop`.
 */
import type { JobContexts } from "../core/time/async-context.ts";
import type { Clock } from "../core/time/clock.ts";
import { systemClock } from "../core/time/system.ts";
import type { Dialer, Listener, ListenerContext } from "../core/transport/listener.ts";
import { socketPair } from "../core/transport/socket-pair.ts";
import type { AttachmentKind, Peer } from "../core/peer.ts";
import { LOCAL } from "../core/transport/principal.ts";
import type { CloseReason, FaultProfile } from "../core/transport/socket.ts";
import type { Receiver, Socket, SocketLimits } from "../core/transport/socket.ts";

/** Options of {@link MemoryTransport}. */
export interface MemoryTransportOptions {
  /** The clock in whose turns frames move. Default: the host's. */
  readonly clock?: Clock | undefined;
  /** Its name, for people to read. Default: `memory`. */
  readonly address?: string | undefined;
}

/** An accepted end that reports its close, so that the transport need not keep it until `stop`. */
class AcceptedSocket implements Socket {
  readonly faults: FaultProfile;
  readonly peer: Peer;
  readonly jobContexts?: JobContexts;
  readonly #end: Socket;
  readonly #onClosed: (socket: Socket) => void;

  constructor(end: Socket, onClosed: (socket: Socket) => void) {
    this.faults = end.faults;
    this.peer = end.peer;
    if (end.jobContexts !== undefined) this.jobContexts = end.jobContexts;
    this.#end = end;
    this.#onClosed = onClosed;
  }

  get bufferedBytes(): number {
    return this.#end.bufferedBytes;
  }

  get attachments(): AttachmentKind | undefined {
    return this.#end.attachments;
  }

  send(frame: Uint8Array<ArrayBuffer>, attachments?: readonly ArrayBufferLike[]): boolean {
    return this.#end.send(frame, attachments);
  }

  open(receiver: Receiver): void {
    this.#end.open({
      frame: (bytes, attachments) => receiver.frame(bytes, attachments),
      closed: (reason) => {
        this.#onClosed(this);
        receiver.closed(reason);
      },
    });
  }

  close(reason?: CloseReason): void {
    this.#end.close(reason);
  }
}

/** The runner that listens now. */
interface Listening {
  readonly accept: (socket: Socket) => void;
  readonly maxFrameBytes: number;
}

/**
 * A listener and a dialer that meet inside one process.
 *
 * ```ts
 * const memory = new MemoryTransport();
 * const runner = new JobRunner({ listen: memory });
 * const worker = new Worker({ dial: memory, handler });
 * ```
 */
export class MemoryTransport implements Listener, Dialer {
  /** Its name, for people to read. */
  readonly address: string;
  readonly #clock: Clock;
  readonly #accepted = new Set<Socket>();
  #listening: Listening | undefined;
  #dialed = 0;

  /** @param options - The clock and the name, both optional. */
  constructor(options: MemoryTransportOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.address = options.address ?? "memory";
  }

  /**
   * Lets dialers in. The same `accept` may be started again, which changes nothing; a second listener is refused with
   * an `Error`, because two runners on one transport are a mistake that would otherwise show as missing workers.
   */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    const current = this.#listening;
    if (current !== undefined && current.accept !== accept) {
      return Promise.reject(
        new Error(`${this.address}: already listening; give each runner a MemoryTransport of its own`),
      );
    }
    this.#listening = { accept, maxFrameBytes: context.maxFrameBytes };
    return Promise.resolve();
  }

  /** Closes every accepted socket and refuses dialers until the next `start`. May be called twice. */
  stop(): Promise<void> {
    this.#listening = undefined;
    for (const socket of this.#accepted) socket.close();
    this.#accepted.clear();
    return Promise.resolve();
  }

  /**
   * Opens a socket to the listener, in a later turn. The smaller frame limit of both ends holds for the two.
   * Rejects with the signal's reason, or with an `Error` when nothing listens.
   */
  dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    return new Promise((resolve, reject: (reason: unknown) => void) => {
      if (signal.aborted) return reject(signal.reason);
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener("abort", onAbort);
      // Not at once: the listener's code must not run inside the dialer's.
      this.#clock.nextTurn(() => {
        signal.removeEventListener("abort", onAbort);
        if (signal.aborted) return;
        if (this.#listening === undefined)
          return reject(new Error(`${this.address}: nobody listens; start the runner first`));
        resolve(this.#connect(this.#listening, limits));
      });
    });
  }

  #connect(listening: Listening, limits: SocketLimits): Socket {
    const dialer: Peer = { transport: "memory", address: `${this.address} ${++this.#dialed}`, principal: LOCAL };
    const [near, far] = socketPair({
      clock: this.#clock,
      peers: [dialer, { transport: "memory", address: this.address, principal: LOCAL }],
      maxFrameBytes: Math.min(listening.maxFrameBytes, limits.maxFrameBytes),
    });
    const accepted = new AcceptedSocket(near, (socket) => this.#accepted.delete(socket));
    this.#accepted.add(accepted);
    listening.accept(accepted);
    return far;
  }
}
