/**
 * Handlers that have begun and not ended, and what the simulation knows they wait for. Finds those that wait for something
 * outside of it: virtual time would pass for ever without them.
 */
import { ForwardedContext } from "../../core/worker/forwarded-context.ts";
import { likeHandler } from "../../core/worker/handler-lifecycle.ts";
import type { Job } from "../../core/job/job.ts";
import type { Payload } from "../../core/peer.ts";
import type { Handler, HandlerResult, JobContext } from "../../core/worker/execution.ts";
import type { JobInput } from "../../core/worker/input-stream.ts";
import { isStream } from "../../core/async/item-pump.ts";
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
  isOver: boolean;
}

type Step = IteratorResult<Payload, Payload | undefined>;

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

  /** What a handler waits for that reads it ends with its signal. */
  override get input(): JobInput | undefined {
    const input = super.input;
    if (input !== undefined) this.#watched(super.signal);
    return input;
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
  ): HandlerResult | Promise<HandlerResult> {
    const began = this.#clock.now();
    const run: Run = { number: ++this.#runs, machine, data: job.data, began, signals: [], isOver: false };
    const { jobId, attempt } = context;
    const { name, life } = machine;
    this.#record({ kind: "handler-started", machine: name, life, capacity, jobId, attempt, run: run.number });
    const watched = new WatchedContext(context, (signal) => {
      run.signals.push(signal);
      this.#owners.set(signal, machine);
    });
    let result: HandlerResult | Promise<HandlerResult>;
    try {
      result = handler(job, watched);
    } catch (error) {
      this.#ended(run, undefined);
      throw error;
    }
    if (isStream(result)) return this.#watchStream(run, result);
    if (!isThenable(result)) {
      this.#ended(run, result);
      return result;
    }
    // It may have ended its own process before it came back, and then does not go on.
    if (machine.state !== "down") this.#pending.set(run.number, run);
    return this.#follow(run, result);
  }

  /** While a step is pending, the handler runs; between two of them it waits for its reader. */
  #watchStream(run: Run, items: AsyncIterable<Payload>): AsyncIterable<Payload> {
    const iterator: AsyncIterator<Payload, Payload | undefined> = items[Symbol.asyncIterator]();
    const watched: AsyncIterator<Payload, Payload | undefined> = {
      next: () => this.#step(run, () => iterator.next()),
      return: () => this.#step(run, async () => (await iterator.return?.()) ?? { done: true, value: undefined }),
    };
    return { [Symbol.asyncIterator]: () => watched };
  }

  async #step(run: Run, ask: () => Promise<Step>): Promise<Step> {
    if (run.machine.state !== "down") this.#pending.set(run.number, run);
    try {
      const step = await ask();
      if (step.done === true) this.#ended(run, step.value ?? "");
      else this.#pending.delete(run.number);
      return step;
    } catch (error) {
      this.#ended(run, undefined);
      throw error;
    }
  }

  async #follow(run: Run, result: HandlerResult | Promise<HandlerResult>): Promise<HandlerResult> {
    try {
      const value = await result;
      if (isStream(value)) return this.#watchStream(run, value);
      this.#ended(run, value);
      return value;
    } catch (error) {
      this.#ended(run, undefined);
      throw error;
    }
  }

  #ended(run: Run, value: unknown): void {
    this.#pending.delete(run.number);
    if (run.isOver) return;
    run.isOver = true;
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
