/** What Stryker's report says of each file. Reads it and nothing else: see mutation.ts for how it comes about. */
import type { Finding } from "../section.ts";

/** One mutant, as far as the score goes. */
interface Mutant {
  readonly status: string;
  readonly replacement?: string | undefined;
  readonly location: { readonly start: { readonly line: number } };
}

/** Mutants that make no difference to anybody, read by hand: a line, what becomes of something in it, and why. */
export interface Equivalent {
  readonly file: string;
  /** The line of source, without the space around it: it survives that others come before it. */
  readonly line: string;
  readonly to: readonly string[];
  readonly why: string;
}

/** Stryker's JSON report (the schema of mutation-testing-elements), as far as it is read. */
export interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

/** The mutants of one file. */
export interface Score {
  readonly file: string;
  /** Those a test failed on, or ran on for ever. */
  readonly caught: number;
  /** All that were tried and those no test reaches, but for the equivalent ones. */
  readonly mutants: number;
  /** Those that nothing caught and that make no difference. */
  readonly equivalent: number;
}

/** In percent: what each file has to reach, and all of them together. */
export const WANTED: { readonly file: number; readonly total: number } = { file: 85, total: 95 };

const CAUGHT: ReadonlySet<string> = new Set(["Killed", "Timeout"]);
const MISSED: ReadonlySet<string> = new Set(["Survived", "NoCoverage"]);

/** Counts the mutants of each file that has any. Those that are left out by configuration do not count. */
export function scores({ files }: Report, known: readonly Equivalent[]): Score[] {
  return Object.entries(files)
    .map(([file, { mutants, source }]) => {
      const lines = source.split("\n").map((line) => line.trim());
      const here = known.filter((entry) => entry.file === file);
      const missed = mutants.filter(({ status }) => MISSED.has(status));
      const real = missed.filter(({ location, replacement }) => {
        const line = lines[location.start.line - 1];
        const to = (replacement ?? "").replaceAll(/\s+/g, " ");
        return !here.some((entry) => entry.line === line && entry.to.includes(to));
      });
      const caught = mutants.filter(({ status }) => CAUGHT.has(status)).length;
      return { file, caught, mutants: caught + real.length, equivalent: missed.length - real.length };
    })
    .filter(({ mutants }) => mutants > 0);
}

function finding(what: string, caught: number, mutants: number, wanted: number): Finding {
  const share = mutants === 0 ? 0 : (100 * caught) / mutants;
  const figure = `${caught.toLocaleString("en")} of ${mutants.toLocaleString("en")} (${share.toFixed(1)} %)`;
  return { what, figure, wanted: `at least ${wanted} %`, ok: share >= wanted };
}

/** All together first, then file by file. */
export function judged(all: readonly Score[]): Finding[] {
  const sum = (of: (score: Score) => number): number => all.reduce((total, score) => total + of(score), 0);
  const caught = sum((score) => score.caught);
  const mutants = sum((score) => score.mutants);
  const equivalent = sum((score) => score.equivalent);
  return [
    finding("mutants of the core that its tests catch", caught, mutants, WANTED.total),
    {
      what: "mutants that make no difference, and so count on neither side",
      figure: equivalent.toLocaleString("en"),
      wanted: "each with its reason in mutation/equivalent.json",
      ok: true,
    },
    ...all
      .toSorted((a, b) => a.file.localeCompare(b.file))
      .map((score) => finding(`of those in ${score.file}`, score.caught, score.mutants, WANTED.file)),
  ];
}
