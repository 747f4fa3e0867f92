import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { JobLog } from "../../../src/cli/run/job-log.ts";
import { Command, type Ended, jobs, linesOf, powerhose, seq } from "../child.ts";

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

function logged(path: string): LogRecord[] {
  return linesOf(readFileSync(path, "utf8")).map((line) => JSON.parse(line) as LogRecord);
}

function run(log: string, input: string, ...more: readonly string[]): Promise<Ended> {
  return powerhose(["run", "-w", "2", "--joblog", log, ...more], { input });
}

test("one record for each job, with what names its line", async () => {
  const log = logFile();
  await run(log, seq(3), jobs("odd"));
  expect(logged(log)).toMatchObject([
    { index: 0, ok: true, worker: expect.stringMatching(/^thread-/) as string },
    { index: 1, ok: false },
    { index: 2, ok: true, sha256: "4e07408562bedb8b" }, // echo -n 3 | sha256sum
  ]);
});

test("--resume leaves out what succeeded and runs again what failed", async () => {
  const log = logFile();
  await run(log, seq(6), jobs("odd"));
  const again = await run(log, seq(8), "--resume", jobs());
  expect(again).toMatchObject({ code: 0, stdout: "2!\n4!\n6!\n7!\n8!\n" });
  expect(again.stderr).toContain("5 jobs in ");
  expect(again.stderr).toContain(", 3 done before");
  expect(await run(log, seq(8), "--resume", jobs())).toMatchObject({ code: 0, stdout: "" });
});

test("an earlier run's log is not touched without --resume", async () => {
  const log = logFile();
  await run(log, seq(2), jobs());
  const before = readFileSync(log);
  const { code, stderr } = await run(log, seq(2), jobs());
  expect(code).toBe(2);
  expect(stderr).toContain("holds an earlier run; go on with --resume, or remove it");
  expect(readFileSync(log)).toEqual(before);
});

test("a torn last line is cut off, and its job is run again", async () => {
  const log = logFile();
  await run(log, seq(3), jobs());
  const whole = readFileSync(log, "utf8");
  writeFileSync(log, whole.slice(0, -9));
  const { code, stdout } = await run(log, seq(3), "--resume", jobs());
  expect([code, stdout]).toEqual([0, "3!\n"]);
  expect(logged(log).map(({ index }) => index)).toEqual([0, 1, 2]);
});

test("another input than the log's is refused", async () => {
  const log = logFile();
  await run(log, seq(3), jobs());
  const { code, stdout, stderr } = await run(log, "1\nzwei\n3\n", "--resume", jobs());
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain(`job 1 of ${log} was another one; the input has changed since that run`);
});

test("a file that is no log is refused", async () => {
  const log = logFile();
  await run(log, seq(1), jobs());
  appendFileSync(log, "remember the milk\n");
  const { code, stderr } = await run(log, seq(1), "--resume", jobs());
  expect([code, stderr]).toEqual([2, `powerhose: --resume: ${log} is not a job log: line 2 is not a record\n`]);
});

test.each(["remember the milk", '{"indexes":[]}'])(
  "a file without a newline that holds %j is left as it is",
  async (text) => {
    const log = logFile();
    writeFileSync(log, text);
    const { code, stderr } = await run(log, seq(1), "--resume", jobs());
    expect([code, stderr]).toEqual([2, `powerhose: --resume: ${log} is not a job log: line 1 is not a record\n`]);
    expect(readFileSync(log, "utf8")).toBe(text);
  },
);

test("an input is not written to", async () => {
  const log = logFile();
  writeFileSync(log, '{"index":');
  const { code, stderr } = await run(log, "", "--resume", jobs(), log);
  expect([code, stderr]).toEqual([2, `powerhose: --joblog: ${log} is also an input (${log}); name another file\n`]);
  expect(readFileSync(log, "utf8")).toBe('{"index":');
});

test("a log that knows more lines than the input has is told of", async () => {
  const log = logFile();
  await run(log, seq(5), jobs());
  const { stderr } = await run(log, seq(3), "--resume", jobs());
  expect(stderr).toContain(", 3 done before\n");
  expect(stderr).toContain("the job log knows 2 more lines than the input has; is it the same input?\n");
});

test("a log that cannot be opened is refused before anything runs", async () => {
  const { code, stderr } = await run(tmpdir(), seq(1), jobs());
  expect([code, stderr]).toEqual([2, `powerhose: --joblog: cannot open ${tmpdir()}: it is a directory\n`]);
});

test("a log opened by one name is read, cut and appended to, whatever takes that name meanwhile", async () => {
  const log = logFile();
  const records = [0, 1].map((index) => `{"index":${index},"ok":true,"sha256":""}\n`).join("");
  writeFileSync(log, `${records}{"index":2`);
  // The path is swapped once the log is open, and before any of it is read.
  const opening = JobLog.open(log, true, []);
  renameSync(log, `${log}.kept`);
  writeFileSync(log, "remember the milk\n");
  const opened = await opening;
  expect(opened.finished).toBe(2);
  opened.append("more\n");
  opened.close();
  expect(readFileSync(`${log}.kept`, "utf8")).toBe(`${records}more\n`);
  expect(readFileSync(log, "utf8")).toBe("remember the milk\n");
});

test("a record of the last place of all takes no more memory than one of the first", async () => {
  const log = logFile();
  const record = (index: number): string => `{"index":${index},"ok":true,"sha256":"4e07408562bedb8b"}\n`;
  writeFileSync(log, record(2_147_483_647) + record(2 ** 32 - 2) + record(2));
  // A table by the highest index would take gigabytes.
  const given = { input: seq(3), env: { NODE_OPTIONS: "--max-old-space-size=100" } };
  const { code, stdout, stderr } = await powerhose(["run", "-w", "1", "--joblog", log, "--resume", jobs()], given);
  expect([code, stdout]).toEqual([0, "1!\n2!\n"]);
  expect(stderr).toContain("the job log knows 2 more lines than the input has");
  writeFileSync(log, record(2 ** 32 - 1));
  expect((await run(log, seq(1), "--resume", jobs())).stderr).toContain("line 1 is not a record");
});

test("what is no file is refused as a log, before anything runs or waits for it", async () => {
  const fifo = logFile();
  execFileSync("mkfifo", [fifo]);
  for (const [path, args] of [
    [fifo, []],
    [fifo, ["--resume"]],
    ["/dev/null", []],
  ] as const) {
    const { code, stdout, stderr } = await run(path, seq(1), ...args, jobs());
    expect([code, stdout, stderr]).toEqual([2, "", `powerhose: --joblog: ${path} is not a file\n`]);
  }
});

test("a link to a file is the file: begun there, gone on with there", async () => {
  const log = logFile();
  symlinkSync(`${log}.real`, log);
  await run(log, seq(2), jobs());
  expect(logged(`${log}.real`)).toHaveLength(2);
  expect(await run(log, seq(3), "--resume", jobs())).toMatchObject({ code: 0, stdout: "3!\n" });
  expect(logged(`${log}.real`)).toHaveLength(3);
});

test("a log is one run's at a time: a second one is told which has it, and goes on once it is dead", async () => {
  const log = logFile();
  writeFileSync(log, "");
  await using first = new Command(["run", "-w", "1", "--joblog", log, jobs()]);
  first.child.stdin.write("1\n");
  await first.until(() => first.stdout.includes("1!"));
  // The record follows the result.
  while (readFileSync(log, "utf8") === "") await nextTurn();
  for (const more of [["--resume"], []]) {
    const { code, stdout, stderr } = await run(log, seq(2), ...more, jobs());
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(more.length > 0 ? `is in use by process ${first.child.pid};` : "holds an earlier run");
  }
  first.child.kill("SIGKILL");
  await first.ended;
  expect(readdirSync(dirname(log))).toEqual(["jobs.log", "jobs.log.lock"]);
  expect(await run(log, seq(3), "--resume", jobs())).toMatchObject({ code: 0, stdout: "2!\n3!\n" });
  expect(readdirSync(dirname(log))).toEqual(["jobs.log"]);
});

test("a lock of another machine is taken at its word", async () => {
  const log = logFile();
  writeFileSync(`${log}.lock`, JSON.stringify({ host: "elsewhere", pid: 1, started: "" }));
  await expect(JobLog.open(log, false, [])).rejects.toThrow("is in use by process 1 on elsewhere");
});

test.each([
  { host: hostname(), pid: process.ppid, started: "another life" },
  { host: hostname(), pid: process.pid, started: "" },
  { host: hostname(), pid: 4_000_000, started: "" },
  "torn",
])("a lock that says %j is taken over", async (holder) => {
  const log = logFile();
  writeFileSync(`${log}.lock`, typeof holder === "string" ? holder : JSON.stringify(holder));
  const opened = await JobLog.open(log, false, []);
  await expect(JobLog.open(log, false, [])).rejects.toThrow(`is in use by process ${process.pid};`);
  opened.close();
  expect(readdirSync(dirname(log))).toEqual(["jobs.log"]);
});

test("the output is not taken for the log, by whatever name", async () => {
  const log = logFile();
  symlinkSync(log, `${log}.link`);
  const args = ["run", "-w", "1", "--joblog", `${log}.link`, jobs()];
  for (const to of [">", ">>"]) {
    const { code, stderr } = await powerhose(args, { input: seq(3), shell: `exec "$@" ${to} ${log}` });
    expect([code, stderr]).toEqual([2, `powerhose: --joblog: ${log}.link is also the output; name another file\n`]);
  }
  const { code } = await powerhose(args, { input: seq(3), shell: `exec "$@" 2>> ${log}` });
  expect([code, readFileSync(log, "utf8")]).toEqual([
    2,
    `powerhose: --joblog: ${log}.link is also where messages go; name another file\n`,
  ]);
  writeFileSync(log, "");
  expect(readFileSync(log, "utf8")).toBe("");
});
