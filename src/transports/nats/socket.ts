/**
 * One end of a pipe over two subjects. Each packet is numbered and says how many were taken; a gap closes both ends. Each has
 * a reply subject, so that the server itself says when the other end is gone. The port tells it of packets and of time: see
 * port.ts. Browser-safe.
 */
import type { Clock } from "../../core/time/clock.ts";
import type { Peer } from "../../core/peer.ts";
import { CLOSED_HERE, CLOSED_THERE, frameTooLarge, Inbox } from "../../core/transport/inbox.ts";
import type { CloseCode, CloseReason, FaultProfile, SocketLimits } from "../../core/transport/socket.ts";
import type { Receiver, Socket } from "../../core/transport/socket.ts";
import { Incoming } from "./incoming.ts";
import { Outgoing, type OutgoingLimits } from "./outgoing.ts";
import { encodePacket, PACKET, type Packet } from "./packet.ts";

/** A socket that has sent nothing for this long says so, in ms: the server answers when the other end is gone. */
const MAX_QUIET_MS = 1_000;
/** How long a closed socket goes on sending what was left, in ms. */
const MAX_LINGER_MS = 5_000;

/** What a CLOSE says, by its byte. The words of the reason stay at the end that closed. */
const CLOSE_CODES: readonly CloseCode[] = ["local", "peer", "error", "too-large", "too-slow", "violation"];

const GAP: CloseReason = { code: "error", message: "a packet was lost on the way" };
const GONE: CloseReason = { code: "error", message: "the other end is gone: the server has no subscriber for it" };
const RESET: CloseReason = { code: "error", message: "the other end does not know this connection any more" };
const NONSENSE: CloseReason = { code: "violation", message: "a packet that does not belong here" };

function closedThere(byte: number | undefined): CloseReason {
  const code = CLOSE_CODES[byte ?? 0];
  if (code === "too-large") return { code, message: "the other end refused a frame as too large" };
  if (code === "too-slow") return { code: "peer", message: "the other end gave up a frame that came too slowly" };
  return code === "violation" ? { code: "peer", message: "the other end refused what it was sent" } : CLOSED_THERE;
}

/** What a socket needs of its port. */
export interface NatsSocketOwner {
  /** Publishes a packet; returns why it cannot be. */
  publish(target: string, source: string, packet: Uint8Array): CloseReason | undefined;
  /** The socket owes an acknowledgement: it is to be asked for one soon. */
  onOwing(socket: NatsSocket): void;
  /** The socket has nothing more to send or to receive. */
  onGone(socket: NatsSocket): void;
}

/** How a socket is made. */
export interface NatsSocketOptions extends SocketLimits, OutgoingLimits {
  readonly clock: Clock;
  readonly peer: Peer;
  /** Where its packets come in. */
  readonly source: string;
  /** Where the other end listens. */
  readonly target: string;
  /** Bytes that may arrive before they are acknowledged: the other end was told so. */
  readonly ownWindowBytes: number;
}

/** A socket over NATS. */
export class NatsSocket implements Socket {
  readonly faults: FaultProfile = "stream";
  readonly peer: Peer;
  /** Where its packets come in. */
  readonly source: string;
  /** Where the other end listens. */
  readonly target: string;
  readonly #owner: NatsSocketOwner;
  readonly #options: NatsSocketOptions;
  readonly #inbox = new Inbox();
  readonly #outgoing: Outgoing;
  readonly #incoming: Incoming;
  /** When a packet left last, and when `close` was called. */
  #sentAt: number;
  #closedAt = Number.POSITIVE_INFINITY;
  #isGone = false;

  constructor(owner: NatsSocketOwner, options: NatsSocketOptions) {
    this.#owner = owner;
    this.#options = options;
    this.peer = options.peer;
    this.source = options.source;
    this.target = options.target;
    this.#sentAt = options.clock.now();
    this.#outgoing = new Outgoing(options);
    this.#incoming = new Incoming(options, {
      onGranted: () => {
        this.#inbox.progress(); // the other end was held back: its silence counts from here
        this.sendAcknowledgement();
      },
      onEvicted: (message) => this.#closeFromEvent({ code: "too-slow", message }),
    });
  }

  /** Frames that wait here, and those that the other end has not acknowledged. */
  get bufferedBytes(): number {
    return this.#inbox.isClosed ? 0 : this.#outgoing.bytes;
  }

  get isPaused(): boolean {
    return this.#incoming.isPaused;
  }

  send(frame: Uint8Array<ArrayBuffer>): boolean {
    if (this.#inbox.isClosed) return false;
    const { maxFrameBytes } = this.#options;
    if (frame.byteLength > maxFrameBytes) {
      this.close(frameTooLarge(frame.byteLength, maxFrameBytes));
      return false;
    }
    this.#outgoing.add(frame);
    const failure = this.#publishPieces();
    if (failure === undefined) return true;
    this.#abandon(failure, (report) => this.#options.clock.nextTurn(report));
    return false;
  }

  open(receiver: Receiver): void {
    this.#inbox.open(receiver);
  }

  /** What was sent before still leaves, as the other end makes room for it, for at most 5 s. */
  close(reason: CloseReason = CLOSED_HERE): void {
    if (this.#inbox.close(reason, (report) => this.#options.clock.nextTurn(report))) this.#linger(reason);
  }

  /** From the port: a packet for this socket. */
  receive(packet: Packet): void {
    if (packet.kind === PACKET.reset) return this.#abandon(RESET);
    if (packet.kind > PACKET.ack) return this.#refuse(NONSENSE);
    if (!this.#incoming.isExpected(packet.sequence)) return this.#refuse(GAP);
    if (!this.#outgoing.onTaken(packet.taken)) return this.#refuse(NONSENSE);
    if (packet.kind !== PACKET.ack) this.#receiveNumbered(packet);
    if (!this.#isGone) this.#proceed();
  }

  /** From the port: the server has no subscriber for this socket's packets. */
  onNoResponders(): void {
    this.#abandon(GONE);
  }

  /** From the port: the connection to the server is lost. */
  onLost(reason: CloseReason): void {
    this.#abandon(reason);
  }

  /** From the port: the server does not let this end publish to the other. */
  onForbidden(message: string): void {
    this.#abandon({ code: "error", message });
  }

  /** From the port, several times a second. */
  onPulse(now: number): void {
    if (now - this.#closedAt >= MAX_LINGER_MS) {
      this.#publish(PACKET.reset);
      this.#abandon(CLOSED_HERE);
    } else if (now - this.#sentAt >= MAX_QUIET_MS) this.sendAcknowledgement();
  }

  /** Tells the other end what was taken. */
  sendAcknowledgement(): void {
    if (this.#isGone) return;
    const failure = this.#publish(PACKET.ack, this.#outgoing.sequence);
    if (failure !== undefined) this.#abandon(failure);
  }

  /** Whether an acknowledgement is owed that no packet has carried since. */
  get isOwing(): boolean {
    return !this.#isGone && this.#incoming.owedBytes > 0;
  }

  #receiveNumbered(packet: Packet): void {
    this.#incoming.count(packet);
    if (packet.kind === PACKET.close) {
      this.#publish(PACKET.ack, this.#outgoing.sequence);
      return this.#abandon(closedThere(packet.body[0]));
    }
    const arrival = this.#incoming.take(packet);
    switch (arrival.kind) {
      case "frame":
        this.#inbox.frame(arrival.frame);
        if (packet.kind === PACKET.next) this.#incoming.release();
        break;
      case "part":
        this.#inbox.progress();
        break;
      case "too-large":
        this.#closeFromEvent(frameTooLarge(arrival.bytes, this.#options.maxFrameBytes));
        break;
      case "violation":
        this.#refuse(NONSENSE);
    }
  }

  /** Behind each packet that came: there may be room for more, or an acknowledgement to send. */
  #proceed(): void {
    const failure = this.#publishPieces();
    if (failure !== undefined) return this.#abandon(failure);
    if (this.#closedAt < Number.POSITIVE_INFINITY && this.#outgoing.isDone) return this.#leave();
    const { owedBytes } = this.#incoming;
    if (owedBytes * 4 >= this.#options.ownWindowBytes) this.sendAcknowledgement();
    else if (owedBytes > 0) this.#owner.onOwing(this);
  }

  #publishPieces(): CloseReason | undefined {
    for (let piece = this.#outgoing.take(); piece !== undefined; piece = this.#outgoing.take()) {
      const failure = this.#publish(piece.kind, piece.sequence, piece.body, piece.frameBytes);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  #publish(kind: number, sequence = 0, body?: Uint8Array, frameBytes?: number): CloseReason | undefined {
    this.#sentAt = this.#options.clock.now();
    const packet = encodePacket(kind, sequence, this.#incoming.tell(), body, frameBytes);
    return this.#owner.publish(this.target, this.source, packet);
  }

  #linger({ code }: CloseReason): void {
    this.#closedAt = this.#options.clock.now();
    this.#incoming.release();
    this.#outgoing.addClose(Uint8Array.of(Math.max(0, CLOSE_CODES.indexOf(code))));
    if (this.#publishPieces() !== undefined) this.#leave();
  }

  /** Closes from inside an event, where the receiver may be told at once. What was sent before still leaves. */
  #closeFromEvent(reason: CloseReason): void {
    if (this.#inbox.isClosed) return;
    this.#linger(reason);
    this.#inbox.close(reason);
  }

  /** Ends both ends at once. */
  #refuse(reason: CloseReason): void {
    this.#publish(PACKET.reset);
    this.#abandon(reason);
  }

  /** Nothing can be sent any more. */
  #abandon(reason: CloseReason, later?: (report: () => void) => void): void {
    if (this.#isGone) return;
    this.#leave();
    this.#inbox.close(reason, later);
  }

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#incoming.release();
    this.#owner.onGone(this);
  }
}
