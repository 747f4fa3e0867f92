/**
 * A socket that speaks messages. Owns the outgoing batch: the messages of one turn leave as one frame, or sooner at 64
 * messages or 64 KiB. Batching is worth ten times the throughput and costs a lone message nothing, as it leaves at the end
 * of the same turn. What the messages mean is up to the owner.
 */
import type { AsyncContext, JobContexts } from "../time/async-context.ts";
import type { Clock } from "../time/clock.ts";
import { type Codec, OutgoingFrame, readFrame } from "./codec.ts";
import { ProtocolError } from "../errors.ts";
import type { Message } from "./message.ts";
import type { AttachmentKind, Peer } from "../peer.ts";
import type { Claims, CloseReason, FaultProfile, Receiver, Socket } from "../transport/socket.ts";

const BATCH_MESSAGES = 64;
const BATCH_BYTES = 64 * 1024;

/** What a message socket calls. */
export interface MessageSocketOwner<Heard extends Message = Message> {
  /** A frame arrived: a sign of life. Its messages follow. */
  onData(): void;
  /** Part of a frame arrived: a sign of life, too. */
  onPart(): void;
  /** One message. */
  onMessage(onMessage: Heard): void;
  /** All messages of a frame were delivered. */
  onFrameEnd?(): void;
  /** A frame was malformed. Nothing is closed: the owner does. */
  onProtocolError(error: ProtocolError): void;
  /** A frame was handed to the socket, or refused by it. */
  onFlush(taken: boolean): void;
  /** The socket is closed. Called once, and not after the owner closed the link itself. */
  onClose(reason: CloseReason): void;
}

/** One end of a conversation. */
export class MessageSocket<Sent extends Message = Message, Heard extends Message = Message> implements Receiver {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #owner: MessageSocketOwner<Heard>;
  readonly #maxFrameBytes: number;
  readonly #decode: Codec<Sent, Heard>["decode"];
  readonly #writer: OutgoingFrame<Sent>;
  /** What both ends hand over beside frames. */
  attachments: AttachmentKind | undefined;
  #flushing = false;
  #closed = false;
  /** Bytes of all messages that were sent, those of the unsent batch included. */
  bytesSent = 0;
  /** Frames the socket has taken: tells which messages have certainly not left when it closes. */
  framesSent = 0;

  constructor(
    socket: Socket,
    clock: Clock,
    owner: MessageSocketOwner<Heard>,
    maxFrameBytes: number,
    codec: Codec<Sent, Heard>,
  ) {
    this.#socket = socket;
    this.#clock = clock;
    this.#owner = owner;
    this.#maxFrameBytes = maxFrameBytes;
    this.#decode = codec.decode;
    this.#writer = new OutgoingFrame(codec.encode);
  }

  /** The other end, as the transport knows it. */
  get peer(): Peer {
    return this.#socket.peer;
  }

  /** What can go wrong on the way. */
  get faults(): FaultProfile {
    return this.#socket.faults;
  }

  /** The contexts of jobs, when the peer is in the same process. */
  get jobContexts(): JobContexts | undefined {
    return this.#socket.jobContexts;
  }

  /** Takes out the context of a job that has come. */
  takeJobContext(attemptId: number): AsyncContext | undefined {
    const contexts = this.#socket.jobContexts;
    const context = contexts?.get(attemptId);
    contexts?.delete(attemptId);
    return context;
  }

  /** Whether the silence of the peer says nothing now: it is not read, or the host tells when it is gone. */
  get hidesSilence(): boolean {
    return this.#socket.isPaused === true || this.#socket.reportsPeerExit === true;
  }

  /** The claims to its jobs, where both ends share memory. */
  get claims(): Claims | undefined {
    return this.#socket.claims;
  }

  /** Whether it is closed, by either end. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Bytes that have not left yet, the unsent batch included. */
  get bufferedBytes(): number {
    return this.#socket.bufferedBytes + this.#writer.bytes;
  }

  /** Whether the transport does not read what the peer sends. */
  get isPaused(): boolean {
    return this.#socket.isPaused === true;
  }

  /** Whether the transport tells of a frame only once all of it is there. */
  get hidesParts(): boolean {
    return this.#socket.hidesParts === true;
  }

  /** Both ends speak of attachments: from now on buffers of payloads leave as they are, if the transport carries them. */
  allowAttachments(): void {
    this.attachments = this.#socket.attachments;
    if (this.attachments !== undefined) this.#writer.leaveHoles();
  }

  /** Starts delivery. */
  open(): void {
    this.#socket.open(this);
  }

  /** Adds a message to the batch; `false` when the link is closed. */
  send(message: Sent): boolean {
    if (this.#closed) return false;
    this.bytesSent += this.#writer.append(message);
    if (this.#writer.messages >= BATCH_MESSAGES || this.#writer.bytes >= BATCH_BYTES) {
      this.flush();
    } else if (!this.#flushing) {
      this.#flushing = true;
      this.#clock.endOfTurn(this.#flushAtEnd);
    }
    return true;
  }

  /** Sends the batch now. */
  flush(): void {
    if (this.#writer.messages === 0 || this.#closed) return;
    const taken = this.#post();
    if (taken) this.framesSent++;
    this.#owner.onFlush(taken);
  }

  /** Payloads whose buffers have not left may be sent by another session. */
  #post(): boolean {
    const { attached } = this.#writer;
    const frame = this.#writer.take();
    if (attached === undefined) return this.#socket.send(frame);
    const taken = this.#socket.send(
      frame,
      attached.flatMap(({ holes }) => holes.map(({ content }) => content.buffer)),
    );
    if (taken) for (const payload of attached) payload.leave();
    return taken;
  }

  /** Sends what is in the batch and closes. May be called twice; the owner hears nothing after it. */
  close(): void {
    if (this.#closed) return;
    if (this.#writer.messages > 0) this.#post();
    this.#closed = true;
    this.#socket.close();
  }

  /** @internal Called by the socket. */
  frame(bytes: Uint8Array, attachments?: readonly ArrayBufferLike[]): void {
    if (this.#closed) return;
    this.#owner.onData();
    try {
      if (bytes.byteLength > this.#maxFrameBytes)
        throw new ProtocolError(`a frame of ${bytes.byteLength} bytes is too large`);
      readFrame(bytes, this.#decode, this.#visit, attachments);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (!this.#closed) this.#owner.onProtocolError(error);
    }
    this.#owner.onFrameEnd?.();
  }

  /** @internal Called by the socket. */
  progress(): void {
    if (!this.#closed) this.#owner.onPart();
  }

  /** @internal Called by the socket. */
  closed(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.onClose(reason);
  }

  readonly #flushAtEnd = (): void => {
    this.#flushing = false;
    this.flush();
  };

  readonly #visit = (message: Heard): void => {
    if (!this.#closed) this.#owner.onMessage(message);
  };
}
