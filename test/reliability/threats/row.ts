/** One row of the threat model: a name, what somebody might do, and the check of what becomes of it. Runs nothing itself. */
import type { Finding, Scale } from "../section.ts";
import type { Lab } from "./lab.ts";

/** A row. */
export interface Row {
  /** Its name in the threat model: `T8`. */
  readonly name: string;
  /** What somebody might do, in a few words. */
  readonly threat: string;
  /** Does it, and says what was seen. `lab` runs the runners that are attacked, when their memory is measured. */
  check(scale: Scale, lab: Lab): Promise<readonly Finding[]>;
}

/** A number for each scale: what the long tests do, a quick look, and the long form. */
export function sized(scale: Scale, test: number, quick: number, full: number): number {
  return { test, quick, full }[scale];
}

/** How many there were, where there must be none. */
export function none(what: string, count: number, of: number): Finding {
  return { what, figure: `${count} of ${of.toLocaleString("en")}`, wanted: "0", ok: count === 0 && of > 0 };
}

/** How many there were, where it must be all. */
export function all(what: string, count: number, of: number): Finding {
  return { what, figure: `${count} of ${of.toLocaleString("en")}`, wanted: "all", ok: count === of && of > 0 };
}

/** A number that must be this one. */
export function exactly(what: string, seen: number, wanted: number): Finding {
  return { what, figure: String(seen), wanted: String(wanted), ok: seen === wanted };
}

/** A number that must not be over another. */
export function atMost(what: string, seen: number, most: number, unit: string): Finding {
  const shown = Number.isInteger(seen) ? String(seen) : seen.toFixed(2);
  return { what, figure: `${shown} ${unit}`.trim(), wanted: `at most ${most} ${unit}`.trim(), ok: seen <= most };
}

/** What was seen beside what must be seen, when it is not a number. */
export function same(what: string, seen: unknown, wanted: unknown): Finding {
  const [one, other] = [JSON.stringify(seen), JSON.stringify(wanted)];
  return { what, figure: short(one), wanted: short(other), ok: one === other };
}

/** What must hold, when the figure is a sentence. */
export function holds(what: string, ok: boolean, figure: string, wanted: string = "so"): Finding {
  return { what, figure, wanted, ok };
}

function short(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
