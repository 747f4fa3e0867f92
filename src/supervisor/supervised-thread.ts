/**
 * One place in the pool: keeps a thread in it. A thread that was released is replaced at once. After a crash the replacement
 * waits, for long once restart-policy.ts gives up. How a thread is started and ended is in thread-instance.ts. A start runs user code:
 * `workerData` is cloned, and its getters may call `stop`.
 */
import type { TimerHandle } from "../core/time/clock.ts";
import type { Socket } from "../core/transport/socket.ts";
import { systemClock, systemRandom, WorkerStartError } from "../index.ts";
import { type RestartLimits, RestartPolicy } from "./restart-policy.ts";
import { liveThreads } from "./live-threads.ts";
import { ThreadInstance, type ThreadEnd, type ThreadOwner, type ThreadPlan } from "./thread-instance.ts";

/** How long the threads may take to end, in ms, unless told otherwise. */
const STOP_TIMEOUT_MS = 5_000;

/** What a place keeps to. */
export interface PlaceLimits extends RestartLimits {
  /** How long a stop waits for what a thread's handler has for the end, in ms, and then for its end. */
  readonly stopTimeout?: number;
}

/** What the place calls. */
export interface SupervisedThreadOwner {
  /** A thread says HELLO. */
  accept(socket: Socket): void;
  /** A thread is ready. */
  onReady(): void;
  /** The first thread of this place never got ready. Another is tried. */
  onFailed(error: WorkerStartError): void;
  /** Something has run out. More threads are tried here until one is of use; the next one within so many ms. */
  onScarce(message: string, cause: unknown, retryIn: number): void;
  /** Threads are tried here only now and then; the next one within so many ms. */
  onGaveUp(message: string, cause: unknown, retryIn: number): void;
  /** A stop has waited for its thread long enough. */
  onStuck(message: string): void;
  /** After that a thread has registered here. */
  onRestored(): void;
}

/** A place for one thread at a time. */
export class SupervisedThread implements ThreadOwner {
  readonly #plan: ThreadPlan;
  readonly #owner: SupervisedThreadOwner;
  readonly #policy: RestartPolicy;
  readonly #stopTimeout: number;
  /** The current thread and those that are ending. */
  readonly #alive = new Set<ThreadInstance>();
  #current: ThreadInstance | undefined;
  #timer: TimerHandle;
  #first = true;
  #isGivenUp = false;
  /** A thread is being made. */
  #starting = false;
  #stopped: (() => void) | undefined;

  constructor(plan: ThreadPlan, limits: PlaceLimits, owner: SupervisedThreadOwner) {
    this.#plan = plan;
    this.#stopTimeout = limits.stopTimeout ?? STOP_TIMEOUT_MS;
    this.#owner = owner;
    this.#policy = new RestartPolicy(limits, systemRandom);
  }

  /** Starts a thread in it. */
  start(): void {
    if (this.#stopped !== undefined || !liveThreads.mayStart) return;
    this.#starting = true;
    const thread = new ThreadInstance(this.#plan, this, this.#stopTimeout);
    this.#starting = false;
    this.#current = thread;
    this.#alive.add(thread);
    if (this.#isStopped) thread.stop();
  }

  /** Ends what runs, starts no more. Resolves once no thread is left. To be called once. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#stopped = resolve;
      systemClock.clear(this.#timer);
      for (const thread of this.#alive) thread.stop();
      if (this.#alive.size === 0 && !this.#starting) return resolve();
      // Counted from the moment at which it is ended, whatever it still does by itself.
      const closing = Math.max(0, ...Array.from(this.#alive, ({ closeTimeout }) => closeTimeout));
      this.#timer = systemClock.set(closing + this.#stopTimeout, () => this.#onStuck(resolve), true);
    });
  }

  /** It cannot be ended: it is in a call of the system. The process goes on without it. */
  #onStuck(resolve: () => void): void {
    for (const { title } of this.#alive) this.#owner.onStuck(`${title} could not be ended in ${this.#stopTimeout} ms`);
    resolve();
  }

  /** Read anew, as user code may have run. */
  get #isStopped(): boolean {
    return this.#stopped !== undefined;
  }

  accept(socket: Socket): void {
    if (this.#stopped === undefined) this.#owner.accept(socket);
  }

  onRegistered(): void {
    this.#first = false;
    if (this.#isGivenUp) this.#owner.onRestored();
    this.#isGivenUp = false;
    this.#owner.onReady();
  }

  onReleased(thread: ThreadInstance): void {
    if (this.#stopped === undefined && thread === this.#current) this.start();
  }

  onEnded(thread: ThreadInstance, end: ThreadEnd): void {
    this.#alive.delete(thread);
    if (this.#stopped !== undefined) {
      if (this.#alive.size > 0) return;
      systemClock.clear(this.#timer);
      this.#stopped();
    } else if (thread === this.#current) {
      if (end.released) this.start();
      else this.#onCrash(end);
    }
  }

  #onCrash(end: ThreadEnd): void {
    const { message, cause } = end;
    const { after, isGivenUp, isScarce } = this.#policy.onCrash(end);
    if (this.#first) this.#owner.onFailed(new WorkerStartError(message, { cause }));
    this.#first = false;
    if (this.#stopped !== undefined) return;
    // The timer keeps the process: while it runs, no thread does.
    this.#timer = systemClock.set(after, () => this.start(), true);
    if (isGivenUp && !this.#isGivenUp) {
      this.#isGivenUp = true;
      this.#owner.onGaveUp(`${message}; given up after ${this.#policy.inARow} crashes in a row`, cause, after);
    } else if (isScarce) this.#owner.onScarce(message, cause, after);
  }
}
