/** What a call takes besides its result, if that is only progress. */
import type { Attempt, AttemptSink } from "../session/attempt.ts";
import type { Clock } from "../time/clock.ts";
import type { Payload } from "../peer.ts";
import type { Session } from "../session/session.ts";

/** Listens to a job's progress. */
export type ProgressListener = (value: Payload) => void;

/** Passes progress on to a listener, and takes no stream. */
export class ProgressSink implements AttemptSink<Session> {
  readonly wantsProgress = true;
  readonly #listener: ProgressListener;
  readonly #clock: Clock;

  constructor(listener: ProgressListener, clock: Clock) {
    this.#listener = listener;
    this.#clock = clock;
  }

  takesItems(): undefined {
    return undefined;
  }

  onItem(): void {}

  onProgress(_attempt: Attempt<Session>, value: Payload): void {
    reportProgress(this.#listener, value, this.#clock);
  }
}

/**
 * Calls the listener in a step of its own, as it is user code, and before the promise of a result that follows. What it throws
 * becomes the host's uncaught error.
 */
export function reportProgress(listener: ProgressListener, value: Payload, clock: Clock): void {
  const report = Promise.resolve(value).then(listener);
  report.catch((error: unknown) => clock.endOfTurn(() => rethrow(error)));
}

function rethrow(error: unknown): never {
  throw error;
}
