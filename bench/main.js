/**
 * `npm run bench [-- GROUP …] [--rounds N] [--quick] [--json FILE] [--write]`: what a job costs, beside what the bare
 * transport costs in the same minute. Prints a table; `--write` also puts it into RESULTS.md and docs/performance.md.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { machine, rowsOf, table } from "./table.js";

const GROUP_NAMES = ["memory", "threads", "ws"];
const RESULTS = fileURLToPath(new URL("./RESULTS.md", import.meta.url));
const PAGE = fileURLToPath(new URL("../docs/performance.md", import.meta.url));
const PREFACE = `# What a job costs

Written by \`npm run bench -- --write\`. Only the ratios within one run mean anything: machines differ, and so do moments.
What the figures say is in [docs/performance.md](../docs/performance.md).
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    write: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 2 : 7));
const ms = values.quick ? 150 : 600;
const unknown = positionals.find((name) => !GROUP_NAMES.includes(name));
if (unknown !== undefined) throw new Error(`no group \`${unknown}\`; there are ${GROUP_NAMES.join(", ")}`);
if (values.write && positionals.length > 0) throw new Error("--write is for the whole table: leave out the groups");
if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds takes a whole number of at least 1");

/**
 * @param {string} group
 * @returns {Promise<import("./table.js").Series[]>}
 */
async function measure(group) {
  const child = fork(fileURLToPath(new URL("./group.js", import.meta.url)), [group, String(rounds), String(ms)]);
  /** @type {import("./table.js").Series[] | undefined} */
  let series;
  child.on("message", (message) => (series = /** @type {import("./table.js").Series[]} */ (message)));
  const [code] = await once(child, "exit");
  if (code !== 0 || series === undefined) throw new Error(`the group \`${group}\` failed`);
  return series;
}

/** @type {import("./table.js").Series[]} */
const all = [];
for (const group of positionals.length === 0 ? GROUP_NAMES : positionals) all.push(...(await measure(group)));

const rows = rowsOf(all);
const text = table(rows, rounds);
console.log(text);
if (values.json !== undefined)
  await writeFile(values.json, `${JSON.stringify({ machine: machine(), rounds, rows, series: all }, undefined, 2)}\n`);
if (values.write) {
  // Loaded for this alone: who only measures need not have it.
  const { format } = await import("prettier");
  const tidy = (/** @type {string} */ page) => format(page, { parser: "markdown", printWidth: 120 });
  await writeFile(RESULTS, await tidy(`${PREFACE}\n${text}`));
  const page = await readFile(PAGE, "utf8");
  // By a function, as a replacement text would be searched for `$`.
  await writeFile(PAGE, await tidy(page.replace(/(?<=<!-- bench -->\n)[^]*(?=<!-- end -->)/, () => `\n${text}\n`)));
}
