/** The progress of a call on its way to the caller; also what a call takes that takes progress and no stream. */
import type { Attempt, AttemptSink } from "../session/attempt.ts";
import type { Clock } from "../time/clock.ts";
import type { Payload } from "../peer.ts";
import type { Session } from "../session/session.ts";

/**
 * Calls a listener in a step of its own, as it is user code, and before the promise of a result that follows: with the latest
 * report, however many a worker sends at once. What the listener throws becomes the host's uncaught error.
 */
export class ProgressSink implements AttemptSink<Session> {
  readonly wantsProgress = true;
  readonly delivered = 0;
  readonly #listener: (value: Payload) => void;
  readonly #clock: Clock;
  #latest: Payload | undefined;

  constructor(listener: (value: Payload) => void, clock: Clock) {
    this.#listener = listener;
    this.#clock = clock;
  }

  takesItems(): undefined {
    return undefined;
  }

  onItem(): void {}

  onProgress(_attempt: Attempt<Session>, value: Payload): void {
    const isScheduled = this.#latest !== undefined;
    this.#latest = value;
    if (isScheduled) return;
    const report = Promise.resolve().then(() => this.#report());
    report.catch((error: unknown) => this.#clock.endOfTurn(() => rethrow(error)));
  }

  #report(): void {
    const latest = this.#latest;
    this.#latest = undefined;
    if (latest !== undefined) this.#listener(latest);
  }
}

function rethrow(error: unknown): never {
  throw error;
}
