/** Dials a fleet: asks its runners for a socket, again while word of their subscriptions travels between servers. Browser-safe. */
import { AuthError } from "../../core/errors.ts";
import { describeError } from "../../core/describe-error.ts";
import { Timer } from "../../core/time/timer.ts";
import type { Dialer } from "../../core/transport/listener.ts";
import type { CloseReason, Socket, SocketLimits } from "../../core/transport/socket.ts";
import { decodeHandshake, decodeRefusal, encodeHandshake, MAX_WINDOW_BYTES, outgoingLimits } from "./handshake.ts";
import type { NatsSettings } from "./options.ts";
import { PACKET, type Packet } from "./packet.ts";
import { NatsPort, type PortEndpoint } from "./port.ts";
import { NatsSocket } from "./socket.ts";
import { FleetSubjects } from "./subjects.ts";

/** How often a dial is made that the server has no subscriber for, and the pause between, in ms. */
const TRIES = 3;
const PAUSE_MS = 50;
/** How long an answer may take, in ms. */
const ANSWER_TIMEOUT_MS = 5_000;

/** What a dialer uses. */
interface NatsDialSettings extends NatsSettings {
  readonly principal: string;
}

/** A dial that has no answer yet. */
class Dial implements PortEndpoint {
  readonly source: string;
  readonly target: string;
  readonly socket: Promise<Socket>;
  readonly #port: NatsPort;
  readonly #settings: NatsDialSettings;
  readonly #subjects: FleetSubjects;
  readonly #limits: SocketLimits;
  readonly #signal: AbortSignal;
  readonly #timer: Timer;
  #tries = 0;
  /** Whether the timer ends a pause between two tries, and not the wait for an answer. */
  #isPausing = false;
  #resolve: (socket: Socket) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(
    port: NatsPort,
    source: string,
    settings: NatsDialSettings,
    subjects: FleetSubjects,
    signal: AbortSignal,
    limits: SocketLimits,
  ) {
    this.#port = port;
    this.source = source;
    this.target = subjects.dial(settings.principal);
    this.#settings = settings;
    this.#subjects = subjects;
    this.#signal = signal;
    this.#limits = limits;
    this.#timer = new Timer(settings.clock, false, () => this.#onTimer());
    this.socket = new Promise((resolve, reject: (error: unknown) => void) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal.addEventListener("abort", this.#onAbort);
  }

  /** Asks the runners of the fleet: one of them answers. */
  ask(): void {
    this.#tries++;
    const handshake = encodeHandshake({ maxFrameBytes: this.#limits.maxFrameBytes, windowBytes: MAX_WINDOW_BYTES });
    const failure = this.#port.publish(this.target, this.source, handshake);
    if (failure !== undefined) return this.#fail(this.#error(failure.message));
    this.#isPausing = false;
    this.#timer.set(ANSWER_TIMEOUT_MS);
  }

  receive(packet: Packet, reply: string): void {
    if (packet.kind === PACKET.refuse) return this.#onRefused(packet);
    const theirs = packet.kind === PACKET.accept ? decodeHandshake(packet.body) : undefined;
    if (theirs === undefined || this.#subjects.socketPrincipal("in", reply) !== this.#settings.principal)
      return this.#fail(this.#error("it answered with what is no answer to a dial"));
    const { nc, clock } = this.#settings;
    const { incoming } = this.#limits;
    const { address } = this.#subjects;
    const socket = new NatsSocket(this.#port, {
      ...outgoingLimits(nc, theirs),
      clock,
      source: this.source,
      target: reply,
      maxFrameBytes: Math.min(this.#limits.maxFrameBytes, theirs.maxFrameBytes),
      ownWindowBytes: MAX_WINDOW_BYTES,
      ...(incoming === undefined ? {} : { incoming }),
      peer: { transport: "nats", address, principal: address },
    });
    this.#settle();
    this.#port.replace(socket);
    this.#resolve(socket);
  }

  /** In a cluster, word of a subscription takes a moment from server to server. */
  onNoResponders(): void {
    if (this.#tries === TRIES) return this.#fail(this.#error("nothing listens; start the runner first"));
    this.#isPausing = true;
    this.#timer.set(PAUSE_MS);
  }

  onLost({ message }: CloseReason): void {
    this.#fail(this.#error(message));
  }

  onForbidden(message: string): void {
    this.#fail(new AuthError(this.#error(message).message));
  }

  #onTimer(): void {
    if (this.#isPausing) this.ask();
    else this.#fail(this.#error(`no answer within ${ANSWER_TIMEOUT_MS} ms`));
  }

  #onRefused({ body }: Packet): void {
    const { isDenied, message } = decodeRefusal(body);
    const error = this.#error(`the runner refused: ${message}`);
    this.#fail(isDenied ? new AuthError(error.message) : error);
  }

  #error(why: string): Error {
    return new Error(`could not connect to ${this.#subjects.address}: ${why}`);
  }

  readonly #onAbort = (): void => this.#fail(this.#signal.reason);

  #fail(error: unknown): void {
    this.#settle();
    this.#port.remove(this);
    this.#reject(error);
  }

  #settle(): void {
    this.#timer.drop();
    this.#signal.removeEventListener("abort", this.#onAbort);
  }
}

/** Dials a fleet over a connection, as a principal. */
export class NatsDialer implements Dialer {
  readonly #settings: NatsDialSettings;
  readonly #subjects: FleetSubjects;
  /** Where its sockets are reached: there is one as long as there are any. */
  #port: NatsPort | undefined;

  /** @internal */
  constructor(settings: NatsDialSettings) {
    this.#settings = settings;
    this.#subjects = new FleetSubjects(settings.fleet);
  }

  /**
   * Opens one socket. Rejects with the signal's reason, with an `AuthError` when the server's permissions or the runner do
   * not allow it, or with an `Error` that says why there is no connection.
   */
  async dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    signal.throwIfAborted();
    const port = this.#openPort();
    const dial = port.add(
      this.#settings.principal,
      (source) => new Dial(port, source, this.#settings, this.#subjects, signal, limits),
    );
    dial.ask();
    return await dial.socket;
  }

  #openPort(): NatsPort {
    const { nc, clock, random, principal } = this.#settings;
    const { address } = this.#subjects;
    if (nc.isClosed()) throw new Error(`could not connect to ${address}: the NATS connection is closed`);
    if (nc.info === undefined) throw new Error(`could not connect to ${address}: no connection to a NATS server now`);
    if (this.#port !== undefined) return this.#port;
    try {
      const port: NatsPort = new NatsPort({
        nc,
        clock,
        random,
        subjects: this.#subjects,
        direction: "out",
        principal,
        onRefused: ({ message }) => port.forbid(`the NATS server does not allow to be ${principal}: ${message}`),
        onEmpty: () => {
          this.#port = undefined;
          port.close();
        },
        onClosed: () => undefined,
      });
      return (this.#port = port);
    } catch (error) {
      throw new Error(`could not connect to ${address}: ${describeError(error)}`, { cause: error });
    }
  }
}
