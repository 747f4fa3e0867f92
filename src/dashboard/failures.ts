/** The last jobs that failed. Texts of peers and callers are cut and made harmless. */
import { errorParts } from "../core/describe-error.ts";
import type { JobSettledEvent } from "../index.ts";
import type { FailureRow } from "./protocol.ts";
import { safeText } from "./safe-text.ts";
import { Ring } from "./ring.ts";

/** Failures that are kept. */
const MAX_FAILURES = 50;
const MAX_NAME_LENGTH = 100;
const MAX_MESSAGE_LENGTH = 500;
const MAX_DATA_LENGTH = 200;

/** The last failures, numbered from 1. */
export class Failures {
  readonly #withData: boolean;
  readonly #rows = new Ring<FailureRow>(MAX_FAILURES);
  #count = 0;

  /** @param withData - Whether the beginning of the job's data is kept. */
  constructor(withData: boolean) {
    this.#withData = withData;
  }

  /** How many there were in all. */
  get count(): number {
    return this.#count;
  }

  /** The last failures, newest first. */
  get rows(): readonly FailureRow[] {
    return this.#rows.toArray().toReversed();
  }

  /** Adds a failure. `at` is its time, in ms since the start. */
  add({ jobId, identity: worker = "", attempts, error, data }: JobSettledEvent, at: number): void {
    const { name, message } = errorParts(error);
    const shown = this.#withData && data !== undefined ? { data: beginning(data) } : {};
    this.#rows.push({
      number: ++this.#count,
      at,
      jobId,
      worker,
      attempts,
      name: safeText(name, MAX_NAME_LENGTH),
      message: safeText(message, MAX_MESSAGE_LENGTH),
      ...shown,
    });
  }
}

function beginning(data: string | Uint8Array): string {
  if (typeof data === "string") return safeText(data, MAX_DATA_LENGTH);
  return `${data.byteLength} bytes`;
}
