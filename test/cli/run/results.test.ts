import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { root } from "../../support/package-files.ts";
import { jobs, linesOf, powerhose, seq } from "../child.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "powerhose-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe("results", () => {
  test("come in the order of the lines, however the jobs finish", async () => {
    const { code, stdout } = await powerhose(["run", "-w", "2", "-c", "8", jobs("uneven")], { input: seq(1_000) });
    expect(stdout).toBe(seq(1_000));
    expect(code).toBe(0);
  });

  test("--unordered leaves none out, and prints nothing for a failure", async () => {
    const args = ["run", "-u", "-w", "2", "-c", "8", jobs("unevenAndOdd")];
    const { code, stdout } = await powerhose(args, { input: seq(1_000) });
    const odd = linesOf(seq(1_000)).filter((line) => Number(line) % 2 === 1);
    expect(linesOf(stdout).sort((a, b) => Number(a) - Number(b))).toEqual(odd);
    expect(code).toBe(1);
  });

  test("an empty input is no job", async () => {
    expect(await powerhose(["run", "-w", "1", "-q", jobs()])).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("files are read one after the other, - is stdin; empty lines, both line ends and a last line without one are jobs", async () => {
    const dir = folder();
    writeFileSync(join(dir, "a"), "a1\na2");
    writeFileSync(join(dir, "b"), "\ufeffb1\n");
    const args = ["run", "-w", "1", jobs(), join(dir, "a"), "-", join(dir, "b")];
    const { code, stdout } = await powerhose(args, { input: "in\r\n\nb c \n\r\nlast" });
    expect(stdout).toBe("a1!\na2!\nin!\n!\nb c !\n!\nlast!\nb1!\n");
    expect(code).toBe(0);
  });

  test("--null: a zero byte ends jobs and results, and newlines are data", async () => {
    const { stdout } = await powerhose(["run", "-w", "1", "-0", jobs()], { input: "a\nb\0c\r\0" });
    expect(stdout).toBe("a\nb!\0c\r!\0");
  });

  test("bytes are written as they are, and what a handler prints goes to stderr", async () => {
    const { stdout, stderr } = await powerhose(["run", "-w", "1", jobs("chattyBytes")], { input: "ä\nb\n" });
    expect(stdout).toBe("ä\nb\n");
    expect(stderr).toContain("working on ä\n");
  });

  test("bytes are base64 in a record", async () => {
    const records = await powerhose(["run", "-w", "1", "-o", "jsonl", jobs("bytes")], { input: "ä\n" });
    expect(JSON.parse(records.stdout)).toMatchObject({ index: 0, ok: true, value: { base64: "w6Q=" }, attempts: 1 });
  });
});

describe("failures", () => {
  test("a failed job leaves its line empty, its reason on stderr for the first ten, and exit code 1", async () => {
    const { code, stdout, stderr } = await powerhose(["run", "-w", "2", jobs("odd")], { input: seq(60) });
    expect(stdout).toBe(seq(60).replace(/^\d*[02468]$/gm, ""));
    expect(code).toBe(1);
    expect(stderr).toContain("powerhose: stdin:2: RangeError: 2 is even\\x1b[2J\n");
    expect(stderr.match(/ is even/g)).toHaveLength(10);
    expect(stderr).toMatch(/only counted\n[^]*60 jobs in .*, 30 failed\n/);
  });

  test("records tell all of it: --jsonl in, --output jsonl out", async () => {
    const input = Buffer.concat([Buffer.from('{"a":1}\n{oops\n\n"'), Buffer.from([0xff]), Buffer.from('"\n[2]')]);
    const { code, stdout } = await powerhose(["run", "-w", "2", "--jsonl", "-o", "jsonl", jobs()], { input });
    const records = linesOf(stdout).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(records).toMatchObject([
      { index: 0, ok: true, value: '{"a":1}!', attempts: 1, worker: expect.stringMatching(/^thread-/) as string },
      { index: 1, ok: false, error: { name: "EncodingError", code: "ENCODING" }, attempts: 0, worker: null, ms: null },
      { index: 2, ok: false, error: { message: "the line is empty, not a JSON value" } },
      { index: 3, ok: false, error: { message: "the line is not valid UTF-8" } },
      { index: 4, ok: true, value: "[2]!" },
    ]);
    expect(code).toBe(1);
  });

  test("a line over --max-payload fails and is not kept", async () => {
    const input = `${"x".repeat(3_000_000)}\nok\n`;
    const { code, stdout, stderr } = await powerhose(["run", "-w", "1", jobs()], { input });
    expect(stdout).toBe("\nok!\n");
    expect(stderr).toContain("stdin:1: EncodingError: the line has over 1048576 bytes");
    expect(code).toBe(1);
  });

  test("a directory for stdin is a mistake, not an empty input", () => {
    const directory = openSync(folder(), "r");
    const main = join(root, "dist/cli/main.js");
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, "run", jobs()], {
      stdio: [directory, "pipe", "pipe"],
      encoding: "utf8",
    });
    closeSync(directory);
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: "",
      stderr: expect.stringMatching(/^powerhose: cannot read stdin: it is a directory\n/),
    });
  });
});
