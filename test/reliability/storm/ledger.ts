/** The storm's books on disk: a folder of files to which processes only append. See reconcile.ts for what they have to say. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Books, Settlement, Start, Submission } from "./reconcile.ts";

function linesOf(path: string): readonly string[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const last = lines.pop();
  // A line is one write, and a write of that size is whole or not there.
  if (last !== "") throw new Error(`${path} ends within a line: ${last}`);
  return lines;
}

function startOf(line: string): Start {
  const [key = "", jobId = "", attempt = "", path = "", ...more] = line.split(" ");
  if (more.length > 0 || path === "") throw new Error(`this is no start: ${line}`);
  return { key, jobId, attempt: Number(attempt), path };
}

/** The folder of one storm. */
export class Ledger implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "powerhose-storm-"));

  /** Writes down a start for a tab, which has no files. */
  note(line: string): void {
    appendFileSync(join(this.folder, "starts-tab.log"), `${line}\n`);
  }

  /** Both books, as they are now. */
  read(): Books {
    const starts = readdirSync(this.folder)
      .filter((name) => name.startsWith("starts-"))
      .flatMap((name) => linesOf(join(this.folder, name)).map(startOf));
    const submissions: Submission[] = [];
    const settlements: Settlement[] = [];
    for (const line of linesOf(join(this.folder, "calls.jsonl"))) {
      const record = JSON.parse(line) as Submission | Settlement;
      if ("records" in record) settlements.push(record);
      else submissions.push(record);
    }
    return { submissions, settlements, starts };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
