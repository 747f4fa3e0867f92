/**
 * One part of the evidence: something done to the real code at a chosen scale, and what was found. A long test runs it small;
 * `npm run reliability` runs it large and writes the findings down.
 */

/** How much: what the long tests do, what a quick look does (about a minute in all), and the long form. */
export type Scale = "test" | "quick" | "full";

/** One statement, with the figure behind it. */
export interface Finding {
  /** What was asked: `kill -9 a worker every second: jobs lost`. Short; may start with a row's name: `T8: …`. */
  readonly what: string;
  /** What was seen, with its unit: `0 of 11,584`. */
  readonly figure: string;
  /** What it has to be, for people to read: `0`. */
  readonly wanted: string;
  /** Whether it is so. */
  readonly ok: boolean;
}

/** What a section found, and what it took. */
export interface Findings {
  readonly findings: readonly Finding[];
  /** Counts worth summing up and showing: `{ "jobs": 200000, "worker killed": 29 }`. */
  readonly counts: Readonly<Record<string, number>>;
}

/** One part of the evidence. */
export interface Section {
  /** Its name on the command line: `npm run reliability -- --only chaos`. */
  readonly name: string;
  /** Its heading in the report. */
  readonly title: string;
  /** One paragraph for the report: what is done, to what, and how. */
  readonly about: string;
  /** Does it. Throws only when it could not be done at all; a promise that is broken is a finding that is not ok. */
  run(scale: Scale, say: (line: string) => void): Promise<Findings>;
}
