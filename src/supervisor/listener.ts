/** The Listener around a crew: one crew of threads at a time, hired when a runner starts to listen. */
import type { Listener, ListenerContext } from "../core/transport/listener.ts";
import type { Socket } from "../core/transport/socket.ts";
import { Crew } from "./thread-pool.ts";
import type { RestartLimits } from "./restart-policy.ts";
import type { ThreadPlan } from "./thread-instance.ts";

/** What a crew is hired for. */
export interface CrewTerms extends RestartLimits {
  /** What this listener is called in messages. */
  readonly owner: string;
  /** For people to read: what the threads serve. */
  readonly address: string;
  /** One plan for each place. */
  plans(maxFrameBytes: number): readonly ThreadPlan[];
}

/** Starts threads and accepts them as workers. */
export class CrewListener implements Listener {
  /** For people to read. */
  readonly address: string;
  readonly #terms: CrewTerms;
  #accept: ((socket: Socket) => void) | undefined;
  #crew: Crew | undefined;
  #leaving: Promise<unknown> | undefined;

  constructor(terms: CrewTerms) {
    this.#terms = terms;
    this.address = terms.address;
  }

  /**
   * Starts the threads. Resolves once one of them is registered; rejects with WorkerStartError, and leaves nothing running,
   * when none of them gets so far: its message says why, and it may be started again. Rejects with RunnerStoppedError when
   * stopped first. The same `accept` may be started again; another one is refused with an `Error`.
   */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    if (this.#crew !== undefined && this.#accept !== accept)
      return Promise.reject(new Error(`${this.#terms.owner}: already started; give each runner threads of its own`));
    this.#accept = accept;
    const crew = this.#crew ?? this.#hire(accept, context);
    return crew.started;
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
    const crew = new Crew(this.#terms.plans(context.maxFrameBytes), this.#terms, accept, context);
    // A crew that never got ready is gone when its start rejects, and the next start hires another.
    crew.started.catch(() => {
      if (this.#crew === crew) this.#crew = undefined;
    });
    // Known before its threads are started: a stop that user code asks for meanwhile finds it.
    this.#crew = crew;
    crew.start();
    return crew;
  }
}
