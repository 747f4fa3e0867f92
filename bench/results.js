/**
 * The figures that are kept, results.json, and the pages that show them: RESULTS.md in all, docs/performance.md in parts.
 * Sections can be measured one at a time; of the others the last figures stay.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { picturesOf } from "./sections/curves.js";
import { machine } from "./table.js";
import { targets, targetTable, UNRUN } from "./targets.js";

/** @typedef {import("./sections/section.js").Section} Section */

/**
 * @typedef {object} Entry
 * @property {string} date
 * @property {boolean} quick
 * @property {number} rounds
 * @property {string} machine
 * @property {any} figures
 */

/** @typedef {Record<string, Entry>} Entries */

const PEERS = new URL("./peers/package.json", import.meta.url);
const FIGURES = new URL("./results.json", import.meta.url);
const RESULTS = new URL("./RESULTS.md", import.meta.url);
const PAGE = new URL("../docs/performance.md", import.meta.url);
const PICTURES = new URL("../docs/pictures/", import.meta.url);

const HEAD = `# What was measured

Written by \`npm run bench -- --write\`, from the figures in results.json; nothing here is written by hand. Only the ratios within
one section mean anything: its contestants were measured in turns, each in a process of its own, and what is shown are medians
over the rounds. Machines differ, and so do moments. What the figures say is in [docs/performance.md](../docs/performance.md).
How much memory ten thousand WebSocket workers take is in [docs/reliability.md](../docs/reliability.md).
`;

/**
 * Four digits say more than the measurement knows.
 * @param {string} _key
 * @param {unknown} value
 */
function rounded(_key, value) {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}

/** @param {Entries} entries */
function toJson(entries) {
  // A list of numbers on one line: else the file is ten times as long.
  return `${JSON.stringify(entries, rounded, 1).replace(/\[[-\d\s.,e+]*\]/g, (list) => list.replace(/\s+/g, ""))}\n`;
}

/** @returns {Promise<Entries>} */
async function kept() {
  return JSON.parse(await readFile(FIGURES, "utf8").catch(() => "{}"));
}

/** Which versions of the peers these are. */
async function peersText() {
  const { dependencies } = JSON.parse(await readFile(PEERS, "utf8"));
  const versions = Object.entries(dependencies).map(([name, version]) => `${name} ${String(version)}`);
  return `The peers are ${versions.join(", ")}.\n`;
}

/** @param {Entry} entry */
function provenance({ date, quick, rounds, machine: host }) {
  return `${rounds} round${rounds === 1 ? "" : "s"}${quick ? " of a **quick look**, whose figures are worth little" : ""}; ${date}; ${host}.`;
}

/**
 * One section as text.
 * @param {Section} section
 * @param {Entry} entry
 * @param {string} [hashes]
 */
export function sectionText({ title, about, text }, entry, hashes = "##") {
  return `${hashes} ${title}\n\n${about} ${provenance(entry)}\n\n${text(entry.figures)}\n`;
}

/**
 * @param {Section} section
 * @param {{ quick: boolean, rounds: number }} scale
 * @param {any} figures
 * @returns {Entry}
 */
export function entryOf({ quick, rounds }, figures) {
  return { date: new Date().toISOString().slice(0, 10), quick, rounds, machine: machine(), figures };
}

/**
 * The targets of the sections that are there; the others' too if `all`.
 * @param {Entries} entries
 * @param {{ all: boolean }} which
 */
export function targetText(entries, { all }) {
  const rows = targets((section) => entries[section]?.figures);
  return targetTable(all ? rows : rows.filter(({ measured }) => measured !== UNRUN));
}

/**
 * Puts what was measured now to what is kept, and writes the pages anew.
 * @param {Entries} measured
 * @param {readonly Section[]} sections - All there are, in the order of the page.
 */
export async function write(measured, sections) {
  const entries = { ...(await kept()), ...measured };
  const shown = sections.filter(({ name }) => entries[name] !== undefined);
  const json = toJson(Object.fromEntries(shown.flatMap(({ name }) => (entries[name] ? [[name, entries[name]]] : []))));
  // As it is kept: so that pages and pictures are the same whether a figure is new or old.
  /** @type {Entries} */
  const ordered = JSON.parse(json);
  // Loaded for this alone: who only measures need not have it.
  const { format } = await import("prettier");
  const tidy = (/** @type {string} */ page) => format(page, { parser: "markdown", printWidth: 120 });
  const texts = shown.map((section) => sectionText(section, ordered[section.name]));
  await writeFile(FIGURES, json);
  await writeFile(
    RESULTS,
    await tidy(
      [HEAD, await peersText(), "## Targets\n", targetText(ordered, { all: true }), "\n", ...texts].join("\n"),
    ),
  );

  const pictures = ordered["curves"] === undefined ? [] : picturesOf(ordered["curves"].figures);
  /** @type {Readonly<Record<string, string>>} */
  const parts = {
    // A picture that there is not always; the others stand on the page by themselves.
    prefetch: pictures.some(({ file }) => file === "prefetch.svg")
      ? "![Jobs a second by how many are sent ahead, from none to 32 and by measure](pictures/prefetch.svg)"
      : "(Not measured.)",
    targets: targetText(ordered, { all: true }),
    ...Object.fromEntries(
      shown.map(({ name, text, about }) => {
        const entry = ordered[name];
        return [name, `${about} ${provenance(entry)}\n\n${text(entry.figures)}`];
      }),
    ),
  };
  const page = await readFile(PAGE, "utf8");
  const filled = page.replace(/(<!-- bench (\S+) -->\n)[^]*?(?=<!-- end -->)/g, (all, mark, name) =>
    parts[name] === undefined ? all : `${mark}\n${parts[name]}\n\n`,
  );
  await writeFile(PAGE, await tidy(filled));
  await mkdir(PICTURES, { recursive: true });
  for (const { file, svg } of pictures) await writeFile(new URL(file, PICTURES), svg);
}
