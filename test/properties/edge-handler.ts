/** What runs behind the workers of an edge world: handlers that end when the scheduler says so, in whatever order. */
import type { Scheduler } from "fast-check";
import type { JobRunner } from "../../src/core/runner/runner.ts";
import type { Handler } from "../../src/core/worker/execution.ts";
import type { Deed } from "./edge-plan.ts";

/** What a job that ends well comes to. */
export function resultOf(data: string): string {
  return `${data}!`;
}

/** Whether a job of that kind can end well. */
export function canSucceed(deed: Deed): boolean {
  return deed !== "throw" && deed !== "retry";
}

/** The error of handlers, inputs and callers: told from what the library throws. */
export class OwnError extends Error {
  override name = "OwnError";
}

/** The handlers of one world. */
export class EdgeHandlers {
  readonly #scheduler: Scheduler;
  readonly #runner: JobRunner;
  /** Told of every promise that a handler gets from the runner. */
  readonly #track: (what: string, promise: Promise<unknown>) => void;
  readonly #running = new Map<string, number>();
  readonly #attempts = new Map<string, number>();
  /** Handlers that ran beside too many others, or under a number that had been used. */
  readonly faults: string[] = [];

  constructor(scheduler: Scheduler, runner: JobRunner, track: (what: string, promise: Promise<unknown>) => void) {
    this.#scheduler = scheduler;
    this.#runner = runner;
    this.#track = track;
  }

  /** The handler of one worker. */
  of(identity: string, capacity: number): Handler {
    return (job, { signal, jobId, attempt }) => {
      const data = String(job.data);
      const deed = data.split(" ")[0] as Deed;
      // A job and the number of the attempt are a fencing token: of two starts the later one has the higher number.
      if (attempt <= (this.#attempts.get(jobId) ?? 0)) this.faults.push(`attempt ${attempt} of ${data} came twice`);
      this.#attempts.set(jobId, attempt);
      if (attempt > Number(/, (\d+) times/.exec(data)?.[1])) this.faults.push(`attempt ${attempt} of ${data}`);
      const running = (this.#running.get(identity) ?? 0) + 1;
      this.#running.set(identity, running);
      if (running > capacity) this.faults.push(`${identity} runs ${running} handlers at a time, not ${capacity}`);
      const ended = (): void => void this.#running.set(identity, (this.#running.get(identity) ?? 0) - 1);
      if (deed === "sync") {
        ended();
        return resultOf(data);
      }
      return this.#do(deed, data, identity, signal).finally(ended);
    };
  }

  async #do(deed: Deed, data: string, identity: string, signal: AbortSignal): Promise<string> {
    if (deed === "delete") this.#runner.workers.delete(identity);
    if (deed === "stop") this.#track("stop, by a handler", this.#runner.stop());
    const turn = this.#scheduler.schedule(Promise.resolve(), `end of ${data}`);
    await (deed === "polite" ? Promise.race([turn, aborted(signal)]) : turn);
    if (deed === "throw") throw new OwnError("as planned");
    if (deed === "retry") throw Object.assign(new OwnError("once more"), { retryable: true, retryAfter: 3 });
    if (deed === "nest") await this.#runner.execute(`value of ${data}`, { attempts: 1, timeout: 50, queueTimeout: 50 });
    return resultOf(data);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}
