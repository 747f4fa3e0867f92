/** Ctrl-C on commands whose thread is in a call of the system: what is done is written, and the end is SIGKILL. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Command, linesOf } from "../child.ts";
import { fates, HostStage } from "./host-stage.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "powerhose-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** A job that gets its thread stuck, and the handler that does it. */
const waysToStick: readonly (readonly [string, () => { readonly handler: string; readonly job: string }])[] = [
  ["execSync", () => ({ handler: fates("stuck"), job: "stuck" })],
  [
    "a FIFO",
    () => {
      const path = join(folder(), "fifo");
      execFileSync("mkfifo", [path]);
      return { handler: fates("fifo"), job: path };
    },
  ],
];

/** The code of the error that a call ends with. */
function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: unknown) => (error as { readonly code?: unknown }).code);
}

/** How a command's process ended. */
function statusOf({ child }: Command): number | string | null {
  return child.exitCode ?? child.signalCode;
}

describe.each(waysToStick)("a thread in %s", (_, stick) => {
  test("the second Ctrl-C of `run` flushes output and log, and kills the process", async () => {
    const { handler, job } = stick();
    const log = join(folder(), "done.log");
    await using run = new Command(["run", "-w", "2", "--joblog", log, handler]);
    run.child.stdin.write(`1\n2\n3\n${job}\n`);
    await run.says(/begun/);
    await run.until(() => linesOf(run.stdout).length === 3);
    run.child.kill("SIGINT");
    await run.says(/once more to stop at once/);
    run.insist("SIGINT");
    const { stdout } = await run.ended;
    expect(statusOf(run)).toBe("SIGKILL");
    expect(stdout).toBe("1!\n2!\n3!\n");
    expect(linesOf(readFileSync(log, "utf8")).filter((line) => line.includes('"ok":true'))).toHaveLength(3);
    // The log of a killed run is taken over.
    const again = new Command(["run", "-w", "1", "--joblog", log, "--resume", handler], { input: "1\n2\n3\n4\n" });
    expect(await again.ended).toMatchObject({ code: 0, stdout: "4!\n" });
  });

  test("a shell sees status 137", async () => {
    const { handler, job } = stick();
    await using run = new Command(["run", "-w", "1", "--timeout", "300", "--attempts", "1", handler], {
      input: `${job}\n`,
      shell: '"$@"; echo "status $?" >&2',
    });
    expect((await run.ended).stderr).toMatch(/status 137$/m);
  });

  test("the second Ctrl-C of `work` kills the process, and its job is lost", async () => {
    const { handler, job } = stick();
    await using stage = await HostStage.start();
    const host = await stage.host("host", handler);
    const code = codeOf(stage.runner.execute(job, { attempts: 1 }));
    await host.says(/begun/);
    host.child.kill("SIGINT");
    await host.says(/once more to stop at once/);
    host.insist("SIGINT");
    const { stderr } = await host.ended;
    expect(statusOf(host)).toBe("SIGKILL");
    expect(stderr).toMatch(/^powerhose: stopped$/m);
    expect(await code).toBe("WORKER_LOST");
  });

  test("a first Ctrl-C of `work` waits for it, and what else runs ends well", async () => {
    const { handler, job } = stick();
    await using stage = await HostStage.start();
    const host = await stage.host("host", handler, 2);
    const code = codeOf(stage.runner.execute(job, { attempts: 1, timeout: 3_000 }));
    await host.says(/begun/);
    expect(await stage.runner.execute("a")).toBe("a!");
    host.child.kill("SIGINT");
    expect(await code).toBe("TIMEOUT");
    const { stderr } = await host.ended;
    expect(statusOf(host)).toBe("SIGKILL");
    expect(stderr).toMatch(/^powerhose: served \d jobs?$/m);
  });
});
