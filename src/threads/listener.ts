/** The listener around the threads: what they are started with, and one crew of them at a time. */
import type { WorkerOptions } from "node:worker_threads";
import type { Listener, ListenerContext, Socket } from "../core/socket.ts";
import { MAX_PAYLOAD } from "../core/options.ts";
import { Crew } from "./crew.ts";
import { moduleUrl, type ThreadsOptions, type ThreadsSettings, threadsSettings } from "./options.ts";
import type { ThreadPlan } from "./thread.ts";

const PASSED_ON = ["workerData", "env", "execArgv", "argv", "resourceLimits", "stdout", "stderr"] as const;

function hostOptions(settings: ThreadsSettings, name: string): WorkerOptions {
  const given = PASSED_ON.map((key) => [key, settings[key]] as const).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(given) as WorkerOptions), name };
}

function planOf(module: string, settings: ThreadsSettings, number: number, maxFrameBytes: number): ThreadPlan {
  const { name, capacity, labels, maxJobs, maxAge, maxAgeJitter, startTimeout } = settings;
  const identity = `${name}-${number}`;
  return {
    title: `${name} ${number}`,
    boot: {
      module,
      exportName: settings.export,
      identity,
      capacity,
      labels,
      maxJobs,
      maxAge,
      ...(maxAgeJitter === undefined ? {} : { maxAgeJitter }),
      // The runner's own limit, which is smaller, is told when a thread registers.
      maxPayload: Math.min(maxFrameBytes, MAX_PAYLOAD),
    },
    host: hostOptions(settings, identity),
    startTimeout,
    maxFrameBytes,
  };
}

/** Starts threads and accepts them as workers. Made by {@link threads}. */
export class ThreadsListener implements Listener {
  /** For people to read: `4 threads of file:///…/square.js`. */
  readonly address: string;
  /** How many threads there are while it is started. */
  readonly size: number;
  readonly #module: string;
  readonly #settings: ThreadsSettings;
  #accept: ((socket: Socket) => void) | undefined;
  #crew: Crew | undefined;
  #leaving: Promise<unknown> | undefined;

  /** @internal */
  constructor(module: URL | string, options: ThreadsOptions) {
    this.#module = moduleUrl(module);
    this.#settings = threadsSettings(options);
    this.size = this.#settings.size;
    this.address = `${this.size} ${this.size === 1 ? "thread" : "threads"} of ${this.#module}`;
  }

  /**
   * Starts the threads. Resolves once one of them is registered; rejects with WorkerStartError, and leaves nothing running,
   * when none of them gets so far: its message says why, and it may be started again. Rejects with RunnerStoppedError when
   * stopped first. The same `accept` may be started again; another one is refused with an `Error`.
   */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    if (this.#crew !== undefined && this.#accept !== accept)
      return Promise.reject(new Error("threads: already started; give each runner threads of its own"));
    this.#accept = accept;
    this.#crew ??= this.#hire(accept, context);
    return this.#crew.started;
  }

  /** Ends the threads, within a moment even when a handler spins, and resolves once none is left. May be called twice. */
  async stop(): Promise<void> {
    const crew = this.#crew;
    this.#crew = undefined;
    // A start that follows does not wait for these: what is left of them has no connection any more.
    if (crew !== undefined) this.#leaving = Promise.all([this.#leaving, crew.stop()]);
    await this.#leaving;
  }

  #hire(accept: (socket: Socket) => void, context: ListenerContext): Crew {
    const { size } = this.#settings;
    const plans = Array.from({ length: size }, (_, index) =>
      planOf(this.#module, this.#settings, index + 1, context.maxFrameBytes),
    );
    const crew = new Crew(plans, this.#settings, accept, context);
    // A crew that never got ready is gone when its start rejects, and the next start hires another.
    crew.started.catch(() => {
      if (this.#crew === crew) this.#crew = undefined;
    });
    return crew;
  }
}
