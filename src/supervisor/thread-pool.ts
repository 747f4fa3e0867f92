/** All places of one start of the listener, from `start` to `stop`: when it counts as started, and which losses are reported. */
import type { ListenerContext } from "../core/transport/listener.ts";
import type { Socket } from "../core/transport/socket.ts";
import { RunnerStoppedError, WorkerStartError } from "../index.ts";
import { startHeld } from "../core/async/deferred.ts";
import { type PlaceLimits, SupervisedThread, type SupervisedThreadOwner } from "./supervised-thread.ts";
import type { ThreadPlan } from "./thread-instance.ts";

/** The threads of one start. */
export class ThreadPool implements SupervisedThreadOwner {
  /** Resolves with the first thread that is ready; rejects when none gets ready at its first try, or `stop` comes first. */
  readonly started: Promise<void>;
  readonly #accept: (socket: Socket) => void;
  readonly #context: ListenerContext;
  readonly #threads: readonly SupervisedThread[];
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #ready = false;
  #failures = 0;
  #givenUp = 0;
  #stopping: Promise<void> | undefined;

  constructor(
    plans: readonly ThreadPlan[],
    limits: PlaceLimits,
    accept: (socket: Socket) => void,
    context: ListenerContext,
  ) {
    this.#accept = accept;
    this.#context = context;
    this.started = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.started.catch(() => undefined); // the caller of `start` has it
    this.#threads = plans.map((plan) => new SupervisedThread(plan, limits, this));
  }

  /** Starts the threads. To be called once its owner knows it, as this runs user code. */
  start(): void {
    for (const thread of this.#threads) thread.start();
  }

  /** Ends all threads. May be called twice. */
  stop(): Promise<void> {
    return this.#end(new RunnerStoppedError("the threads were stopped before one was ready"));
  }

  accept(socket: Socket): void {
    this.#accept(socket);
  }

  onReady(): void {
    this.#ready = true;
    this.#resolve();
  }

  onFailed(error: WorkerStartError): void {
    // Only once all have failed, though they share a module: a limit of memory may hit but some of them.
    if (++this.#failures < this.#threads.length || this.#ready) return;
    void this.#end(error);
  }

  onScarce(message: string, cause: unknown, retryIn: number): void {
    // Where none was ever ready, the start rejects, unless another gets ready.
    const error = new WorkerStartError(`${message}; tried again until it can be started`, { cause, retryIn });
    if (this.#stopping === undefined) this.#context.report(error);
  }

  onGaveUp(message: string, cause: unknown, retryIn: number): void {
    const isLast = ++this.#givenUp === this.#threads.length;
    const options = { cause, retryIn, givenUp: isLast ? "all" : "place" } as const;
    this.#context.report(new WorkerStartError(message + (isLast ? "; no thread is left" : ""), options));
  }

  onStuck(message: string): void {
    const why =
      "it is in a call of the system that does not return, and ends with the process, which only SIGKILL ends then";
    this.#context.report(new Error(`${message}: ${why}`));
  }

  onRestored(): void {
    this.#givenUp--;
  }

  /** Rejects the start, where it is still open, once nothing is left of it. */
  #end(reason: unknown): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping;
    return startHeld(
      async () => {
        await Promise.all(this.#threads.map((thread) => thread.stop()));
        this.#reject(reason);
      },
      (stopping) => void (this.#stopping = stopping),
    );
  }
}
