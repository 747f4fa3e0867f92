/** How many bytes of memory texts, results and errors take, as the byte budget counts them. Rough, and never too low for large ones. */
import type { AttemptRecord, Payload } from "../index.ts";

/** A line and its outcome besides their texts, amply: what bounds how far short jobs run ahead of the reader. */
export const LINE_COST = 4_096;
/** One attempt's record. */
const ATTEMPT_COST = 128;
/** An error besides its texts: its trace, which is kept until it is read. */
const ERROR_COST = 1_024;
/** Causes looked at: a chain may be a ring. */
const MAX_CAUSES = 4;
/** Of shorter texts the length will do: `LINE_COST` covers the rest. */
const SHORT = 1_024;

/** The bytes of a text or of bytes, whichever is more: as V8 keeps them, or as they are written. */
export function payloadBytes(value: Payload): number {
  if (typeof value !== "string" || value.length <= SHORT) return value.length;
  const bytes = Buffer.byteLength(value);
  // V8 takes one byte a character for Latin-1 only, and two for all others.
  return bytes === value.length ? bytes : Math.max(bytes, 2 * value.length);
}

/** The bytes of an error: its texts, and those of its causes. */
export function errorBytes(error: unknown, depth: number = MAX_CAUSES): number {
  if (!(error instanceof Error)) return ERROR_COST;
  let bytes = ERROR_COST;
  for (const value of [error.message, ...Object.values(error)]) {
    if (typeof value === "string") bytes += payloadBytes(value);
  }
  return error.cause === undefined || depth === 0 ? bytes : bytes + errorBytes(error.cause, depth - 1);
}

/** The bytes of what was tried. */
export function attemptsBytes(attempts: readonly AttemptRecord[]): number {
  return attempts.length * ATTEMPT_COST;
}
