/**
 * One wildcard subscription and what listens behind it, by number: sockets, and dials that have no answer yet. Ten thousand
 * sockets cost one subscription. Watches the connection for all of them, and lends them its timers. Browser-safe.
 */
import type { Clock, Random } from "../../core/time/clock.ts";
import { Timer } from "../../core/time/timer.ts";
import { describeError } from "../../core/describe-error.ts";
import type { CloseReason } from "../../core/transport/socket.ts";
import {
  type NatsConnectionLike,
  type NatsMessage,
  type NatsStatus,
  type NatsSubscription,
  NO_RESPONDERS,
  refusedPublication,
} from "./connection.ts";
import { decodePacket, encodePacket, PACKET, type Packet } from "./packet.ts";
import type { NatsSocket, NatsSocketOwner } from "./socket.ts";
import { type Direction, type FleetSubjects, socketNumber } from "./subjects.ts";

/** How often sockets look at the clock, in ms. */
const PULSE_MS = 250;
/** How long an acknowledgement waits for a packet that carries it, in ms. */
const ACKNOWLEDGE_MS = 10;

const LOST: CloseReason = { code: "error", message: "the connection to the NATS server was lost" };
const CLOSED: CloseReason = { code: "error", message: "the NATS connection is closed" };

/** What packets reach by its number. */
export interface PortEndpoint {
  /** Where its packets come in. */
  readonly source: string;
  /** Where its own packets go. */
  readonly target: string;
  /** A packet for it. `reply`: where its sender listens. */
  receive(packet: Packet, reply: string): void;
  /** The server has no subscriber for what it published. */
  onNoResponders(): void;
  /** The connection to the server is lost. */
  onLost(reason: CloseReason): void;
  /** The server does not allow what it needs. */
  onForbidden(message: string): void;
  /** Time has passed. */
  onPulse?(now: number): void;
}

/** What a port is given, and what it tells. */
export interface PortOptions {
  readonly nc: NatsConnectionLike;
  readonly clock: Clock;
  readonly random: Random;
  readonly subjects: FleetSubjects;
  /** Where its sockets are reached. */
  readonly direction: Direction;
  /** The principal of all its sockets, or `*` when each has its own. */
  readonly principal: string;
  /** The server does not allow its subscription. */
  readonly onRefused: (error: Error) => void;
  /** The last endpoint is gone. */
  readonly onEmpty: () => void;
  /** The connection is closed for good. */
  readonly onClosed: () => void;
}

/** Runs `listener` and keeps what it throws from the client, whose reading would end with it. */
export function guarded(clock: Clock, listener: () => void): void {
  try {
    listener();
  } catch (error) {
    clock.nextTurn(() => {
      throw error;
    });
  }
}

function stopStatuses(statuses: AsyncIterable<NatsStatus>): void {
  // The client's iterators have it, though their type does not say so.
  if ("stop" in statuses && typeof statuses.stop === "function") statuses.stop();
}

/** One listener's or dialer's place on a connection. */
export class NatsPort implements NatsSocketOwner {
  readonly #options: PortOptions;
  readonly #name: string;
  readonly #subscription: NatsSubscription;
  readonly #statuses: AsyncIterable<NatsStatus>;
  readonly #endpoints = new Map<number, PortEndpoint>();
  readonly #owing = new Set<NatsSocket>();
  readonly #pulse: Timer;
  readonly #acknowledge: Timer;
  #numbers = 0;
  #isConnected = true;
  #isClosed = false;

  /** Throws what the client throws, when it is closed. */
  constructor(options: PortOptions) {
    const { nc, clock, random, subjects, direction, principal } = options;
    this.#options = options;
    this.#name = random.id();
    this.#pulse = new Timer(clock, false, () => this.#onPulse());
    this.#acknowledge = new Timer(clock, false, () => this.#onAcknowledge());
    this.#subscription = nc.subscribe(subjects.socket(direction, principal, this.#name, "*"), {
      callback: (error, message) =>
        guarded(clock, () => (error === null ? this.#onMessage(message) : options.onRefused(error))),
    });
    this.#statuses = nc.status();
    void this.#watch();
  }

  /** What is there now. */
  endpoints(): readonly PortEndpoint[] {
    return [...this.#endpoints.values()];
  }

  /** How many endpoints there are. */
  get size(): number {
    return this.#endpoints.size;
  }

  /** Whether the connection to the server stands, as far as it is known. */
  get isConnected(): boolean {
    return this.#isConnected && !this.#options.nc.isClosed();
  }

  /** Adds what `make` makes of the subject at which it will be reached. */
  add<E extends PortEndpoint>(principal: string, make: (source: string) => E): E {
    const { subjects, direction } = this.#options;
    this.#numbers = (this.#numbers % 0xffff_ffff) + 1;
    const endpoint = make(subjects.socket(direction, principal, this.#name, this.#numbers));
    this.#endpoints.set(this.#numbers, endpoint);
    if (this.#pulse.due === Number.POSITIVE_INFINITY) this.#pulse.set(PULSE_MS);
    return endpoint;
  }

  /** Puts an endpoint in the place of the one that has its subject. */
  replace(endpoint: PortEndpoint): void {
    this.#endpoints.set(socketNumber(endpoint.source), endpoint);
  }

  /** Removes an endpoint. */
  remove(endpoint: PortEndpoint): void {
    const number = socketNumber(endpoint.source);
    if (this.#endpoints.get(number) !== endpoint) return;
    this.#endpoints.delete(number);
    if (this.#endpoints.size > 0) return;
    this.#pulse.drop();
    this.#options.onEmpty();
  }

  /** See {@link NatsSocketOwner.publish}. */
  publish(target: string, source: string, packet: Uint8Array): CloseReason | undefined {
    try {
      this.#options.nc.publish(target, packet, { reply: source });
      return undefined;
    } catch (error) {
      return { code: "error", message: `publishing failed: ${describeError(error)}` };
    }
  }

  /** See {@link NatsSocketOwner.onOwing}. */
  onOwing(socket: NatsSocket): void {
    this.#owing.add(socket);
    if (this.#acknowledge.due === Number.POSITIVE_INFINITY) this.#acknowledge.set(ACKNOWLEDGE_MS);
  }

  /** See {@link NatsSocketOwner.onGone}. */
  onGone(socket: NatsSocket): void {
    this.#owing.delete(socket);
    if (this.#owing.size === 0) this.#acknowledge.drop();
    this.remove(socket);
  }

  /** The server does not allow the subscription: nothing can be received. */
  forbid(message: string): void {
    for (const endpoint of this.endpoints()) endpoint.onForbidden(message);
  }

  /** Ends the subscription. Whatever is still there is lost. May be called twice. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#subscription.unsubscribe();
    stopStatuses(this.#statuses);
    this.#pulse.drop();
    this.#acknowledge.drop();
  }

  #onMessage(message: NatsMessage): void {
    const { subject } = message;
    const endpoint = this.#endpoints.get(socketNumber(subject));
    // The number alone is no proof: the subject holds the principal, which the server has checked.
    const known = endpoint?.source === subject ? endpoint : undefined;
    if (message.headers?.code === NO_RESPONDERS) return known?.onNoResponders();
    const packet = decodePacket(message.data);
    if (packet === undefined) return;
    if (known !== undefined) known.receive(packet, message.reply ?? "");
    else this.#answerStray(packet, subject, message.reply ?? "");
  }

  /** A packet for a socket that is gone, or never was. Its sender is told, if it is the socket's own other end. */
  #answerStray(packet: Packet, subject: string, reply: string): void {
    const { subjects, direction } = this.#options;
    // An answer to an answer would never end.
    if (packet.kind === PACKET.reset) return;
    const principal = subjects.socketPrincipal(direction, subject);
    if (principal === undefined || subjects.socketPrincipal(direction === "in" ? "out" : "in", reply) !== principal)
      return;
    this.publish(reply, subject, encodePacket(PACKET.reset, 0, 0));
  }

  async #watch(): Promise<void> {
    try {
      for await (const status of this.#statuses) {
        if (this.#isClosed) return;
        guarded(this.#options.clock, () => this.#onStatus(status));
      }
    } catch {
      // It tells nothing more: the server says what becomes of packets.
    }
  }

  #onStatus({ type, error }: NatsStatus): void {
    if (type === "disconnect") this.#lose(LOST);
    else if (type === "reconnect") {
      this.#lose(LOST); // dials that were published in between: the client has dropped them
      this.#isConnected = true;
    } else if (type === "close") {
      this.#lose(CLOSED);
      this.#options.onClosed();
    } else if (type === "error") this.#onPublicationRefused(refusedPublication(error));
  }

  #onPublicationRefused(target: string | undefined): void {
    if (target === undefined) return;
    for (const endpoint of this.endpoints())
      if (endpoint.target === target) endpoint.onForbidden(`the NATS server does not allow publishing to ${target}`);
  }

  /** A client that is connected again may send old packets late: no socket outlives a lost connection. */
  #lose(reason: CloseReason): void {
    this.#isConnected = false;
    for (const endpoint of this.endpoints()) endpoint.onLost(reason);
  }

  #onPulse(): void {
    const now = this.#options.clock.now();
    for (const endpoint of this.endpoints()) guarded(this.#options.clock, () => endpoint.onPulse?.(now));
    if (this.#endpoints.size > 0) this.#pulse.set(PULSE_MS);
  }

  #onAcknowledge(): void {
    const owing = [...this.#owing];
    this.#owing.clear();
    for (const socket of owing) if (socket.isOwing) socket.sendAcknowledgement();
  }
}
