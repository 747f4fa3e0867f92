/**
 * What keeps a worker from its runner, told once per cause to the worker's `onWarning`, until the worker has been registered
 * again. Each single failure is an event; see worker.ts.
 */
import { describeError } from "../describe-error.ts";
import type { Clock } from "../time/clock.ts";

/** Causes that are remembered. More of them, each with other words, are told anew. */
const MAX_CAUSES = 32;

/** Takes a warning; `false`: none is wanted. */
export type WarningReporter = ((warning: Error) => void) | false;

/** The warnings of one worker. */
export class WorkerWarnings {
  readonly #prefix: string;
  readonly #report: WarningReporter;
  readonly #clock: Clock;
  readonly #told = new Set<string>();
  /** Failures that are not told. */
  #patience: number;

  /** @param patience - How many failures pass untold before the worker was registered. */
  constructor(identity: string, report: WarningReporter, clock: Clock, patience = 0) {
    this.#patience = patience;
    this.#prefix = `worker ${identity}`;
    this.#report = report;
    this.#clock = clock;
  }

  /** Tells why there is no connection, unless that was told. The reporter is user code: it runs at the end of the turn. */
  tell(message: string, cause: unknown, ending = "; it tries on"): void {
    const report = this.#report;
    if (report === false || this.#told.has(message)) return;
    if (this.#patience-- > 0) return;
    if (this.#told.size >= MAX_CAUSES) this.#told.clear();
    this.#told.add(message);
    // The cause may hold more than its words say: a host's error code, what a proxy answered.
    const origin = cause instanceof Error && cause.cause !== undefined ? describeError(cause.cause) : "";
    const why = origin === "" || message.includes(origin) ? message : `${message} (${origin})`;
    const warning = new Error(`${this.#prefix}: ${why}${ending}`, { cause });
    this.#clock.endOfTurn(() => report(warning));
  }

  /** The worker is registered: what comes now is news. */
  forget(): void {
    this.#told.clear();
    this.#patience = 0;
  }
}
