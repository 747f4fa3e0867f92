/**
 * `npm run bench [-- GROUP … SIZE …] [options]`: what a job costs, beside what the bare transport costs in the same minutes
 * and beside what others cost.
 *
 *   npm run bench                    everything: the better part of an hour
 *   npm run bench -- ws 16           a group and a size; several of each may be given
 *   npm run bench -- --quick         to see that it runs
 *   npm run bench -- growth --write  keeps what was measured, and writes RESULTS.md and docs/performance.md anew
 *   npm run bench -- --check         the budget, as in CI; --record sets it
 *   npm run bench -- --json FILE     every sample
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { check, record } from "./budget.js";
import { entryOf, sectionText, targetText, write } from "./results.js";
import { buffers } from "./sections/buffers.js";
import { command } from "./sections/command.js";
import { curves } from "./sections/curves.js";
import { echoSections } from "./sections/echo.js";
import { growth } from "./sections/growth.js";
import { profile } from "./sections/profile.js";
import { retained } from "./sections/retained.js";
import { tasks } from "./sections/tasks.js";
import { values as valuesSection } from "./sections/values.js";
import { work } from "./sections/work.js";

/** @type {readonly import("./sections/section.js").Section[]} */
const SECTIONS = [...echoSections, work, growth, retained, command, tasks, buffers, valuesSection, profile, curves];
const GROUPS = [...new Set(SECTIONS.map(({ group }) => group))];
const SIZES = [...new Set(SECTIONS.flatMap(({ size = [] }) => size))];

/** @param {string} problem */
function refuse(problem) {
  console.error(`${problem}\ngroups: ${GROUPS.join(", ")}\nsizes: ${SIZES.join(", ")}`);
  process.exit(2);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    write: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
  },
});
const { quick } = values;
const rounds = Number(values.rounds ?? (quick ? 2 : 7));
const unknown = positionals.find((name) => !GROUPS.includes(name) && !SIZES.includes(name));
if (unknown !== undefined) refuse(`there is no \`${unknown}\``);
if (!Number.isInteger(rounds) || rounds < 1) refuse("--rounds takes a whole number of at least 1");
const isAsked = (/** @type {readonly string[]} */ names, /** @type {string | undefined} */ name) =>
  !positionals.some((one) => names.includes(one)) || (name !== undefined && positionals.includes(name));
const asked = SECTIONS.filter(({ group, size }) => isAsked(GROUPS, group) && isAsked(SIZES, size));
if (asked.length === 0) refuse("no group comes in that size");

async function measure() {
  const scale = { quick, rounds, ms: quick ? 100 : 600 };
  /** @type {import("./results.js").Entries} */
  const entries = {};
  for (const section of asked) {
    const own = { ...scale, rounds: section.rounds?.(scale) ?? scale.rounds };
    const entry = entryOf(own, await section.run(own));
    entries[section.name] = entry;
    console.log(sectionText(section, entry));
    // After each: an hour's work is not lost with the machine.
    if (values.write) await write({ [section.name]: entry }, SECTIONS);
  }
  console.log(`## Targets\n\n${targetText(entries, { all: false })}`);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(entries, undefined, 1)}\n`);
}

if (values.check) process.exitCode = (await check()) ? 0 : 1;
else if (values.record) await record();
else {
  await measure();
  // What is written as a whole is also what is to be kept up.
  if (values.write && positionals.length === 0) await record();
}
