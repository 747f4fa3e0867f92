/** How `.ci/run` counts: nothing that was not run counts as passed. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { root } from "../support/package-files.ts";

const folder = mkdtempSync(join(tmpdir(), "powerhose-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Counts a report; an undefined one was never written. */
function count(report: unknown, exitCode: number): Promise<{ readonly out: string; readonly err: string }> {
  const file = join(folder, "report.json");
  rmSync(file, { force: true });
  if (report !== undefined) writeFileSync(file, JSON.stringify(report));
  const args = [join(root, ".ci/count-tests.js"), "fast", file, String(exitCode)];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, (error, out, err) => (error === null ? resolve({ out, err }) : reject(error)));
  });
}

function fileOf(name: string, ...statuses: readonly string[]): object {
  const status = statuses.includes("failed") || statuses.length === 0 ? "failed" : "passed";
  const assertionResults = statuses.map((each, index) => ({ status: each, fullName: `test ${index}` }));
  return { name, status, message: "cannot load", assertionResults };
}

test("what passed and what failed", async () => {
  const testResults = [fileOf("a", "passed", "passed"), fileOf("b", "passed", "failed")];
  expect(await count({ testResults }, 1)).toEqual({ out: "3 1\n", err: "" });
});

test("a skipped test is a failed one, and so is one that is still to be written", async () => {
  const testResults = [fileOf("a", "passed", "skipped"), fileOf("b", "todo"), fileOf("c", "pending")];
  const { out, err } = await count({ testResults }, 0);
  expect(out).toBe("1 3\n");
  expect(err).toBe(
    "== fast: skipped, so FAILED: a: test 1\n== fast: todo, so FAILED: b: test 0\n== fast: pending, so FAILED: c: test 0\n",
  );
});

test("a file that does not load, a run that fails otherwise, and no report at all", async () => {
  const passed = fileOf("a", "passed");
  expect(await count({ testResults: [passed, fileOf("b")] }, 1)).toEqual({
    out: "1 1\n",
    err: "== fast: FAILED: b: cannot load\n",
  });
  expect((await count({ testResults: [passed] }, 1)).out).toBe("1 1\n");
  expect((await count({ testResults: [] }, 0)).out).toBe("0 1\n");
  expect(await count(undefined, 0)).toEqual({ out: "0 1\n", err: expect.stringContaining("no report") as string });
});
