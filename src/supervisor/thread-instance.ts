/**
 * One thread from its start to its exit: hands it its orders, its port and its time to get ready, and sees to it that it
 * ends. What a thread is, a worker thread of Node or a Web Worker, its plan knows. Whether another takes its place is decided in supervised-thread.ts.
 */
import { errorLine } from "../core/describe-error.ts";
import type { TimerHandle } from "../core/time/clock.ts";
import { LOCAL } from "../core/transport/principal.ts";
import type { CloseReason, Socket } from "../core/transport/socket.ts";
import { systemClock, systemRandom } from "../index.ts";
import { type ThreadInit, type ThreadPort, type ThreadMessage, unsealed } from "./thread-protocol.ts";
import type { ThreadHistory } from "./restart-policy.ts";
import { scarcityOf, withCode } from "./scarcity.ts";
import { ThreadSocket } from "./thread-socket.ts";

/** How long a thread that has nothing left to do may take to end by itself, in ms: long enough to flush what it printed. */
const GRACE = 100;

/** What a host tells of a thread it runs. Nothing is told while it is being spawned. */
export interface HostedEvents {
  /** The thread has posted something. */
  message(message: unknown): void;
  /** It cannot go on, and ends. */
  error(error: unknown): void;
  /** It has ended. The last call. `how`: "exited with code 1", for people to read. */
  exited(how: string): void;
}

/** A thread as its host knows it: Node's `Worker`, or a browser's. */
export interface HostedThread {
  /** Whether a port whose other end was in the thread tells when the thread is gone. */
  readonly portCloses: boolean;
  /** Hands over the orders, and the port in them. */
  post(init: ThreadInit, port: ThreadPort): void;
  /** Ends it at once; `exited` follows. May be called twice. */
  terminate(): void;
}

/** How a thread is started. */
export interface ThreadPlan {
  /** For people to read: `thread 3`. */
  readonly title: string;
  readonly init: Omit<ThreadInit, "port" | "nonce">;
  readonly startTimeout: number;
  readonly maxFrameBytes: number;
  /** Starts one. May throw. */
  spawn(events: HostedEvents): HostedThread;
}

/** How a thread ended. */
export interface ThreadEnd extends ThreadHistory {
  /** Whether it registered at all. */
  readonly registered: boolean;
  /** Whether its connection was closed from this side first: it retired, hung, or was sent away. */
  readonly released: boolean;
  /** One line. */
  readonly message: string;
  readonly cause: unknown;
}

/** Who started a thread. Nothing is called from inside the constructor. */
export interface ThreadOwner {
  /** It has loaded its module and says HELLO on this socket. */
  accept(socket: Socket): void;
  registered(): void;
  /** It was registered, and its connection was closed from this side. It ends soon. */
  released(thread: ThreadInstance): void;
  /** It has exited. The last call. */
  ended(thread: ThreadInstance, end: ThreadEnd): void;
}

/** One thread. */
export class ThreadInstance {
  readonly #plan: ThreadPlan;
  readonly #owner: ThreadOwner;
  readonly #port: ThreadPort;
  readonly #host: HostedThread | undefined;
  readonly #nonce: string = systemRandom.id();
  #socket: ThreadSocket | undefined;
  #timer: TimerHandle;
  #lingering = false;
  #registered = false;
  #begun = false;
  #exitedAlready = false;
  #registeredAt = 0;
  /** Why it cannot go on, as soon as that is known. */
  #trouble: { readonly message: string; readonly cause: unknown } | undefined;

  constructor(plan: ThreadPlan, owner: ThreadOwner) {
    this.#plan = plan;
    this.#owner = owner;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#host = this.#spawn();
    if (this.#host === undefined) return;
    this.#order(this.#host, port2);
    this.#timer = systemClock.set(plan.startTimeout, () => this.#tooSlow(), false);
  }

  /** Ends it: at once while it loads, else as soon as it has nothing to do, which it is not given long for. */
  stop(): void {
    if (this.#socket === undefined) return this.#kill();
    this.#socket.close();
    this.#linger();
  }

  #spawn(): HostedThread | undefined {
    try {
      return this.#plan.spawn({
        message: (message) => this.#heard(message),
        error: (error) => this.#inTrouble(`crashed: ${errorLine(error)}`, error),
        exited: (how) => this.#exited(how),
      });
    } catch (error) {
      this.#inTrouble(`cannot be started: ${errorLine(error)}`, error);
      systemClock.nextTurn(() => this.#exited("never ran"));
      return undefined;
    }
  }

  #order(host: HostedThread, port: ThreadPort): void {
    try {
      host.post({ ...this.#plan.init, port, nonce: this.#nonce }, port);
    } catch (error) {
      this.#inTrouble(`cannot be told what to do: ${errorLine(error)}`, error);
      host.terminate();
    }
  }

  #heard(message: unknown): void {
    const note = unsealed(message, this.#nonce);
    switch (note?.step) {
      case "loaded":
        return this.#loaded();
      case "registered":
        return this.#isRegistered();
      case "begun":
        this.#begun = true;
        return;
      case "failed":
        return this.#failed(note);
      default:
    }
  }

  #loaded(): void {
    const { title, maxFrameBytes } = this.#plan;
    const peer = { transport: "thread", address: title, principal: LOCAL };
    this.#socket = new ThreadSocket(this.#port, peer, maxFrameBytes, (reason) => this.#socketClosed(reason));
    this.#owner.accept(this.#socket);
  }

  #isRegistered(): void {
    this.#registered = true;
    this.#registeredAt = systemClock.now();
    if (this.#lingering) return;
    systemClock.clear(this.#timer);
    this.#owner.registered();
  }

  #failed({ message, cause, scarce }: ThreadMessage & { readonly step: "failed" }): void {
    this.#inTrouble(`could not start: ${message}`, withCode(cause, message, scarce));
    this.#kill();
  }

  #tooSlow(): void {
    this.#inTrouble(`was not ready within ${this.#plan.startTimeout} ms`, undefined);
    this.#kill();
  }

  #socketClosed({ code, message }: CloseReason): void {
    if (this.#exitedAlready) return;
    if (code !== "local" && code !== "peer") this.#inTrouble(message, undefined);
    this.#linger();
    if (code === "local" && this.#registered) this.#owner.released(this);
  }

  /** Without its connection it has nothing to do; what a module left running must not keep it, nor may a handler that spins. */
  #linger(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    systemClock.clear(this.#timer);
    this.#timer = systemClock.set(GRACE, () => this.#kill(), false);
  }

  #kill(): void {
    this.#host?.terminate();
  }

  /** The first trouble is the reason; what follows from it is not. */
  #inTrouble(message: string, cause: unknown): void {
    this.#trouble ??= { message, cause };
  }

  #exited(how: string): void {
    this.#exitedAlready = true;
    systemClock.clear(this.#timer);
    this.#inTrouble(`${how}${this.#registered ? "" : " before it was ready"}`, undefined);
    const message = `${this.#plan.title} ${this.#trouble?.message}`;
    if (this.#socket === undefined) this.#port.close();
    else this.#socket.threadEnded(message, this.#host?.portCloses === true);
    const registered = this.#registered;
    this.#owner.ended(this, {
      registered,
      released: registered && this.#socket?.closedHere === true,
      begun: this.#begun,
      scarce: scarcityOf(this.#trouble?.cause) !== undefined,
      lived: registered ? systemClock.now() - this.#registeredAt : 0,
      message,
      cause: this.#trouble?.cause,
    });
  }
}
