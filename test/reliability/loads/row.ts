/** One load: what is put on the code, and the statements made of it. */
import type { Finding, Findings, Scale } from "../section.ts";

/** One row of the section. */
export interface Row {
  /** Its name: `L1: many workers`. */
  readonly name: string;
  /** Puts the load on. Throws only when that could not be done at all. */
  run(scale: Scale, say: (line: string) => void): Promise<Findings>;
}

/** Bytes of a KiB. */
export const KIB = 1_024;
/** Bytes of a MiB. */
export const MIB: number = 1_024 * KIB;

/** `1,000,000`. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** `12.3`. */
export function tenths(value: number): string {
  return value.toFixed(1);
}

/** So many as there have to be, neither more nor less. */
export function exactly(what: string, seen: number, wanted: number): Finding {
  return { what, figure: count(seen), wanted: count(wanted), ok: seen === wanted };
}

/** All of so many. */
export function all(what: string, seen: number, of: number): Finding {
  return { what, figure: `${count(seen)} of ${count(of)}`, wanted: "all", ok: seen === of && of > 0 };
}

/** No more than a limit; `digits` behind the point are shown. */
export function atMost(what: string, seen: number, limit: number, unit: string, digits: number = 1): Finding {
  const figure = `${seen.toLocaleString("en-US", { maximumFractionDigits: digits })} ${unit}`;
  return { what, figure, wanted: `at most ${count(limit)} ${unit}`, ok: seen <= limit };
}

/** At least one, or nothing was tried. */
export function some(what: string, seen: number): Finding {
  return { what, figure: count(seen), wanted: "at least 1", ok: seen > 0 };
}
