import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Command, jobs, linesOf, powerhose, seq } from "../child.ts";

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

/** A run that waits for workers on a free port, and where it listens. */
async function listening(args: readonly string[], given = {}): Promise<{ run: Command; url: string }> {
  const run = new Command(["run", "--listen", "0", ...args], given);
  const [, url = ""] = await run.says(/listening on (ws:\S+);/);
  return { run, url };
}

describe("remote workers", () => {
  test("two join, one is killed midway: every line is there once, in order", async () => {
    const { run: started, url } = await listening(["-w", "0", jobs("uneven")], { input: seq(5_000) });
    await using run = started;
    await using first = new Command(["work", "-w", "1", "-c", "8", "--connect", url, jobs("uneven")]);
    await using second = new Command(["work", "-w", "1", "-c", "8", "--connect", url, jobs("uneven")]);
    await Promise.all([first.says(/registered at/), second.says(/registered at/)]);
    await run.until(() => linesOf(run.stdout).length > 500);
    first.child.kill("SIGKILL");
    const { code, stdout, stderr } = await run.ended;
    expect(stdout).toBe(seq(5_000));
    expect(code).toBe(0);
    expect(stderr).toMatch(/worker \S+ left \(closed\)/);
    expect(stderr).toMatch(/5,000 jobs in .* on 2 remote workers, none failed/);
  });

  test("are waited for when no thread is left", async () => {
    const plague = join(mkdtempSync(join(tmpdir(), "powerhose-")), "plague");
    const mortal = fixture("mortal.js");
    const { run: started, url } = await listening(["-w", "1", mortal], { env: { PLAGUE: plague } });
    await using run = started;
    run.child.stdin.write("a\n");
    await run.until(() => run.stdout === "a\n");
    writeFileSync(plague, "");
    await run.says(/no thread is left here; waiting for remote workers/);
    await using work = new Command(["work", "-w", "1", "--connect", url, mortal]);
    await work.says(/registered at/);
    run.child.stdin.end("b\n");
    expect(await run.ended).toMatchObject({ code: 0, stdout: "a\nb\n" });
    rmSync(dirname(plague), { recursive: true });
  });

  test("that are interrupted before they are ready end in order", async () => {
    await using work = new Command(["work", "-w", "1", "--connect", "ws://127.0.0.1:9", fixture("unready.js")]);
    await work.says(/loading/);
    work.child.kill("SIGTERM");
    const { code, stderr } = await work.ended;
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/could not|Error|before one was ready/);
  });

  test("none takes over the name of a local thread", async () => {
    const { run: started, url } = await listening(["-w", "1", jobs()]);
    await using run = started;
    const args = ["work", "-w", "1", "--identity", "thread-1", "--connect", url, jobs()];
    await using work = new Command(args);
    await work.says(/thread-1 connects to/);
    await run.says(/refused 127\.0\.0\.1:\d+: /);
    run.child.stdin.end("a\n");
    expect(await run.ended).toMatchObject({ code: 0, stdout: "a!\n" });
    expect(run.stderr).toMatch(/1 job in .* on 1 worker, none failed/);
  });

  test("a worker may come first, and with --once leaves with the run", async () => {
    await using scout = new Command(["run", "--listen", "0", "-w", "0", jobs()], { input: "" });
    const [, url = ""] = await scout.says(/listening on (ws:\S+);/);
    await scout.ended;
    await using work = new Command(["work", "-w", "1", "--once", "--connect", url, jobs()]);
    await work.says(/disconnected: could not connect to .*; trying again in /);
    const port = new URL(url).port;
    const { code, stdout } = await powerhose(["run", "--listen", port, "-w", "0", jobs()], { input: "a\n" });
    expect([code, stdout]).toEqual([0, "a!\n"]);
    expect((await work.ended).code).toBe(0);
  });

  test("a first signal lets a worker finish its job, a second does not", async () => {
    const { run: started, url } = await listening(["-w", "0", jobs("slow")]);
    await using run = started;
    run.child.stdin.write("1\n");
    await using work = new Command(["work", "-w", "1", "--connect", url, jobs("slow")]);
    await work.says(/begun 1/);
    work.child.kill("SIGTERM");
    expect((await work.ended).code).toBe(0);
    await run.until(() => run.stdout === "1\n");
    run.child.stdin.write("2\n");
    await using hung = new Command(["work", "-w", "1", "--connect", url, jobs("endless")]);
    await hung.says(/begun 2/);
    hung.child.kill("SIGINT");
    await hung.says(/once more to stop at once/);
    hung.insist("SIGINT");
    expect((await hung.ended).code).toBe(130);
  });
});
