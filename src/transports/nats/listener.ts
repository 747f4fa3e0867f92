/** Takes the dials of a fleet: subscribes to them in the queue group of its runners, and answers each. Browser-safe. */
import { AuthError } from "../../core/errors.ts";
import { describeError } from "../../core/describe-error.ts";
import { Timer } from "../../core/time/timer.ts";
import type { Listener, ListenerContext } from "../../core/transport/listener.ts";
import { guestPrincipalFault } from "../../core/transport/principal.ts";
import type { Socket } from "../../core/transport/socket.ts";
import type { NatsMessage, NatsSubscription } from "./connection.ts";
import {
  decodeHandshake,
  encodeHandshake,
  encodeRefusal,
  type Handshake,
  outgoingLimits,
  type DialRefusal,
  windowFor,
} from "./handshake.ts";
import type { NatsSettings } from "./options.ts";
import { encodePacket, PACKET } from "./packet.ts";
import { guarded, NatsPort } from "./port.ts";
import { NatsSocket } from "./socket.ts";
import { FleetSubjects, RUNNERS } from "./subjects.ts";

/** How long `stop` waits for the server to say that it sends no more dials, in ms. */
const MAX_FLUSH_MS = 1_000;

/** What a listener uses. */
interface NatsListenerSettings extends NatsSettings {
  readonly maxConnections: number;
}

/** A listener between `start` and `stop`, and what it has accepted until all of that is gone. */
class Reception {
  readonly accept: (socket: Socket) => void;
  /** Settles once the server has its subscriptions. */
  readonly started: Promise<void>;
  readonly #settings: NatsListenerSettings;
  readonly #subjects: FleetSubjects;
  readonly #context: ListenerContext;
  readonly #port: NatsPort;
  readonly #dials: NatsSubscription;
  #refusal: Error | undefined;
  #isStopped = false;
  #onEmpty: (() => void) | undefined;

  /** Throws what the client throws, when it is closed. */
  constructor(
    settings: NatsListenerSettings,
    subjects: FleetSubjects,
    accept: (socket: Socket) => void,
    context: ListenerContext,
  ) {
    this.accept = accept;
    this.#settings = settings;
    this.#subjects = subjects;
    this.#context = context;
    this.#port = this.#openPort();
    // Behind the port's: a dial that arrives is answered from there.
    const { nc, clock } = settings;
    const callback = (error: Error | null, message: NatsMessage): void =>
      guarded(clock, () => (error === null ? this.#onDial(message) : this.#onRefused(error)));
    this.#dials = nc.subscribe(subjects.dial("*"), { queue: RUNNERS, callback });
    this.started = this.#start();
  }

  /** Takes no more dials, lets what was sent leave, and closes. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#dials.unsubscribe();
    for (const endpoint of this.#port.endpoints()) if (endpoint instanceof NatsSocket) endpoint.close();
    await this.#flushed();
    if (this.#port.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
    this.#port.close();
  }

  #openPort(): NatsPort {
    const { nc, clock, random } = this.#settings;
    return new NatsPort({
      nc,
      clock,
      random,
      subjects: this.#subjects,
      direction: "in",
      principal: "*",
      onRefused: (error) => this.#onRefused(error),
      onEmpty: () => this.#onEmpty?.(),
      onClosed: () => this.#onClosed(),
    });
  }

  async #start(): Promise<void> {
    try {
      // The server answers behind what it has to say of the subscriptions.
      await this.#settings.nc.flush();
      if (this.#refusal !== undefined) throw this.#refusal;
    } catch (error) {
      if (!this.#isStopped) void this.stop();
      throw error;
    }
  }

  /** Once the server has ended the subscription to dials; a server that is gone sends none either. */
  #flushed(): Promise<void> {
    const { nc, clock } = this.#settings;
    if (!this.#port.isConnected) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = new Timer(clock, false, () => resolve());
      timer.set(MAX_FLUSH_MS);
      const settle = (): void => {
        timer.drop();
        resolve();
      };
      nc.flush().then(settle, settle);
    });
  }

  #onRefused(cause: Error): void {
    const message = `${this.#subjects.address}: the server does not allow listening: ${cause.message}`;
    this.#refusal ??= new AuthError(message, { cause });
  }

  #onClosed(): void {
    if (!this.#isStopped)
      this.#context.report(new Error(`${this.#subjects.address}: the NATS connection is closed, and nothing listens`));
  }

  #onDial({ subject, reply = "", data }: NatsMessage): void {
    const principal = this.#subjects.dialPrincipal(subject);
    // Whatever else a client asks to publish to: only its own principal's sockets are answered.
    if (principal === undefined || this.#subjects.socketPrincipal("out", reply) !== principal) return;
    const handshake = decodeHandshake(data);
    const refusal = this.#refusalOf(principal, handshake);
    if (handshake === undefined || refusal !== undefined) this.#refuse(reply, subject, refusal);
    else this.#acceptDial(principal, reply, handshake);
  }

  #refusalOf(principal: string, handshake: Handshake | undefined): DialRefusal | undefined {
    const fault = guestPrincipalFault(principal);
    if (fault !== undefined) return { isDenied: true, message: fault };
    if (handshake === undefined) return { isDenied: false, message: "it speaks another version" };
    if (this.#port.size < this.#settings.maxConnections) return undefined;
    return { isDenied: false, message: "it has as many connections as it takes" };
  }

  #refuse(reply: string, subject: string, refusal: DialRefusal | undefined): void {
    if (refusal !== undefined)
      this.#port.publish(reply, subject, encodePacket(PACKET.refuse, 0, 0, encodeRefusal(refusal)));
  }

  #acceptDial(principal: string, target: string, theirs: Handshake): void {
    const { nc, clock } = this.#settings;
    const { incoming } = this.#context;
    const ours: Handshake = {
      maxFrameBytes: Math.min(this.#context.maxFrameBytes, theirs.maxFrameBytes),
      windowBytes: windowFor(this.#port.size + 1),
    };
    const socket = this.#port.add(principal, (source) => {
      const [, , , , port = "", number = ""] = target.split(".");
      return new NatsSocket(this.#port, {
        ...outgoingLimits(nc, theirs),
        clock,
        source,
        target,
        maxFrameBytes: ours.maxFrameBytes,
        ownWindowBytes: ours.windowBytes,
        ...(incoming === undefined ? {} : { incoming }),
        peer: { transport: "nats", address: `${principal}/${port.slice(0, 8)}.${number}`, principal },
      });
    });
    this.#port.publish(target, socket.source, encodePacket(PACKET.accept, 0, 0, encodeHandshake(ours)));
    this.accept(socket);
  }
}

/** A fleet's place to register at, over NATS. */
export class NatsListener implements Listener {
  /** The fleet, for people to read: `nats:jobs`. */
  readonly address: string;
  readonly #settings: NatsListenerSettings;
  readonly #subjects: FleetSubjects;
  #reception: Reception | undefined;
  #stopped: Promise<void> = Promise.resolve();

  /** @internal */
  constructor(settings: NatsListenerSettings) {
    this.#settings = settings;
    this.#subjects = new FleetSubjects(settings.fleet);
    this.address = this.#subjects.address;
  }

  /**
   * Subscribes to the fleet's dials; several listeners of a fleet share them. The same `accept` may be started again.
   * Rejects with an `AuthError` when the server does not allow it, and with an `Error` when the connection is closed, or this
   * listener has another taker.
   */
  async start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    if (this.#reception !== undefined && this.#reception.accept !== accept)
      throw new Error(`${this.address}: already listening; give each runner a listener of its own`);
    const reception = (this.#reception ??= this.#receive(accept, context));
    try {
      await reception.started;
    } catch (error) {
      if (this.#reception === reception) this.#reception = undefined;
      throw error;
    }
  }

  /**
   * Takes no more dials and closes every accepted socket. Resolves once what was sent has arrived, or 5 s later: the
   * connection, which is its owner's, is best closed behind that.
   */
  stop(): Promise<void> {
    const reception = this.#reception;
    this.#reception = undefined;
    if (reception !== undefined) this.#stopped = Promise.all([this.#stopped, reception.stop()]).then(() => undefined);
    return this.#stopped;
  }

  #receive(accept: (socket: Socket) => void, context: ListenerContext): Reception {
    try {
      return new Reception(this.#settings, this.#subjects, accept, context);
    } catch (error) {
      throw new Error(`${this.address}: cannot listen: ${describeError(error)}`, { cause: error });
    }
  }
}
