import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { fingerprint, JobLog } from "../../../src/cli/run/job-log.ts";
import { Command, type Ended, jobs, linesOf, powerhose, powerhoseEach, seq } from "../child.ts";

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

/** A record as a run writes it. */
function recordOf(index: number, text: string, ok = true): string {
  return `${JSON.stringify({ index, ok, ms: 1, worker: "thread-1", sha256: fingerprint(text) })}\n`;
}

test("one record for each job names its line; --resume leaves out what succeeded and runs again what failed", async () => {
  const log = logFile();
  await run(log, seq(6), jobs("odd"));
  expect(logged(log).slice(0, 3)).toMatchObject([
    { index: 0, ok: true, worker: expect.stringMatching(/^thread-/) as string },
    { index: 1, ok: false },
    { index: 2, ok: true, sha256: "4e07408562bedb8b" }, // echo -n 3 | sha256sum
  ]);
  const again = await run(log, seq(8), "--resume", jobs());
  expect(again).toMatchObject({ code: 0, stdout: "2!\n4!\n6!\n7!\n8!\n" });
  expect(again.stderr).toContain("5 jobs in ");
  expect(again.stderr).toContain(", 3 done before");
  // All is done, and more than the input has.
  const shorter = await run(log, seq(5), "--resume", jobs());
  expect(shorter).toMatchObject({ code: 0, stdout: "" });
  expect(shorter.stderr).toContain(", 5 done before\n");
  expect(shorter.stderr).toContain("the job log knows 3 more lines than the input has; is it the same input?\n");
});

test("a torn last line is cut off, and its job is run again", async () => {
  const log = logFile();
  writeFileSync(log, recordOf(0, "1") + recordOf(1, "2") + recordOf(2, "3").slice(0, -9));
  const { code, stdout } = await run(log, seq(3), "--resume", jobs());
  expect([code, stdout]).toEqual([0, "3!\n"]);
  expect(logged(log).map(({ index }) => index)).toEqual([0, 1, 2]);
});

test("another input than the log's is refused", async () => {
  const log = logFile();
  writeFileSync(log, recordOf(0, "1") + recordOf(1, "2"));
  const { code, stdout, stderr } = await run(log, "1\nzwei\n3\n", "--resume", jobs());
  expect(code).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toContain(`job 1 of ${log} was another one; the input has changed since that run`);
});

test("what cannot be the log of this run is refused before anything runs, and left as it is", async () => {
  const notRecord = (line: number) => (path: string) =>
    `--resume: ${path} is not a job log: line ${line} is not a record`;
  const isEarlier = (path: string): string =>
    `--joblog: ${path} holds an earlier run; go on with --resume, or remove it`;
  const isInput = (path: string): string => `--joblog: ${path} is also an input (${path}); name another file`;
  const refused: readonly (readonly [string, readonly string[], (path: string) => string])[] = [
    [recordOf(0, "1"), [], isEarlier],
    [`${recordOf(0, "1")}remember the milk\n`, ["--resume"], notRecord(2)],
    ["remember the milk", ["--resume"], notRecord(1)],
    ['{"indexes":[]}', ["--resume"], notRecord(1)],
    [recordOf(2 ** 32 - 1, ""), ["--resume"], notRecord(1)],
    ['{"index":', ["--resume"], isInput],
  ];
  const logs = refused.map(([text]) => {
    const log = logFile();
    writeFileSync(log, text);
    return log;
  });
  const fifo = logFile();
  execFileSync("mkfifo", [fifo]);
  const isNoFile: readonly (readonly [string, readonly string[]])[] = [
    [fifo, []],
    [fifo, ["--resume"]],
    ["/dev/null", []],
  ];
  const ended = await powerhoseEach([
    ...refused.map(([, more, why], place) => {
      const log = logs[place] ?? "";
      return ["run", "--joblog", log, ...more, jobs(), ...(why === isInput ? [log] : [])];
    }),
    ...isNoFile.map(([path, more]) => ["run", "--joblog", path, ...more, jobs()]),
    ["run", "--joblog", tmpdir(), jobs()],
  ]);
  const reasons = [
    ...refused.map(([, , why], place) => why(logs[place] ?? "")),
    ...isNoFile.map(([path]) => `--joblog: ${path} is not a file`),
    `--joblog: cannot open ${tmpdir()}: it is a directory`,
  ];
  expect(ended).toEqual(reasons.map((why) => ({ code: 2, stdout: "", stderr: `powerhose: ${why}\n` })));
  expect(logs.map((log) => readFileSync(log, "utf8"))).toEqual(refused.map(([text]) => text));
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
});

test("a link to a file is the file: begun there, gone on with there", async () => {
  const log = logFile();
  symlinkSync(`${log}.real`, log);
  for (const index of [0, 1]) {
    const opened = await JobLog.open(log, index > 0, []);
    expect(opened.finished).toBe(index);
    opened.append(recordOf(index, String(index + 1)));
    opened.close();
  }
  expect(logged(`${log}.real`)).toHaveLength(2);
});

test("a log is one run's at a time: a second one is told which has it, and goes on once it is dead", async () => {
  const log = logFile();
  writeFileSync(log, "");
  await using first = new Command(["run", "-w", "1", "--joblog", log, jobs()]);
  first.child.stdin.write("1\n");
  await first.until(() => first.stdout.includes("1!"));
  // The record follows the result.
  while (readFileSync(log, "utf8") === "") await nextTurn();
  const inUse = `is in use by process ${first.child.pid};`;
  await expect(JobLog.open(log, true, [])).rejects.toThrow(inUse);
  const [second] = await powerhoseEach([["run", "--joblog", log, "--resume", jobs()]]);
  expect(second).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(inUse) as string });
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
