/**
 * The results of a run: their form, as text or as JSON records, and their writer. Results are written in large pieces, as a
 * write for each line would cost more than most jobs. See ../terminal/output.ts for how bytes get out.
 */
import { describeError, errorParts } from "../../core/describe-error.ts";
import type { ByteBudget } from "../../core/job/byte-budget.ts";
import { heldPayloadBytes } from "../../core/job/held-bytes.ts";
import { CommandError } from "../terminal/errors.ts";
import { isReaderGone, type Output, type Written } from "../terminal/output.ts";
import { type AttemptRecord, ExecutionError, PowerhoseError } from "../../index.ts";

/** What is reported of a failed job. */
export interface FailureText {
  readonly name: string;
  readonly message: string;
  readonly code: string;
  /** The code of what the handler threw, if it had one. */
  readonly remoteCode?: string;
  /** What is wrong with the input of a task, as its schema says it. */
  readonly issues?: readonly unknown[];
}

/** The outcome of one job, as far as it is written. */
export interface Result {
  readonly index: number;
  /** The handler's result as `JSON.stringify` takes it, or nothing when the job failed. */
  readonly value: unknown;
  /** Why it failed, or nothing when it did not. */
  readonly error: FailureText | undefined;
  readonly attempts: readonly AttemptRecord[];
}

/** Name, message and code of an error. */
export function describeFailure(error: unknown): FailureText {
  if (error instanceof PowerhoseError)
    return { name: error.name, message: error.message, code: error.code, ...remoteParts(error) };
  const { name, message } = errorParts(error);
  return { name: name === "" ? "Error" : name, message, code: "" };
}

function remoteParts(error: PowerhoseError): Pick<FailureText, "remoteCode" | "issues"> {
  if (!(error instanceof ExecutionError)) return {};
  const { remoteCode, cause } = error;
  const issues: unknown = cause instanceof Error && "issues" in cause ? cause.issues : undefined;
  return { ...(remoteCode === "" ? {} : { remoteCode }), ...(Array.isArray(issues) ? { issues } : {}) };
}

/** The failure of a line that is not a job. */
export function badLine(fault: string): FailureText {
  return { name: "EncodingError", message: fault, code: "ENCODING" };
}

/** One record of `--output jsonl`, without its newline. */
export function jsonRecord({ index, value, error, attempts }: Result): string {
  const last = attempts.at(-1);
  const outcome = error === undefined ? { ok: true, value: value ?? null } : { ok: false, error };
  return JSON.stringify({
    index,
    ...outcome,
    worker: last?.identity ?? null,
    ms: last === undefined ? null : microseconds(last.ms),
    attempts: attempts.length,
  });
}

/** Milliseconds, rounded to the microsecond. */
export function microseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

/** Bytes held at which a write begins. */
const WRITE_BYTES = 128 * 1_024;
/** The longest delay of a write. */
const WRITE_DELAY_MS = 4;

/** What the writer calls. */
export interface WriterOwner {
  /** A write begins. */
  onWrite(): void;
  /** The kernel has these results, whole. Their log records are in the order of the results. */
  onWritten(logRecords: string): void;
  /** The output failed, or (`undefined`) its reader has closed it. Called once; nothing is written after it. */
  onOutputClosed(error: CommandError | undefined): void;
}

/** Results that are written together. */
class Batch {
  readonly #results: (string | Uint8Array)[] = [];
  readonly #ends: string[] = [];
  readonly #logRecords: string[] = [];
  /** Bytes held of the budget. */
  bytes = 0;

  /** Adds a result, and returns the bytes it holds. */
  add(result: string | Uint8Array, end: string, logRecord: string): number {
    this.#results.push(result);
    this.#ends.push(end);
    this.#logRecords.push(logRecord);
    const bytes = heldPayloadBytes(result) + heldPayloadBytes(end) + heldPayloadBytes(logRecord);
    this.bytes += bytes;
    return bytes;
  }

  /** Everything to be written, texts joined. */
  parts(): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let text = "";
    this.#results.forEach((result, place) => {
      if (typeof result === "string") {
        text += result;
      } else {
        if (text !== "") parts.push(Buffer.from(text));
        parts.push(result);
        text = "";
      }
      text += this.#ends[place] ?? "";
    });
    if (text !== "") parts.push(Buffer.from(text));
    return parts.filter((part) => part.length > 0);
  }

  /** The logRecords of those results that are whole once so many bytes are written. */
  logRecords({ bytes, error }: Written): string {
    if (error === undefined) return this.#logRecords.join("");
    let left = bytes;
    const partial = this.#results.findIndex((result, place) => {
      left -= Buffer.byteLength(result) + Buffer.byteLength(this.#ends[place] ?? "");
      return left < 0;
    });
    return this.#logRecords.slice(0, partial < 0 ? undefined : partial).join("");
  }
}

/** Collects results and writes them. */
export class ResultWriter {
  readonly #output: Output;
  readonly #owner: WriterOwner;
  readonly #budget: ByteBudget;
  #batch = new Batch();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<Written> | undefined;
  #closed = false;

  /** @param budget - Holds the results until the kernel has them. */
  constructor(output: Output, owner: WriterOwner, budget: ByteBudget) {
    this.#output = output;
    this.#owner = owner;
    this.#budget = budget;
    output.onError((error) => this.#fail(error));
  }

  /** Takes a result, written with what ends it; `logRecord` comes back once it is with the kernel. Await what is returned. */
  put(result: string | Uint8Array, end: string, logRecord: string): Promise<void> | undefined {
    if (this.#closed) return undefined;
    this.#budget.hold(this.#batch.add(result, end, logRecord));
    if (this.#batch.bytes >= WRITE_BYTES) return this.flush();
    this.#timer ??= setTimeout(() => void this.flush(), WRITE_DELAY_MS);
    return undefined;
  }

  /** Writes what there is. Resolves once the kernel has all of it, or the output is closed. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#writing !== undefined) await this.#writing;
    const batch = this.#batch;
    if (batch.bytes === 0 || this.#closed) return;
    this.#batch = new Batch();
    const written = await this.#write(batch.parts());
    this.#budget.release(batch.bytes);
    if (written.error !== undefined) this.#fail(written.error);
    // Also after a failure: results that are whole in the file are not run again.
    this.#owner.onWritten(batch.logRecords(written));
  }

  async #write(parts: readonly Uint8Array[]): Promise<Written> {
    if (parts.length === 0) return { bytes: 0 };
    this.#owner.onWrite();
    this.#writing = this.#output.write(parts);
    const written = await this.#writing;
    this.#writing = undefined;
    return written;
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    const closeError = isReaderGone(error)
      ? undefined
      : new CommandError(`cannot write the results: ${describeError(error)}`);
    this.#owner.onOutputClosed(closeError);
  }
}
