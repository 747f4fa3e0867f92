/**
 * Handlers that have begun and not ended, and what the simulation knows they wait for. Finds those that wait for something
 * outside of it: virtual time would pass for ever without them.
 */
import { ForwardedContext } from "../../core/worker/forwarded-context.ts";
import { likeHandler } from "../../core/worker/handler-lifecycle.ts";
import type { Job } from "../../core/job/job.ts";
import type { Payload } from "../../core/peer.ts";
import type { Handler, JobContext } from "../../core/worker/execution.ts";
import { formatPayload, formatTime } from "../history/format.ts";
import type { Machine } from "./machine.ts";
import type { Observed } from "../history/observation.ts";

/** One call of a handler. */
interface Run {
  readonly number: number;
  readonly machine: Machine;
  readonly data: Payload;
  readonly began: number;
  /** Signals the handler has read: an abort may be what it waits for. */
  readonly signals: AbortSignal[];
}

/** The worker's own context, which reports when its signals are read. */
class WatchedContext extends ForwardedContext {
  readonly #onSignalRead: (signal: AbortSignal) => void;

  constructor(context: JobContext, onSignalRead: (signal: AbortSignal) => void) {
    super(context);
    this.#onSignalRead = onSignalRead;
  }

  override get signal(): AbortSignal {
    return this.#watched(super.signal);
  }

  override get shuttingDown(): AbortSignal {
    return this.#watched(super.shuttingDown);
  }

  #watched(signal: AbortSignal): AbortSignal {
    this.#onSignalRead(signal);
    return signal;
  }
}

/** What the monitor needs of the clock. */
export interface HandlerClock {
  now(): number;
  /** Whether the host does something of its own now. */
  readonly outside: boolean;
}

/** Watches every handler of a simulation. */
export class HandlerMonitor {
  readonly #record: (observed: Observed) => void;
  readonly #clock: HandlerClock;
  readonly #onEscape: (handler: string) => void;
  readonly #pending = new Map<number, Run>();
  readonly #owners = new WeakMap<AbortSignal, Machine>();
  #runs = 0;

  /** `onEscape` is called with each handler that something outside of the simulation has ended. */
  constructor(clock: HandlerClock, record: (observed: Observed) => void, onEscape: (handler: string) => void) {
    this.#clock = clock;
    this.#record = record;
    this.#onEscape = onEscape;
  }

  /** Handlers that have begun, on machines that are up, and not ended. */
  get pending(): number {
    return this.#pending.size;
  }

  /** The machine of the handler that was given a signal. */
  ownerOf(signal: AbortSignal): Machine | undefined {
    return this.#owners.get(signal);
  }

  /** The handler, watched. */
  wrap(handler: Handler, machine: Machine, capacity: number): Handler {
    const watched: Handler = (job, context) => this.#call(handler, job, context, machine, capacity);
    return likeHandler(watched, handler);
  }

  /** A machine has crashed: its handlers do not go on. */
  forget(machine: Machine): void {
    for (const run of this.#pending.values()) if (run.machine === machine) this.#pending.delete(run.number);
  }

  /** Those that wait for nothing the simulation could bring about, as far as can be seen. */
  stuck(): readonly string[] {
    return [...this.#pending.values()]
      .filter(({ signals }) => signals.every(({ aborted }) => aborted))
      .map(describeRun);
  }

  /** Those that have begun and not ended. */
  all(): readonly string[] {
    return [...this.#pending.values()].map(describeRun);
  }

  #call(
    handler: Handler,
    job: Job,
    context: JobContext,
    machine: Machine,
    capacity: number,
  ): Payload | Promise<Payload> {
    const run: Run = { number: ++this.#runs, machine, data: job.data, began: this.#clock.now(), signals: [] };
    const { jobId, attempt } = context;
    const { name, life } = machine;
    this.#record({ kind: "handler-started", machine: name, life, capacity, jobId, attempt, run: run.number });
    const watched = new WatchedContext(context, (signal) => {
      run.signals.push(signal);
      this.#owners.set(signal, machine);
    });
    let result: Payload | Promise<Payload>;
    try {
      result = handler(job, watched);
    } catch (error) {
      this.#ended(run, undefined);
      throw error;
    }
    if (!isThenable(result)) {
      this.#ended(run, result);
      return result;
    }
    // It may have ended its own process before it came back, and then does not go on.
    if (machine.state !== "down") this.#pending.set(run.number, run);
    return this.#follow(run, result);
  }

  async #follow(run: Run, result: Payload | Promise<Payload>): Promise<Payload> {
    try {
      const value = await result;
      this.#ended(run, value);
      return value;
    } catch (error) {
      this.#ended(run, undefined);
      throw error;
    }
  }

  #ended(run: Run, value: unknown): void {
    this.#pending.delete(run.number);
    if (run.machine.state === "down") return;
    if (this.#clock.outside) this.#onEscape(describeRun(run));
    const { number, machine } = run;
    const returned = typeof value === "string" || value instanceof Uint8Array ? value : undefined;
    this.#record({ kind: "handler-ended", run: number, machine: machine.name, life: machine.life, value: returned });
  }
}

function describeRun({ machine, data, began }: Run): string {
  return `the handler of ${machine.name} that was given ${formatPayload(data)} at ${formatTime(began)}`;
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}
