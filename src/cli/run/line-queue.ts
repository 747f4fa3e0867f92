/** Lines that wait, first in, first out. Holds them; counts no bytes and knows no order but that of their coming. */
import type { InputLine } from "./input-line.ts";

/** Below that many, moving what is left is not worth it. */
const LEAST_GONE = 1_024;

/** A queue from whose head it costs nothing to take. */
export class LineQueue {
  readonly #lines: (InputLine | undefined)[] = [];
  #head = 0;

  /** The one that waits longest. */
  get first(): InputLine | undefined {
    return this.#lines[this.#head];
  }

  /** One more. */
  push(line: InputLine): void {
    this.#lines.push(line);
  }

  /** Takes the first one out. */
  shift(): void {
    // Let go of at once: what has moved to the old generation keeps alive what it points to.
    this.#lines[this.#head++] = undefined;
    if (this.#head < LEAST_GONE || this.#head * 2 < this.#lines.length) return;
    this.#lines.splice(0, this.#head);
    this.#head = 0;
  }
}
