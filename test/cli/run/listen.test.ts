import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Command, jobs, listening, seq } from "../child.ts";

describe("remote workers", () => {
  test("are invited with a line that can be copied as it is, and with the limit they need", async () => {
    const folder = mkdtempSync(join(tmpdir(), "power hose's "));
    const module = join(folder, "echo.mjs");
    writeFileSync(module, "export default (job) => job.data;\n");
    await using run = new Command(["run", "--listen", "0", "-w", "1", "--max-payload", "2000000", module]);
    const [, line = ""] = await run.says(/\n {4}powerhose (work .*)\n/);
    const words = execFileSync("sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" }).split("\n");
    expect(words.slice(0, 2)).toEqual(["work", module]);
    expect(words[words.indexOf("--max-payload") + 1]).toBe("2000000");
    run.child.stdin.end();
    await run.ended;
    rmSync(folder, { recursive: true });
  });

  test("join local threads, with the command that was printed", async () => {
    const { run: started, url } = await listening(["-w", "1", "-o", "jsonl", jobs("slow")]);
    await using run = started;
    await run.until(() => run.stderr.includes(`\n    powerhose work ${jobs("slow")} --connect ${url}\n`));
    await using work = new Command(["work", "-w", "1", "--identity", "helping-hand", "--connect", url, jobs("slow")]);
    await run.says(/worker helping-hand joined from 127\.0\.0\.1:\d+ \(1 jobs? at a time\)/);
    run.child.stdin.end(seq(6));
    const { stdout } = await run.ended;
    expect(new Set(stdout.match(/"worker":"[^"]*"/g))).toEqual(
      new Set(['"worker":"thread-1"', '"worker":"helping-hand/thread-1"']),
    );
    await work.says(/disconnected: .*; trying again in /);
    work.child.kill("SIGTERM");
    expect(await work.ended).toMatchObject({ code: 0, stdout: "" });
    expect(work.stderr).toMatch(/served \d jobs?\n$/);
  });
});
