/**
 * Limits in bytes that are typed: how large a job or a result may be (`--max-payload` of all commands, enforced by the
 * library), and how much a run may hold (`--buffer`, enforced by pipeline.ts).
 */
import type { Flags } from "./flags.ts";

/** What holds when nothing is said, in bytes. */
export const DEFAULT_MAX_PAYLOAD: number = 1_048_576;

/** What a run may hold when nothing is said, in bytes. */
export const DEFAULT_BUFFER: number = 64 * 1_048_576;

const MIN_BUFFER = 1_048_576;
/** The most that may be asked for. */
export const MAX_BUFFER: number = 65_536 * 1_048_576;

/** Beyond that a text of twice the bytes no longer fits in one string, and a few jobs fill the memory. */
const LARGEST = 256 * 1_048_576;

/**
 * Reads `--max-payload`, in bytes.
 * @throws CommandError (usage) when it is not a whole number from 1 to 256 MiB.
 */
export function readMaxPayload(flags: Flags): number {
  return flags.integer("max-payload", 1, LARGEST) ?? DEFAULT_MAX_PAYLOAD;
}

/**
 * Reads `--buffer`, in bytes.
 * @throws CommandError (usage) when it is not a whole number from 1 MiB to 64 GiB.
 */
export function readBuffer(flags: Flags): number {
  return flags.integer("buffer", MIN_BUFFER, MAX_BUFFER) ?? DEFAULT_BUFFER;
}
