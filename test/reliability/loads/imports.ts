/** X3: an import does nothing but define names, and the package works in a process whose built-ins are frozen. */
import { readFileSync } from "node:fs";
import type { Finding, Findings, Scale } from "../section.ts";
import { Child, type Report } from "./child.ts";
import { all, exactly, type Row } from "./row.ts";

/** Leaves four marks: a timer that holds nobody, a listener, a property of a built-in, a global. */
const MARKS = 4;
const TACTLESS = `data:text/javascript,
  setTimeout(() => {}, 1).unref(); process.on("exit", () => {}); Array.prototype.last = 1; globalThis.mark = 1;`;

/** Jobs that come out right where `map`, headers and a failing handler are tried, and in threads, where none fails. */
const RIGHT = { memory: 6, port: 6, websocket: 6, threads: 5 };

/** What can be imported by name. What is no module but a script, which threads and Web Workers run, has no types. */
function entries(): string[] {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  const { name, exports } = JSON.parse(text) as { name: string; exports: Readonly<Record<string, unknown>> };
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === "string" ? [] : [name + path.slice(1)],
  );
}

async function imported(entry: string, say: (line: string) => void): Promise<Report> {
  await using child = new Child("loads-import.js", { entry });
  const report = await child.report();
  const changes = await child.complaints();
  if (changes !== "") say(`${entry.split(",", 1)[0]}: ${changes}`);
  return report;
}

async function importing(say: (line: string) => void): Promise<Finding[]> {
  const names = entries();
  const tactless = imported(TACTLESS, () => undefined);
  const reports = await Promise.all(names.map((entry) => imported(entry, say)));
  return [
    ...reports.map((report, index) =>
      exactly(`X3: import "${names[index]}": marks it leaves`, Child.figure(report, "changes"), 0),
    ),
    all("X3: marks of a module that leaves some, seen", Child.figure(await tactless, "changes"), MARKS),
  ];
}

async function frozen(how: string, flags: readonly string[], freeze: string): Promise<Finding[]> {
  await using child = new Child("loads-frozen.js", { freeze }, flags);
  const report = await child.report();
  await child.ended();
  const jobs = Object.entries(RIGHT).map(([transport, wanted]) =>
    all(`X3: jobs over ${transport}, ${how}`, Child.figure(report, transport), wanted),
  );
  return [exactly(`X3: built-ins are frozen, ${how}`, Child.figure(report, "frozen"), 1), ...jobs];
}

async function run(_scale: Scale, say: (line: string) => void): Promise<Findings> {
  const findings = [
    ...(await importing(say)),
    ...(await frozen("with --frozen-intrinsics", ["--frozen-intrinsics", "--no-warnings"], "by node")),
    ...(await frozen("with every prototype frozen", [], "here")),
  ];
  return { findings, counts: { "entries imported": entries().length } };
}

/** The row. */
export const imports: Row = { name: "X3: imports and frozen built-ins", run };
