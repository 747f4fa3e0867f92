import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Command, jobs, linesOf, powerhose, seq } from "../child.ts";

function logFile(): string {
  const path = mkdtempSync(join(tmpdir(), "powerhose-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return join(path, "jobs.log");
}

interface LogRecord {
  readonly index: number;
  readonly ok: boolean;
  readonly sha256: string;
}

test.each([[[]], [["--unordered"]]])("after kill -9, %j: every result is printed, a logged one once", async (order) => {
  const log = logFile();
  const [count, enough] = [4_000, 1_000];
  const args = ["run", "-w", "2", ...order, "--joblog", log];
  await using first = new Command([...args, jobs("uneven")], { input: seq(count) });
  await first.until(() => linesOf(first.stdout).length > enough);
  first.child.kill("SIGKILL");
  const { stdout } = await first.ended;
  const done = new Set(
    linesOf(readFileSync(log, "utf8"))
      .filter((line) => line.endsWith("}"))
      .map((line) => (JSON.parse(line) as LogRecord).index + 1),
  );
  expect(done.size).toBeGreaterThan(0);
  const second = await powerhose([...args, "--resume", jobs("uneven")], { input: seq(count) });
  expect(second.code).toBe(0);
  // Printed first, logged then: what is in the log is with the reader.
  const printed = new Set(linesOf(stdout).map(Number));
  expect([...done].filter((line) => !printed.has(line))).toEqual([]);
  expect(linesOf(second.stdout).filter((line) => done.has(Number(line)))).toEqual([]);
  expect(linesOf(second.stdout)).toHaveLength(count - done.size);
});
