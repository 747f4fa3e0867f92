/** The last jobs that failed, in words that are safe to show. What a peer or a caller said is text here, cut and made harmless. */
import type { JobSettledEvent } from "../index.ts";
import type { FailureRow } from "./protocol.ts";
import { safeText } from "./safe-text.ts";
import { Ring } from "./ring.ts";

/** How many are kept. */
const MOST = 50;
const LONGEST_NAME = 100;
const LONGEST_MESSAGE = 500;
const LONGEST_DATA = 200;

/** The name and words of whatever was thrown; asking a foreign object may throw. */
function wordsOf(error: unknown): { name: string; message: string } {
  try {
    if (error instanceof Error) {
      // Whatever their types promise.
      const { name, message }: { readonly name: unknown; readonly message: unknown } = error;
      return { name: String(name), message: String(message) };
    }
    return { name: "", message: String(error) };
  } catch {
    return { name: "", message: "an error without words" };
  }
}

/** The last failures, numbered from 1. */
export class Failures {
  readonly #withData: boolean;
  readonly #rows = new Ring<FailureRow>(MOST);
  #count = 0;

  /** @param withData - Whether the beginning of the job's data is kept. */
  constructor(withData: boolean) {
    this.#withData = withData;
  }

  /** How many there were in all: changes with each. */
  get count(): number {
    return this.#count;
  }

  /** The last of them, newest first. */
  get rows(): readonly FailureRow[] {
    return this.#rows.toArray().toReversed();
  }

  /** Takes one in. `at` is when, in ms since the start; `worker` who had it. */
  add({ jobId, attempts, error, data }: JobSettledEvent, at: number, worker: string): void {
    const { name, message } = wordsOf(error);
    const shown = this.#withData && data !== undefined ? { data: beginning(data) } : {};
    this.#rows.push({
      number: ++this.#count,
      at,
      jobId,
      worker,
      attempts,
      name: safeText(name, LONGEST_NAME),
      message: safeText(message, LONGEST_MESSAGE),
      ...shown,
    });
  }
}

function beginning(data: string | Uint8Array): string {
  if (typeof data === "string") return safeText(data, LONGEST_DATA);
  return `${data.byteLength} bytes`;
}
