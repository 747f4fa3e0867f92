/** One row of the chaos: one kind of fault, done to real processes, threads or connections. */
import type { Finding, Findings, Scale } from "../section.ts";

/** One kind of fault, and how much of it. */
export interface Row {
  /** What is done: `kill -9 a worker every second`. */
  readonly name: string;
  /** Does it. Throws only when it could not be done at all. */
  run(scale: Scale, say: (line: string) => void): Promise<Findings>;
}

/** A figure for each scale. */
export type ByScale<T> = Readonly<Record<Scale, T>>;

/** How long the rows last that do something every second, in ms. */
export const DURATION: ByScale<number> = { test: 4_500, quick: 15_000, full: 60_000 };

/** A number as people read it: `11,584`. */
export function figure(count: number): string {
  return count.toLocaleString("en");
}

/** A count that has to be 0. */
export function none(what: string, count: number, of?: number): Finding {
  const shown = of === undefined ? figure(count) : `${figure(count)} of ${figure(of)}`;
  return { what, figure: shown, wanted: "0", ok: count === 0 };
}

/** A count that has to be exactly so much. */
export function exactly(what: string, count: number, wanted: number): Finding {
  return { what, figure: figure(count), wanted: figure(wanted), ok: count === wanted };
}

/** A count that shows that the fault was felt: without it the rest of the row says nothing. */
export function some(what: string, count: number, least: number = 1): Finding {
  return { what, figure: figure(count), wanted: `at least ${figure(least)}`, ok: count >= least };
}

/** Something that has to be true. */
export function holds(what: string, ok: boolean, seen: string = ok ? "yes" : "no"): Finding {
  return { what, figure: seen, wanted: "yes", ok };
}

/** The findings of all, one after the other, and their counts summed. */
export function together(all: readonly Findings[]): Findings {
  const counts: Record<string, number> = {};
  for (const one of all) {
    for (const [name, count] of Object.entries(one.counts)) counts[name] = (counts[name] ?? 0) + count;
  }
  return { findings: all.flatMap(({ findings }) => findings), counts };
}
