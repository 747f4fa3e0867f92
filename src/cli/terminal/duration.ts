/** Durations as people write and read them; inside, all are milliseconds. */
import { usage } from "./errors.ts";

const UNITS: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const LONGEST = 0x7fff_ffff;

/**
 * Reads `500`, `500ms`, `30s`, `1.5m`, `2h` or `none`.
 * @returns milliseconds, or `Infinity` for `none`.
 * @throws CommandError (usage) when it is anything else, 0, or over 24 days.
 */
export function readDuration(option: string, text: string): number {
  if (text === "none") return Number.POSITIVE_INFINITY;
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text);
  const ms = parts === null ? Number.NaN : Number(parts[1]) * (UNITS[parts[2] ?? ""] ?? Number.NaN);
  if (ms > 0 && ms <= LONGEST) return ms;
  throw usage(`${option}: expected a duration such as 500ms, 30s, 5m or none, got "${text}"`);
}

/** A span for people: `820 ns`, `4.2 µs`, `12 ms`, `8.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function showDuration(ms: number): string {
  if (ms < 0.001) return `${Math.round(ms * 1e6)} ns`;
  if (ms < 1) return `${short(ms * 1_000)} µs`;
  if (ms < 1_000) return `${short(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(ms / 60_000);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A span as a clock shows it: `0:07`, `12:34`, `1:02:03`. */
export function showClock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3_600);
  const tail = String(seconds % 60).padStart(2, "0");
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

function short(value: number): string {
  return value >= 99.5 ? value.toFixed(0) : value.toFixed(value >= 9.95 ? 0 : 1);
}
