/** The context of a job for code in front of its handler: what that adds or watches it overrides, the rest is the job's own. */
import type { Payload } from "../peer.ts";
import type { JobContext } from "./execution.ts";
import type { JobInput } from "./input-stream.ts";

/** Reads another context, each property when it is asked for: a signal costs something once it is read. */
export class ForwardedContext implements JobContext {
  readonly #context: JobContext;

  constructor(context: JobContext) {
    this.#context = context;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  get attempt(): number {
    return this.#context.attempt;
  }

  get jobId(): string {
    return this.#context.jobId;
  }

  get identity(): string {
    return this.#context.identity;
  }

  get shuttingDown(): AbortSignal {
    return this.#context.shuttingDown;
  }

  get input(): JobInput | undefined {
    return this.#context.input;
  }

  get delivered(): number {
    return this.#context.delivered;
  }

  get wantsProgress(): boolean {
    return this.#context.wantsProgress;
  }

  get progress(): (value: Payload) => void {
    return this.#context.progress;
  }
}
