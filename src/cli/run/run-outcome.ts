/** Why a run ends, and its exit code. See run.ts for how it is ended. */
import { EXIT } from "../terminal/errors.ts";

/** Why a run stops at once, before its input has ended. */
export type StopReason = "fail-fast" | "unread" | "fault";

/**
 * What has happened to a run so far. Of several things the first of these decides: a signal (130), an error (its own code), a
 * reader that closed the output (0), failed jobs (1), nothing (0).
 */
export class RunOutcome {
  #interrupted = false;
  #cut: StopReason | undefined;
  #fault: Error | undefined;

  /** Whether the run goes on as if nothing had happened. */
  get isOpen(): boolean {
    return !this.#interrupted && this.#cut === undefined;
  }

  /** Whether a signal has come. */
  get isInterrupted(): boolean {
    return this.#interrupted;
  }

  /** Whether the reader of the results has closed the output. Then no summary is printed. */
  get isUnread(): boolean {
    return this.#cut === "unread";
  }

  /** What went wrong, if anything. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  /** A signal has come. */
  interrupt(): void {
    this.#interrupted = true;
  }

  /** The run stops at once. Whether it did not before; the first reason stays, and so does the first fault. */
  cut(why: StopReason, fault?: Error): boolean {
    const first = this.#cut === undefined;
    this.#cut ??= why;
    if (first || this.#cut === "fault") this.#fault ??= fault;
    return first;
  }

  /** Results or records could not be written. Counts whatever ended the run: a failed job is no reason to keep that quiet. */
  writeFailed(fault: Error): void {
    this.#fault ??= fault;
  }

  /** The exit code of a run of which so many jobs failed and nothing went wrong. */
  exitCode(failed: number): number {
    if (this.#interrupted) return EXIT.interrupted;
    if (this.isUnread) return EXIT.ok;
    return failed > 0 ? EXIT.failed : EXIT.ok;
  }
}
