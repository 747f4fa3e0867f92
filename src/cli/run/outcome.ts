/** How an outcome is written: as text, or as one JSON record. Where it is written is result-writer.ts. */
import { errorParts } from "../../core/describe-error.ts";
import { type AttemptRecord, type Payload, PowerhoseError } from "../../index.ts";

/** What is reported of a failed job. */
export interface FailureText {
  readonly name: string;
  readonly message: string;
  readonly code: string;
}

/** The end of one job, as far as it is written down. */
export interface Result {
  readonly index: number;
  /** The handler's result, or nothing when the job failed. */
  readonly value: Payload | undefined;
  /** Why it failed, or nothing when it did not. */
  readonly error: FailureText | undefined;
  readonly attempts: readonly AttemptRecord[];
}

/** Name, message and code of whatever a job failed with. */
export function describeFailure(error: unknown): FailureText {
  if (error instanceof PowerhoseError) return { name: error.name, message: error.message, code: error.code };
  const { name, message } = errorParts(error);
  return { name: name === "" ? "Error" : name, message, code: "" };
}

/** What a line that is no job fails with. */
export function badLine(fault: string): FailureText {
  return { name: "EncodingError", message: fault, code: "ENCODING" };
}

/** One record of `--output jsonl`, without its newline. */
export function jsonRecord({ index, value, error, attempts }: Result): string {
  const last = attempts.at(-1);
  const told = error === undefined ? { ok: true, value: jsonValue(value ?? "") } : { ok: false, error };
  return JSON.stringify({
    index,
    ...told,
    worker: last?.identity ?? null,
    ms: last === undefined ? null : microseconds(last.ms),
    attempts: attempts.length,
  });
}

/** Milliseconds to the microsecond: what is behind is noise. */
export function microseconds(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}

function jsonValue(value: Payload): string | { readonly base64: string } {
  if (typeof value === "string") return value;
  return { base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") };
}
