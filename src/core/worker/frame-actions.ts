/** What the messages of a frame ask for that runs user code: done once the frame is read, when the state is consistent. */
import type { AbortReason } from "../errors.ts";
import type { Execution } from "./execution.ts";

/** The jobs of one session that are to start, to abort, or to go on. */
export class FrameActions {
  #aborts: { readonly execution: Execution; readonly reason: AbortReason }[] = [];
  #starts: Execution[] = [];
  /** Streams that may go on: each once, however often it was told so. */
  #resumes = new Set<Execution>();

  /** Its result is not wanted any more: its handler is to abort. */
  abort(execution: Execution, reason: AbortReason): void {
    execution.isWanted = false;
    this.#aborts.push({ execution, reason });
  }

  /** It has a slot, and is to start. */
  start(execution: Execution): void {
    this.#starts.push(execution);
  }

  /** Its stream may go on. */
  resume(execution: Execution): void {
    this.#resumes.add(execution);
  }

  /** Takes out those that are to start. */
  takeStarts(): readonly Execution[] {
    const starts = this.#starts;
    if (starts.length > 0) this.#starts = [];
    return starts;
  }

  /** Runs the abort listeners. */
  runAborts(): void {
    if (this.#aborts.length === 0) return;
    const aborts = this.#aborts;
    this.#aborts = [];
    for (const { execution, reason } of aborts) execution.abort(reason);
  }

  /** Pulls the streams. One that is still held up says so again. */
  runStreams(): void {
    if (this.#resumes.size === 0) return;
    const resumes = this.#resumes;
    this.#resumes = new Set();
    for (const execution of resumes) execution.resume();
  }
}
