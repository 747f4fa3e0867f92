/** Outputs that take no more: what was written is whole or was told of, and a resumed run completes it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { jobs, linesOf, powerhose, seq } from "../child.ts";

const WIDTH = 1_999; // of the results of `wide`
const TIMEOUT = { timeout: 120_000 };

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "powerhose-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A file system of 64 KiB, where the host allows to mount one. */
function smallDisk(): string | undefined {
  const disk = join(folder(), "disk");
  mkdirSync(disk);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]).status !== 0) return undefined;
  onTestFinished(() => void spawnSync("umount", ["-l", disk]));
  return disk;
}

function loggedLines(log: string): number[] {
  return linesOf(readFileSync(log, "utf8"))
    .filter((line) => line.endsWith("}"))
    .map((line) => JSON.parse(line) as { readonly index: number; readonly ok: boolean })
    .filter(({ ok }) => ok)
    .map(({ index }) => index + 1);
}

/** Whole results of an output, and what is behind the last of them. */
function wholeResults(out: string): { readonly lines: number[]; readonly tail: string } {
  const lines = readFileSync(out, "utf8").split("\n");
  const tail = lines.pop() ?? "";
  for (const line of lines) expect(line.length, `a glued or torn line: ${line.slice(0, 20)}…`).toBe(WIDTH);
  return { lines: lines.map((line) => Number.parseInt(line, 10)), tail };
}

interface Place {
  readonly out: string;
  readonly log: string;
  /** Before the command, in the shell. */
  readonly limit: string;
  /** Makes room again. */
  readonly free: () => void;
}

const places: readonly (readonly [string, () => Place | undefined])[] = [
  [
    "a size limit (EFBIG)",
    () => {
      const dir = folder();
      return { out: join(dir, "out"), log: join(dir, "log"), limit: "ulimit -f 64;", free: () => undefined };
    },
  ],
  [
    "a full disk (ENOSPC)",
    () => {
      const disk = smallDisk();
      if (disk === undefined) return undefined;
      const out = join(disk, "out");
      writeFileSync(join(disk, "ballast"), Buffer.alloc(24_000));
      return { out, log: join(folder(), "log"), limit: "", free: () => rmSync(join(disk, "ballast")) };
    },
  ],
];

test.each(places)(
  "%s: the run fails, logged is what is whole, and a resumed run adds the rest",
  TIMEOUT,
  async (_, at) => {
    const place = at();
    // Not every host lets its tests mount; the size limit is there everywhere.
    if (place === undefined) return;
    const { out, log, limit, free } = place;
    const [input, args] = [seq(30), ["run", "-w", "2", "-q", "--joblog", log]];
    const full = await powerhose([...args, jobs("wide")], { input, shell: `${limit} exec "$@" > ${out}` });
    expect(full).toMatchObject({ code: 1, stderr: expect.stringMatching(/^powerhose: cannot write the results: E/) });
    const { lines, tail } = wholeResults(out);
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(30);
    expect(loggedLines(log)).toEqual(lines);

    free();
    // No limit here is a multiple of a result's length.
    expect(tail).not.toBe("");
    const torn = await powerhose([...args, "--resume", jobs("wide")], { input, shell: `exec "$@" >> ${out}` });
    expect(torn).toMatchObject({ code: 2, stderr: expect.stringContaining("ends in the middle of a result") });
    const text = readFileSync(out, "utf8");
    writeFileSync(out, text.slice(0, text.length - tail.length));
    const rest = await powerhose([...args, "--resume", jobs("wide")], { input, shell: `exec "$@" >> ${out}` });
    expect([rest.code, rest.stderr]).toEqual([0, ""]);
    expect(wholeResults(out)).toEqual({ lines: Array.from({ length: 30 }, (_line, index) => index + 1), tail: "" });
  },
);

test(
  "a job log that takes no more: the run fails, and its whole records are good for a resumed run",
  TIMEOUT,
  async () => {
    const log = join(folder(), "log");
    const [input, count] = [seq(600), 600];
    const args = ["run", "-w", "2", "-q", "--joblog", log];
    const full = await powerhose([...args, jobs()], { input, shell: 'ulimit -f 32; exec "$@"' });
    expect(full).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`powerhose: cannot write the job log ${log}: E`),
    });
    const printed = new Set(linesOf(full.stdout).map((line) => Number.parseInt(line, 10)));
    const logged = loggedLines(log);
    expect(logged.length).toBeGreaterThan(0);
    expect(logged.length).toBeLessThan(count);
    expect(logged.filter((line) => !printed.has(line))).toEqual([]);
    const rest = await powerhose([...args, "--resume", jobs()], { input });
    expect(rest.code).toBe(0);
    expect(linesOf(rest.stdout)).toHaveLength(count - logged.length);
    expect(new Set(loggedLines(log)).size).toBe(count);
  },
);

test.skipIf(!existsSync("/dev/full"))(
  "what cannot be printed is no success, and what cannot be said changes nothing",
  TIMEOUT,
  async () => {
    const shell = 'exec "$@" > /dev/full';
    for (const args of [["--help"], ["--version"], ["run", "--help"]]) {
      const { code, stderr } = await powerhose(args, { shell });
      expect([code, stderr]).toEqual([
        1,
        "powerhose: cannot write the output: ENOSPC: no space left on device, write\n",
      ]);
    }
    const results = await powerhose(["run", "-w", "1", "-q", jobs()], { input: seq(3), shell });
    expect(results).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot write the results: ENOSPC") });
    const failed = await powerhose(["run", "-w", "1", "-q", "--fail-fast", jobs("odd")], { input: seq(2), shell });
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot write the results: ENOSPC") });
    const mute = await powerhose(["run", "-w", "1", jobs("odd")], { input: seq(3), shell: 'exec "$@" 2> /dev/full' });
    expect(mute).toEqual({ code: 1, stdout: "1\n\n3\n", stderr: "" });
  },
);

test("a reader of a pipe that has had enough is no fault, for results and for help", TIMEOUT, async () => {
  const run = await powerhose(["run", "-w", "1", jobs("wide")], {
    input: seq(2_000),
    shell: '{ "$@"; echo "exit $?" >&2; } | head -1',
  });
  expect(run).toEqual({ code: 0, stdout: `${"1".padEnd(WIDTH)}\n`, stderr: "exit 0\n" });
  const help = await powerhose(["--help"], { shell: '{ "$@"; echo "exit $?" >&2; } | true' });
  expect(help.stderr).toBe("exit 0\n");
});
