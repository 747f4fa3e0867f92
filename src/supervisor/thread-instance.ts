/**
 * One thread from its start to its exit: sends it its init message and its port, limits its start, and ends it. Works for a
 * worker thread of Node and for a Web Worker alike: the plan it is given starts either. See supervised-thread.ts for its
 * replacement.
 */
import { errorLine } from "../core/describe-error.ts";
import type { TimerHandle } from "../core/time/clock.ts";
import { LOCAL } from "../core/transport/principal.ts";
import type { CloseReason, Socket } from "../core/transport/socket.ts";
import { CLAIM_BYTES, systemClock, systemRandom } from "../index.ts";
import { type ThreadInit, type ThreadPort, type ThreadMessage, unwrapMessage } from "./thread-protocol.ts";
import type { ThreadHistory } from "./restart-policy.ts";
import { liveThreads } from "./live-threads.ts";
import { scarcityOf, withCode } from "./scarcity.ts";
import { ThreadSocket } from "./thread-socket.ts";

/**
 * How long a thread that has nothing left to do may take to end by itself, in ms: long enough to flush what it printed, and to
 * say that it closes.
 */
const EXIT_GRACE_MS = 100;

/** A start that is found to have taken so much too long, in ms, was not watched meanwhile: this thread was busy itself. */
const BUSY_MS = 500;

/** What a host calls for a thread it runs: nothing before `spawn` has returned. */
export interface HostedEvents {
  /** The thread has posted something. */
  onMessage(message: unknown): void;
  /** It cannot go on, and ends. */
  onError(error: unknown): void;
  /** It has ended. The last call. `outcome`: "exited with code 1", for people to read. */
  onExit(outcome: string): void;
}

/** A thread as its host knows it: Node's `Worker`, or a browser's. */
export interface HostedThread {
  /** Whether a port closes when the thread at its other end is gone. */
  readonly portCloses: boolean;
  /** Why it is not ready yet, as far as the host knows. */
  readonly startTrouble?: string | undefined;
  /** Sends the init message, and the port in it. */
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
  /** Whether its connection was closed from this side first: it retired, hung, or was drained. */
  readonly released: boolean;
  /** One line. */
  readonly message: string;
  readonly cause: unknown;
}

/** What a thread calls. Nothing is called from inside the constructor. */
export interface ThreadOwner {
  /** It has loaded its module and says HELLO on this socket. */
  accept(socket: Socket): void;
  onRegistered(): void;
  /** It was registered, and its connection was closed from this side. It ends soon. */
  onReleased(thread: ThreadInstance): void;
  /** It has exited. The last call. */
  onEnded(thread: ThreadInstance, end: ThreadEnd): void;
}

/** Memory for the claims of one thread; `undefined` where the host shares none, as in a page that is not cross-origin isolated. */
function claimMemory(): SharedArrayBuffer | undefined {
  const { crossOriginIsolated } = globalThis as { readonly crossOriginIsolated?: boolean };
  if (typeof SharedArrayBuffer === "undefined" || crossOriginIsolated === false) return undefined;
  return new SharedArrayBuffer(CLAIM_BYTES);
}

/** One thread. */
export class ThreadInstance {
  readonly #plan: ThreadPlan;
  readonly #owner: ThreadOwner;
  readonly #port: ThreadPort;
  readonly #host: HostedThread | undefined;
  readonly #nonce: string = systemRandom.id();
  readonly #claims: SharedArrayBuffer | undefined = claimMemory();
  #socket: ThreadSocket | undefined;
  #timer: TimerHandle;
  /** How long it may take to run what its handler has for the end, in ms. */
  readonly #closeTimeout: number;
  /** Whether its handler has something for the end, and whether that has begun. */
  #closing: "nothing" | "ahead" | "begun" = "nothing";
  #lingering = false;
  #registered = false;
  #begun = false;
  #hasExited = false;
  #registeredAt = 0;
  /** Why it cannot go on, as soon as that is known. */
  #trouble: { readonly message: string; readonly cause: unknown } | undefined;

  constructor(plan: ThreadPlan, owner: ThreadOwner, closeTimeout: number) {
    this.#plan = plan;
    this.#owner = owner;
    this.#closeTimeout = closeTimeout;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#host = this.#spawn();
    if (this.#host === undefined) return;
    liveThreads.add(this);
    this.#sendInit(this.#host, port2);
    this.#limitStart(plan.startTimeout);
  }

  /** For people to read. */
  get title(): string {
    return this.#plan.title;
  }

  /** How long it may go on after `stop`, in ms, because of its handler. */
  get closeTimeout(): number {
    return this.#closing === "nothing" ? 0 : this.#closeTimeout;
  }

  /**
   * Ends it: at once while it loads, else when it has nothing left to do, after {@link EXIT_GRACE_MS} at the latest. What its
   * handler has for the end runs first.
   */
  stop(): void {
    if (this.#socket === undefined) return this.#kill();
    this.#socket.close();
    this.#linger();
    if (this.#closing !== "nothing") this.#killAfter(this.#closeTimeout);
  }

  #spawn(): HostedThread | undefined {
    try {
      return this.#plan.spawn({
        onMessage: (message) => this.#onMessage(message),
        onError: (error) => this.#setTrouble(`crashed: ${errorLine(error)}`, error),
        onExit: (outcome) => this.#onExit(outcome),
      });
    } catch (error) {
      this.#setTrouble(`cannot be started: ${errorLine(error)}`, error);
      systemClock.nextTurn(() => this.#onExit("never ran"));
      return undefined;
    }
  }

  #sendInit(host: HostedThread, port: ThreadPort): void {
    try {
      host.post({ ...this.#plan.init, port, nonce: this.#nonce, claims: this.#claims }, port);
    } catch (error) {
      this.#setTrouble(`cannot be told what to do: ${errorLine(error)}`, error);
      host.terminate();
    }
  }

  #onMessage(message: unknown): void {
    const progress = unwrapMessage(message, this.#nonce);
    switch (progress?.step) {
      case "loaded":
        return this.#onLoaded(progress.closes);
      case "registered":
        return this.#onRegistered();
      case "begun":
        this.#begun = true;
        return;
      case "closing":
        return this.#onClosing("begun");
      case "closed":
        return this.#onClosing("nothing");
      case "failed":
        return this.#onFailed(progress);
      default:
    }
  }

  #onLoaded(closes: boolean): void {
    if (closes) this.#closing = "ahead";
    const { title, maxFrameBytes } = this.#plan;
    const peer = { transport: "thread", address: title, principal: LOCAL };
    const options = { peer, maxFrameBytes, claims: this.#claims };
    this.#socket = new ThreadSocket(this.#port, options, (reason) => this.#onSocketClosed(reason));
    this.#owner.accept(this.#socket);
  }

  #onRegistered(): void {
    this.#registered = true;
    this.#registeredAt = systemClock.now();
    if (this.#lingering) return;
    systemClock.clear(this.#timer);
    this.#owner.onRegistered();
  }

  #onFailed({ message, cause, scarce }: ThreadMessage & { readonly step: "failed" }): void {
    this.#setTrouble(`could not start: ${message}`, withCode(cause, message, scarce));
    this.#kill();
  }

  /** What the thread has posted while this one was busy is read before it is judged: for as long again as that took. */
  #limitStart(ms: number): void {
    const due = systemClock.now() + ms;
    const check = (): void => {
      const lateBy = systemClock.now() - due;
      if (lateBy < BUSY_MS) this.#onStartTimeout();
      else this.#limitStart(Math.min(lateBy, this.#plan.startTimeout));
    };
    this.#timer = systemClock.set(ms, check, false);
  }

  #onStartTimeout(): void {
    const why = this.#host?.startTrouble === undefined ? "" : `: ${this.#host.startTrouble}`;
    this.#setTrouble(`was not ready within ${this.#plan.startTimeout} ms${why}`, undefined);
    this.#kill();
  }

  #onSocketClosed({ code, message }: CloseReason): void {
    if (this.#hasExited) return;
    if (code !== "local" && code !== "peer") this.#setTrouble(message, undefined);
    this.#linger();
    if (code === "local" && this.#registered) this.#owner.onReleased(this);
  }

  /** Without its connection the thread has nothing to do. What its module left running, or a handler that spins, must not keep it. */
  #linger(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    this.#killAfter(this.#closing === "begun" ? this.#closeTimeout : EXIT_GRACE_MS);
  }

  #onClosing(closing: "begun" | "nothing"): void {
    this.#closing = closing;
    if (this.#lingering) this.#killAfter(closing === "begun" ? this.#closeTimeout : EXIT_GRACE_MS);
  }

  #killAfter(ms: number): void {
    systemClock.clear(this.#timer);
    this.#timer = systemClock.set(ms, () => this.#kill(), false);
  }

  #kill(): void {
    this.#host?.terminate();
  }

  /** The first trouble is the reason; what follows from it is not. */
  #setTrouble(message: string, cause: unknown): void {
    this.#trouble ??= { message, cause };
  }

  #onExit(outcome: string): void {
    this.#hasExited = true;
    liveThreads.delete(this);
    systemClock.clear(this.#timer);
    this.#setTrouble(`${outcome}${this.#registered ? "" : " before it was ready"}`, undefined);
    const message = `${this.#plan.title} ${this.#trouble?.message}`;
    if (this.#socket === undefined) this.#port.close();
    else this.#socket.threadEnded(message, this.#host?.portCloses === true, this.#trouble?.cause);
    const registered = this.#registered;
    this.#owner.onEnded(this, {
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
