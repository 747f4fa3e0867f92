/** The threat model as a section of the evidence: every row done to the real code, with the figure that was seen. */
import type { Finding, Findings, Scale, Section } from "./section.ts";
import { answerRows } from "./threats/answers.ts";
import { crowdRows } from "./threats/crowd.ts";
import { entryRows } from "./threats/entry.ts";
import { frameRows } from "./threats/frames.ts";
import { greedRows } from "./threats/greed.ts";
import { handshakeRows } from "./threats/handshake.ts";
import { identityRows } from "./threats/identity.ts";
import { Lab } from "./threats/lab.ts";
import { nameRows } from "./threats/names.ts";
import { nestingRows } from "./threats/nesting.ts";
import { numberRows } from "./threats/numbers.ts";
import { outboundRows } from "./threats/outbound.ts";
import { parserRows } from "./threats/parsers.ts";
import { portRows } from "./threats/port.ts";
import type { Row } from "./threats/row.ts";
import { supplyRows } from "./threats/supply.ts";

/** How many rows the threat model has: T1 to T32. */
export const THREATS = 32;

const unordered: readonly Row[] = [
  ...entryRows,
  ...handshakeRows,
  ...frameRows,
  ...crowdRows,
  ...identityRows,
  ...answerRows,
  ...nameRows,
  ...nestingRows,
  ...parserRows,
  ...numberRows,
  ...outboundRows,
  ...greedRows,
  ...supplyRows,
  ...portRows,
];

function numberOf({ name }: Row): number {
  return Number(name.slice(1));
}

/** All rows, in the order of the threat model. */
export const threatRows: readonly Row[] = unordered.toSorted((a, b) => numberOf(a) - numberOf(b));

/** What a row found, under its name. One that could not be done is a finding too: the others still count. */
export async function findingsOf(row: Row, scale: Scale, lab: Lab): Promise<readonly Finding[]> {
  try {
    const findings = await row.check(scale, lab);
    return findings.map((finding) => ({ ...finding, what: `${row.name}: ${finding.what}` }));
  } catch (error) {
    const figure = error instanceof Error ? error.message : String(error);
    return [{ what: `${row.name}: ${row.threat}`, figure, wanted: "a figure", ok: false }];
  }
}

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  await using lab = await Lab.open();
  const findings: Finding[] = [];
  let upheld = 0;
  for (const row of threatRows) {
    say(`${row.name}: ${row.threat}`);
    const found = await findingsOf(row, scale, lab);
    findings.push(...found);
    if (found.every(({ ok }) => ok)) upheld++;
  }
  return { findings, counts: { threats: threatRows.length, "threats met": upheld, "figures taken": findings.length } };
}

/** Every threat that the model names. */
export const threats: Section = {
  name: "threats",
  title: "Threats",
  about:
    "Everything that strangers, web pages, hostile workers and hostile submitters are expected to try, done to real " +
    "listeners, runners and commands, and counted. Runners whose memory is measured run in a process of their own, so that " +
    "their attackers' memory does not count; a growth is the smallest of three waves after one that warms up. Three figures " +
    "say what is promised rather than what one might wish: the words of a handler's error and of a worker's farewell reach " +
    "events and errors as they were sent, and only the command makes them harmless (T24); a result that a lying worker sends " +
    "is bounded by the limit of a frame, which is `maxPayload` and 136 KiB (T16); ids are checked where they are read, and " +
    "counted where they are written (T28). That a worker can lie about the results of its own jobs is no row: it can.",
  run,
};
