/**
 * docs/reliability.md, and the figures behind it (docs/reliability.json): sections can be run one at a time, and the page
 * shows the last long run of each.
 */
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Finding, Findings, Scale, Section } from "./section.ts";

interface Entry {
  readonly title: string;
  readonly about: string;
  /** When it was done. */
  readonly date: string;
  readonly scale: Scale;
  readonly seconds: number;
  /** The machine, as far as it matters. */
  readonly host: string;
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<string, number>>;
}

const FIGURES = new URL("../../docs/reliability.json", import.meta.url);
const PAGE = new URL("../../docs/reliability.md", import.meta.url);

const HEAD = `# Reliability: what was proven, and how

This page is written by \`npm run reliability\`; nothing in it is written by hand. Each section says what was done to the real
code, how often, and what was seen. \`npm run test:long\` does the same things smaller, \`npm run reliability -- --quick\`
does them in minutes, and \`npm run reliability -- --only NAME\` does one section at full length. What the promises are, and how
to use the simulator in your own tests, is in [testing.md](testing.md).
`;

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ").replaceAll("<", "&lt;");
}

function duration(seconds: number): string {
  return seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function sectionText(name: string, { title, about, date, scale, seconds, host, findings, counts }: Entry): string {
  const broken = findings.filter(({ ok }) => !ok).length;
  const verdict =
    broken === 0 ? "All findings are as they have to be." : `**${broken} findings are not as they have to be.**`;
  const rows = findings.map(({ what, figure, wanted, ok }) => [what, figure, wanted, ok ? "yes" : "**no**"]);
  const counted = Object.entries(counts).map(([what, count]) => [what, count.toLocaleString("en")]);
  return [
    `## ${title}`,
    about,
    `\`npm run reliability -- ${scale === "quick" ? "--quick --write " : ""}--only ${name}\` took ${duration(seconds)} on ${date} (${host}). ${verdict}`,
    table(["what", "seen", "wanted", "so"], rows),
    ...(counted.length > 0 ? [table(["counted", "times"], counted)] : []),
  ].join("\n\n");
}

async function kept(): Promise<Record<string, Entry>> {
  const text = await readFile(FIGURES, "utf8").catch(() => "{}");
  return JSON.parse(text) as Record<string, Entry>;
}

/** What one run adds to the report. */
export class Report {
  readonly #order: readonly string[];
  readonly #entries: Record<string, Entry> = {};

  /** @param order - The sections' names, in the order of the page. */
  constructor(order: readonly string[]) {
    this.#order = order;
  }

  /** Takes in what a section has found. */
  set(section: Section, { findings, counts }: Findings, { scale, seconds }: { scale: Scale; seconds: number }): void {
    const { name, title, about } = section;
    const date = new Date().toISOString().slice(0, 10);
    const host = `Node ${process.versions.node}, ${availableParallelism()} cores`;
    this.#entries[name] = { title, about, date, scale, seconds, host, findings, counts };
  }

  /** Writes the page and the figures: what this run has found, and of the other sections what was there. */
  async write(): Promise<void> {
    const all = { ...(await kept()), ...this.#entries };
    const names = this.#order.filter((name) => all[name] !== undefined);
    const entries = Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
    const sections = Object.entries(entries).map(([name, entry]) => sectionText(name, entry));
    await writeFile(FIGURES, `${JSON.stringify(entries, undefined, 1)}\n`);
    await writeFile(PAGE, `${[HEAD.trimEnd(), ...sections].join("\n\n")}\n`);
  }
}
