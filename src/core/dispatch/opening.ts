/** The promise of `open`: it settles with the result, or with the stream once that has begun. */
import type { CallOptions } from "./call-options.ts";
import type { SubmittedJob } from "./call-context.ts";
import type { PayloadStream } from "../job/payload-stream.ts";
import type { Payload } from "../peer.ts";
import { ResultStream } from "./result-stream.ts";
import type { StreamBudget } from "./stream-budget.ts";
import type { Clock } from "../time/clock.ts";

/** What all calls of a runner share. */
interface OpeningContext {
  readonly clock: Clock;
  readonly maxPayload: number;
}

/** One call of `open`, from its start to its end. */
export class Opening {
  readonly #context: OpeningContext;
  readonly #budget: StreamBudget;
  readonly #resolve: (result: Payload | PayloadStream) => void;
  readonly #reject: (error: unknown) => void;
  #stream: ResultStream | undefined;

  constructor(
    context: OpeningContext,
    budget: StreamBudget,
    resolve: (result: Payload | PayloadStream) => void,
    reject: (error: unknown) => void,
  ) {
    this.#context = context;
    this.#budget = budget;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Makes the stream, in case that the handler gives one. */
  streamOf({ streamWindow: window, onProgress, signal }: CallOptions): ResultStream {
    const { clock, maxPayload } = this.#context;
    const stream = new ResultStream({
      clock,
      maxPayload,
      onProgress,
      signal,
      budget: this.#budget,
      window,
      onBegun: () => this.#resolve(stream),
    });
    this.#stream = stream;
    return stream;
  }

  /** The call has settled. */
  onSettled({ value, error, endsStream }: SubmittedJob): void {
    const stream = this.#stream;
    const hasBegun = stream?.hasBegun === true;
    stream?.end(value === undefined ? { ok: false, error } : { ok: true, value });
    if (hasBegun) return;
    if (value === undefined) this.#reject(error);
    else this.#resolve(endsStream === true && stream !== undefined ? stream : value);
  }
}
