/** The listener around the threads: what they are started with. See supervisor/thread-pool.ts for their number. */
import type { WorkerOptions } from "node:worker_threads";
import type { Listener, ListenerContext } from "../core/transport/listener.ts";
import type { Socket } from "../core/transport/socket.ts";
import { ThreadPoolListener } from "../supervisor/listener.ts";
import { poolPlans } from "../supervisor/pool-options.ts";
import { spawnThread } from "./node-thread.ts";
import { moduleUrl, type ThreadsOptions, type ThreadsSettings, threadsSettings } from "./options.ts";

const PASSED_ON = ["workerData", "env", "execArgv", "argv", "resourceLimits", "stdout", "stderr"] as const;

function hostOptions(settings: ThreadsSettings, name: string): WorkerOptions {
  const given = PASSED_ON.map((key) => [key, settings[key]] as const).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(given) as WorkerOptions), name };
}

/** Starts threads and accepts them as workers. Made by {@link threads}. */
export class ThreadsListener implements Listener {
  /** For people to read: `4 threads of file:///…/square.js`. */
  readonly address: string;
  /** How many threads there are while it is started. */
  readonly size: number;
  readonly #pool: ThreadPoolListener;

  /** @internal */
  constructor(module: URL | string, options: ThreadsOptions) {
    const url = moduleUrl(module);
    const settings = threadsSettings(options);
    const { size, restartMin, restartMax, maxCrashes, stopTimeout } = settings;
    this.size = size;
    this.address = `${size} ${size === 1 ? "thread" : "threads"} of ${url}`;
    this.#pool = new ThreadPoolListener({
      owner: "threads",
      address: this.address,
      restartMin,
      restartMax,
      maxCrashes,
      stopTimeout,
      plans: (context) =>
        poolPlans(url, settings, context, (identity, events) =>
          spawnThread(settings.script, hostOptions(settings, identity), events),
        ),
    });
  }

  /**
   * Starts the threads. Resolves once one of them is registered; rejects with WorkerStartError, and leaves nothing running,
   * when none of them gets so far: its message says why, and it may be started again. Rejects with RunnerStoppedError when
   * stopped first. The same `accept` may be started again; another one is refused with an `Error`.
   */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    return this.#pool.start(accept, context);
  }

  /** Ends the threads, within a moment even when a handler spins, and resolves once none is left. Tasks with a `close` get `stopTimeout`
   * for it. May be called twice. */
  stop(): Promise<void> {
    return this.#pool.stop();
  }
}
