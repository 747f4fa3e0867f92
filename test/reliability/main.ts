/**
 * `npm run reliability`: does everything that proves the promises, at length, and writes docs/reliability.md.
 *
 *   npm run reliability                      the long form: hours of one machine
 *   npm run reliability -- --quick           a quick look: minutes; writes nothing, unless told to --write
 *   npm run reliability -- --only simulation the long form of one section; writes its part of the report
 */
import { parseArgs } from "node:util";
import { chaos } from "./chaos.ts";
import { fuzz } from "./fuzz.ts";
import { loads } from "./loads.ts";
import { mutation } from "./mutation.ts";
import { planted } from "./planted.ts";
import { properties } from "./properties.ts";
import { Report } from "./report.ts";
import { scenarios } from "./scenarios.ts";
import type { Findings, Section } from "./section.ts";
import { simulation } from "./simulation.ts";
import { storm } from "./storm.ts";
import { threats } from "./threats.ts";

const SECTIONS: readonly Section[] = [
  simulation,
  planted,
  scenarios,
  properties,
  threats,
  fuzz,
  chaos,
  storm,
  loads,
  mutation,
];

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
  },
});
const scale = values.quick ? "quick" : "full";
const writes = values.write || !values.quick;
const unknown = values.only.filter((name) => !SECTIONS.some((section) => section.name === name));
if (unknown.length > 0) {
  console.error(`no section is called ${unknown.join(", ")}; there are ${SECTIONS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

async function runSection(section: Section): Promise<{ readonly findings: Findings; readonly seconds: number }> {
  const begun = performance.now();
  console.log(`\n== ${section.title} (${section.name}, ${scale})`);
  const findings = await section.run(scale, (line) => console.log(`   ${line}`));
  const seconds = (performance.now() - begun) / 1_000;
  for (const { what, figure, wanted, ok } of findings.findings)
    console.log(`${ok ? "   ok  " : "BROKEN "} ${what}: ${figure} (wanted: ${wanted})`);
  return { findings, seconds };
}

const report = new Report(SECTIONS.map(({ name }) => name));
let broken = 0;
for (const section of SECTIONS) {
  if (values.only.length > 0 && !values.only.includes(section.name)) continue;
  const { findings, seconds } = await runSection(section);
  broken += findings.findings.filter(({ ok }) => !ok).length;
  report.set(section, findings, { scale, seconds });
  // After each: hours of work are not lost with the machine.
  if (writes) await report.write();
}
console.log(`\n${broken} findings are broken promises${writes ? "; docs/reliability.md is written" : ""}`);
process.exitCode = broken === 0 ? 0 : 1;
