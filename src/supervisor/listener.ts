/** The Listener around a thread pool of any host: one pool at a time, created when a runner starts to listen. */
import type { Listener, ListenerContext } from "../core/transport/listener.ts";
import type { Socket } from "../core/transport/socket.ts";
import { ThreadPool } from "./thread-pool.ts";
import type { PlaceLimits } from "./supervised-thread.ts";
import type { ThreadPlan } from "./thread-instance.ts";

/** What a pool is created with. */
export interface ThreadPoolOptions extends PlaceLimits {
  /** What this listener is called in messages. */
  readonly owner: string;
  /** For people to read: what the threads serve. */
  readonly address: string;
  /** One plan for each place. */
  plans(context: ListenerContext): readonly ThreadPlan[];
}

/** Starts threads and accepts them as workers. */
export class ThreadPoolListener implements Listener {
  /** For people to read. */
  readonly address: string;
  readonly #options: ThreadPoolOptions;
  #accept: ((socket: Socket) => void) | undefined;
  #pool: ThreadPool | undefined;
  #ending: Promise<unknown> | undefined;

  constructor(options: ThreadPoolOptions) {
    this.#options = options;
    this.address = options.address;
  }

  /**
   * Starts the threads. Resolves once one of them is registered; rejects with WorkerStartError, and leaves nothing running,
   * when none of them gets so far: its message says why, and it may be started again. Rejects with RunnerStoppedError when
   * stopped first. The same `accept` may be started again; another one is refused with an `Error`.
   */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    if (this.#pool !== undefined && this.#accept !== accept)
      return Promise.reject(new Error(`${this.#options.owner}: already started; give each runner threads of its own`));
    this.#accept = accept;
    const pool = this.#pool ?? this.#create(accept, context);
    return pool.started;
  }

  /** Ends the threads, within a moment even when a handler spins, and resolves once none is left. Tasks with a `close` get `stopTimeout`
   * for it. May be called twice. */
  async stop(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    // A start that follows does not wait for these threads: they have no connection any more.
    if (pool !== undefined) this.#ending = Promise.all([this.#ending, pool.stop()]);
    await this.#ending;
  }

  #create(accept: (socket: Socket) => void, context: ListenerContext): ThreadPool {
    const pool = new ThreadPool(this.#options.plans(context), this.#options, accept, context);
    // A pool that never got ready is gone when its start rejects; the next start creates another.
    pool.started.catch(() => {
      if (this.#pool === pool) this.#pool = undefined;
    });
    // Set before the threads start: they run user code, which may call `stop`.
    this.#pool = pool;
    pool.start();
    return pool;
  }
}
