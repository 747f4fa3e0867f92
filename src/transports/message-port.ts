/**
 * Sockets over anything shaped like a MessagePort: one frame is one transferred buffer. Knows nothing of threads or tabs.
 * See supervisor/thread-socket.ts for a socket that learns of a thread's death.
 */
import { describeError } from "../core/describe-error.ts";
import { systemClock } from "../core/time/system.ts";
import { CLOSED_HERE, CLOSED_THERE, frameTooLarge, Inbox } from "../core/transport/inbox.ts";
import type { Dialer, Listener, ListenerContext } from "../core/transport/listener.ts";
import type { AttachmentKind, Peer } from "../core/peer.ts";
import { LOCAL } from "../core/transport/principal.ts";
import { SharedClaims } from "../core/transport/shared-claims.ts";
import type { Claims, CloseReason, FaultProfile, Receiver, Socket, SocketLimits } from "../core/transport/socket.ts";

/** What is read of a port's events. */
export interface PortEvent {
  /** `message`, `messageerror` or `close`. */
  readonly type: string;
  /** What was posted, for a `message`. */
  readonly data?: unknown;
}

/**
 * The part of a MessagePort that is used. Node's and the browser's `MessagePort`, a browser `Worker` and the global scope
 * of a dedicated worker all have it.
 */
export interface PortLike {
  /** Posts a message; buffers in `transfer` change hands. */
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  /** Listens to `message`, `messageerror` and, where the host has it, `close`. */
  addEventListener(type: string, listener: (event: PortEvent) => void): void;
  /** Stops listening. */
  removeEventListener(type: string, listener: (event: PortEvent) => void): void;
  /** Starts delivery. Only a MessagePort proper has it; only on such a port is `close` called. */
  start?(): void;
  /** Closes the port. Not called on a worker's global scope, where it would end the worker. */
  close?(): void;
}

/**
 * What Node's ports have besides: listeners that are handed what was posted. To the others an event has to be made for each
 * message, which costs as much as a fifth of its way.
 */
interface NodePort extends PortLike {
  on(type: string, listener: (value: unknown) => void): unknown;
  off(type: string, listener: (value: unknown) => void): unknown;
}

/** How a port becomes a socket. */
export interface MessagePortSocketOptions extends SocketLimits {
  /** The other end. Default: `message-port`, `port`, `local`. */
  readonly peer?: Partial<Peer> | undefined;
  /**
   * Whether the port closes when the other end is gone, or this end goes along with it: then a worker takes no silence for
   * death, as the other end may compute for long. Default: true for ports of Node, else false.
   */
  readonly reportsPeerExit?: boolean | undefined;
  /** `CLAIM_BYTES` of zeroed memory that the other end's socket has, too: prefetched jobs are recalled by it. */
  readonly claims?: SharedArrayBuffer | undefined;
  /** @internal Called once the port is closed, by whichever end, and before the receiver is told. */
  readonly onClosed?: (() => void) | undefined;
}

/**
 * A port does not tell what it holds, so the receiving end acknowledges what it has taken: a number of bytes, posted as it
 * is, at the first frame that makes it this many. Measured: a message of its own costs about 5 us. At this many bytes it
 * goes with one of twenty frames of a busy session of 16-byte jobs, and a lone job has none.
 */
const ACKNOWLEDGED_BYTES = 64 * 1024;

// The peer of a browser port does not learn of `close()`, so a note is posted.
const CLOSE_NOTE = "powerhose:close";
const EVENTS = ["messageerror", "close"] as const;
const PORT_CLOSED: CloseReason = { code: "peer", message: "the port was closed" };
const UNREADABLE: CloseReason = { code: "violation", message: "a message that cannot be read here" };
const NOT_BYTES: CloseReason = { code: "violation", message: "a message that is not bytes" };
const GIVEN_TWICE: CloseReason = { code: "violation", message: "a buffer that is there twice" };
const NOT_SENT: CloseReason = { code: "violation", message: "an acknowledgement of bytes that were not sent" };

function peerOf(given: Partial<Peer> | undefined, address: string): Peer {
  return { transport: "message-port", address, principal: LOCAL, ...given };
}

function isNodePort(port: PortLike): port is NodePort {
  return "on" in port && typeof port.on === "function" && "off" in port && typeof port.off === "function";
}

/** The bytes of a message, or nothing when it is something else. */
function bytesOf(message: unknown): Uint8Array | undefined {
  if (message instanceof ArrayBuffer) return new Uint8Array(message);
  // Shared memory could change while it is read.
  if (message instanceof Uint8Array && message.buffer instanceof ArrayBuffer) return message;
  return undefined;
}

function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return value instanceof ArrayBuffer;
}

/** A page that is not isolated has shared memory by way of WebAssembly, and no port takes it. */
function sharesMemory(): boolean {
  const isIsolated: unknown = Reflect.get(globalThis, "crossOriginIsolated");
  return isIsolated !== false;
}

/** Where memory cannot be shared there is no such class. */
function isBuffer(value: unknown): value is ArrayBufferLike {
  return isArrayBuffer(value) || (typeof SharedArrayBuffer === "function" && value instanceof SharedArrayBuffer);
}

class MessagePortSocket implements Socket {
  readonly faults: FaultProfile = "port";
  readonly reportsPeerExit: boolean;
  readonly peer: Peer;
  readonly claims: Claims | undefined;
  readonly attachments: AttachmentKind = sharesMemory() ? "shared" : "transferred";
  readonly #port: PortLike;
  readonly #maxFrameBytes: number;
  readonly #onClosed: ((socket: Socket) => void) | undefined;
  readonly #inbox = new Inbox();
  /** Bytes sent that were not acknowledged. */
  #unacknowledged = 0;
  /** Bytes received that were not acknowledged. */
  #received = 0;

  constructor(port: PortLike, peer: Peer, options: MessagePortSocketOptions, onClosed?: (socket: Socket) => void) {
    this.#port = port;
    this.peer = peer;
    this.#maxFrameBytes = options.maxFrameBytes;
    this.reportsPeerExit = options.reportsPeerExit ?? isNodePort(port);
    this.claims = options.claims === undefined ? undefined : new SharedClaims(options.claims);
    this.#onClosed = onClosed;
    for (const type of EVENTS) port.addEventListener(type, this.#onEvent);
    if (isNodePort(port)) port.on("message", this.#onMessage);
    else port.addEventListener("message", this.#onEvent);
    port.start?.();
  }

  /** What the peer is certain not to have taken: fewer bytes than it acknowledges at a time do not count. */
  get bufferedBytes(): number {
    return this.#inbox.isClosed ? 0 : Math.max(0, this.#unacknowledged - ACKNOWLEDGED_BYTES + 1);
  }

  send(frame: Uint8Array<ArrayBuffer>, attachments?: readonly ArrayBufferLike[]): boolean {
    if (this.#inbox.isClosed) return false;
    const { byteLength } = frame;
    if (byteLength > this.#maxFrameBytes) return this.#fail(frameTooLarge(byteLength, this.#maxFrameBytes));
    // Transferring takes the whole buffer along; of a view, only its own bytes may go.
    const { buffer } = byteLength === frame.buffer.byteLength ? frame : frame.slice();
    try {
      if (attachments === undefined) this.#port.postMessage(buffer, [buffer]);
      else this.#port.postMessage([buffer, ...attachments], [buffer, ...attachments.filter(isArrayBuffer)]);
      this.#unacknowledged += byteLength;
      return true;
    } catch (error) {
      return this.#fail({
        code: "error",
        message: `posting failed: ${describeError(error)}`,
      });
    }
  }

  open(receiver: Receiver): void {
    this.#inbox.open(receiver);
  }

  close(reason: CloseReason = CLOSED_HERE): void {
    if (this.#inbox.close(reason, (report) => systemClock.nextTurn(report))) this.#release(true);
  }

  /** Closes from inside `send`, which is no place to call the receiver. */
  #fail(reason: CloseReason): false {
    this.close(reason);
    return false;
  }

  /** Closes from inside an event, where the receiver may be called at once. */
  #end(reason: CloseReason, notifyPeer: boolean): void {
    if (this.#inbox.isClosed) return;
    this.#release(notifyPeer);
    this.#inbox.close(reason);
  }

  readonly #onEvent = (event: PortEvent): void => {
    if (event.type === "close") return this.#end(PORT_CLOSED, false);
    if (event.type === "messageerror") return this.#end(UNREADABLE, true);
    this.#onMessage(event.data);
  };

  readonly #onMessage = (message: unknown): void => {
    const bytes = bytesOf(message);
    if (bytes !== undefined) this.#onFrame(bytes);
    else if (Array.isArray(message)) this.#onAttachments(message);
    else this.#onControl(message);
  };

  /** A frame, and the buffers that came with it. */
  #onAttachments([frame, ...attachments]: readonly unknown[]): void {
    const bytes = bytesOf(frame);
    if (bytes === undefined || !attachments.every(isBuffer)) return this.#end(NOT_BYTES, true);
    const given = [bytes.buffer, ...attachments].filter(isArrayBuffer);
    if (new Set(given).size < given.length) return this.#end(GIVEN_TWICE, true);
    this.#onFrame(bytes, attachments);
  }

  #onFrame(bytes: Uint8Array, attachments?: readonly ArrayBufferLike[]): void {
    if (bytes.byteLength > this.#maxFrameBytes)
      return this.#end(frameTooLarge(bytes.byteLength, this.#maxFrameBytes), true);
    this.#acknowledge(bytes.byteLength);
    this.#inbox.frame(bytes, attachments);
  }

  #onControl(message: unknown): void {
    if (message === CLOSE_NOTE) return this.#end(CLOSED_THERE, false);
    if (typeof message !== "number") return this.#end(NOT_BYTES, true);
    const isSent = Number.isInteger(message) && message >= ACKNOWLEDGED_BYTES && message <= this.#unacknowledged;
    if (isSent) this.#unacknowledged -= message;
    else this.#end(NOT_SENT, true);
  }

  /** Before the frame is delivered, which may run a handler for long: the peer is not to wait for that. */
  #acknowledge(bytes: number): void {
    this.#received += bytes;
    if (this.#received < ACKNOWLEDGED_BYTES || this.#inbox.isClosed) return;
    try {
      this.#port.postMessage(this.#received, []);
      this.#received = 0;
    } catch {
      // The port is gone, and its `close` event follows.
    }
  }

  #release(notifyPeer: boolean): void {
    const port = this.#port;
    for (const type of EVENTS) port.removeEventListener(type, this.#onEvent);
    if (isNodePort(port)) port.off("message", this.#onMessage);
    else port.removeEventListener("message", this.#onEvent);
    try {
      if (notifyPeer) port.postMessage(CLOSE_NOTE, []);
    } catch {
      // The port is gone, and so is the peer.
    }
    if (port.start !== undefined) port.close?.();
    this.#onClosed?.(this);
  }
}

/**
 * Makes a socket of one end of a channel; the other end must be one too. The port is the socket's from here on, and is
 * closed with it when it is a MessagePort.
 */
export function messagePortSocket(port: PortLike, options: MessagePortSocketOptions): Socket {
  return new MessagePortSocket(port, peerOf(options.peer, "port"), options);
}

/** A port that is waiting for the listener to start. */
interface WaitingPort {
  readonly port: PortLike;
  readonly peer: Peer;
}

/** A listener that is handed its ports: `listener.add(port)` is one worker dialling in. */
export class MessagePortListener implements Listener {
  /** Always `message-port`; ports have no address. */
  readonly address = "message-port";
  readonly #sockets = new Set<Socket>();
  #waiting: WaitingPort[] = [];
  #running: { readonly accept: (socket: Socket) => void; readonly context: ListenerContext } | undefined;
  #added = 0;

  /**
   * Accepts the peer behind a port, now or when the listener starts. What the peer posts meanwhile is kept by the port.
   * @param peer - The other end. Default: `message-port`, `port 1`, `local`.
   */
  add(port: PortLike, peer?: Partial<Peer>): void {
    this.#waiting.push({ port, peer: peerOf(peer, `port ${++this.#added}`) });
    this.#acceptWaiting();
  }

  /** Starts accepting. The same `accept` may be started again; another one is refused with an `Error`. */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    if (this.#running !== undefined) {
      if (this.#running.accept === accept) return Promise.resolve();
      return Promise.reject(
        new Error("message-port: already listening; give each runner a MessagePortListener of its own"),
      );
    }
    this.#running = { accept, context };
    // Not at once: no socket arrives before `start` has returned.
    systemClock.nextTurn(() => this.#acceptWaiting());
    return Promise.resolve();
  }

  /** Closes every accepted socket. Ports added from here on wait for the next `start`. */
  stop(): Promise<void> {
    this.#running = undefined;
    for (const socket of this.#sockets) socket.close();
    return Promise.resolve();
  }

  #acceptWaiting(): void {
    if (this.#running === undefined) return;
    const { accept, context } = this.#running;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { port, peer } of waiting) {
      const { maxFrameBytes } = context;
      const socket = new MessagePortSocket(port, peer, { maxFrameBytes }, (closed) => this.#sockets.delete(closed));
      this.#sockets.add(socket);
      accept(socket);
    }
  }
}

class MessagePortDialer implements Dialer {
  readonly #port: PortLike;
  readonly #peer: Peer;
  readonly #options: Omit<MessagePortSocketOptions, "maxFrameBytes" | "peer">;
  #used = false;

  constructor(port: PortLike, peer: Peer, options: Omit<MessagePortSocketOptions, "maxFrameBytes" | "peer">) {
    this.#port = port;
    this.#peer = peer;
    this.#options = options;
  }

  dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#used)
      return Promise.reject(new Error("message-port: this port was dialled before, and a port carries one socket"));
    this.#used = true;
    const { maxFrameBytes } = limits;
    const { onClosed, ...options } = this.#options;
    return Promise.resolve(new MessagePortSocket(this.#port, this.#peer, { ...options, maxFrameBytes }, onClosed));
  }
}

/**
 * A dialer for one port. It opens one socket, as a port cannot be opened again: a second `dial` rejects with an `Error`.
 * @param peer - The other end. Default: `message-port`, `port`, `local`.
 * @param options - See {@link MessagePortSocketOptions}.
 */
export function dialMessagePort(
  port: PortLike,
  peer?: Partial<Peer>,
  options: Omit<MessagePortSocketOptions, "maxFrameBytes" | "peer"> = {},
): Dialer {
  return new MessagePortDialer(port, peerOf(peer, "port"), options);
}
