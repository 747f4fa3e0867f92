import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { Command, jobs, linesOf, powerhose, seq } from "../child.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "powerhose-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** Feeds lines for ever, as fast as they are taken, or until told to stop; tells how many bytes went. */
function feed(
  { child }: Command,
  line: string = "a line of work for the run\n",
): { readonly sent: () => number; readonly stop: () => void } {
  const chunk = Buffer.from(line.repeat(Math.ceil(54_000 / line.length)));
  let [sent, stopped] = [0, false];
  const write = (): void => {
    child.stdin.write(chunk, (error) => {
      if (error !== null && error !== undefined) return;
      sent += chunk.length;
      if (!stopped) return write();
      child.stdin.end();
    });
  };
  write();
  return { sent: () => sent, stop: () => (stopped = true) };
}

/** More than pipes hold before a command reads from them. */
const PIPES = 250_000;

/** Resolves once the command reads and no more is taken for a while, or enough was: to how much. */
async function stalled({ child }: Command, sent: () => number, enough: number): Promise<number> {
  let [before, still] = [-1, 0];
  while (still < 10 && sent() < enough && child.exitCode === null) {
    still = sent() === before && before > PIPES ? still + 1 : 0;
    before = sent();
    // Nothing tells that a process does nothing: it has to be watched.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return sent();
}

/** A handler whose threads die by themselves once the file named by PLAGUE is there. */
const mortal = fileURLToPath(new URL("../fixtures/mortal.js", import.meta.url));

test.each([
  ["its default", "", "default x"],
  ["a name", "#named", "named x"],
])("a module compiled to CommonJS is served by %s", async (_which, suffix, answer) => {
  const module = fileURLToPath(new URL("../../threads/fixtures/compiled.cjs", import.meta.url));
  const { code, stdout } = await powerhose(["run", "-w", "1", `${module}${suffix}`], { input: "x\n" });
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${answer}\n` });
});

describe("threads that die", () => {
  test("a handler that kills its thread ends with the job given up, and a hung one with its timeout", async () => {
    const crashed = await powerhose(["run", "-w", "1", jobs("crash")], { input: "a\n" });
    expect(crashed).toMatchObject({ code: 1, stdout: "\n" });
    expect(crashed.stderr).toContain("stdin:1: WorkerLostError: ");
    const args = ["run", "-w", "1", "--attempts", "1", "--timeout", "200ms", jobs("endless")];
    const hung = await powerhose(args, { input: "a\n" });
    expect(hung).toMatchObject({ code: 1, stdout: "\n" });
    expect(hung.stderr).toContain("took over 200 ms");
  });

  test("when no thread is left, that is the end", async () => {
    const plague = join(folder(), "plague");
    await using command = new Command(["run", "-w", "1", mortal], { env: { PLAGUE: plague } });
    command.child.stdin.write("a\n");
    await command.until(() => command.stdout === "a\n");
    writeFileSync(plague, "");
    const { code, stderr } = await command.ended;
    expect(stderr).toContain("powerhose: no thread is left to run the jobs: all of them kept crashing\n");
    expect(code).toBe(1);
  });

  test("jobs that kill their threads, one after the other, are failed jobs and not the end", async () => {
    const args = ["run", "-w", "1", "--attempts", "1", "-q", jobs("crashUnlessLast")];
    const { code, stdout } = await powerhose(args, { input: `${"x\n".repeat(25)}last\n` });
    expect(stdout).toBe(`${"\n".repeat(25)}last\n`);
    expect(code).toBe(1);
  });
});

describe("streams", { timeout: 180_000 }, () => {
  test("many threads draw no warning from the host", async () => {
    const { code, stdout, stderr } = await powerhose(["run", "-q", "-w", "12", jobs()], { input: seq(50) });
    expect([code, linesOf(stdout).length, stderr]).toEqual([0, 50, ""]);
  });

  test.each([2, 8, 16])("large results of %i threads wait for a slow reader in bounded memory", async (threads) => {
    const count = 200;
    // More slots than there is memory for: what a fast machine sends ahead of a slot comes to the same.
    const args = ["run", "-w", String(threads), "-c", String(512 / threads), "-q", jobs("megabyte")];
    const env = { NODE_OPTIONS: "--max-old-space-size=160" };
    await using command = new Command(args, { env, unread: true });
    const { stdin, stdout } = command.child;
    // The first result tells how large they are.
    stdin.write("1\n");
    let bytes = 0;
    for await (const chunk of stdout as AsyncIterable<Buffer>) {
      const before = bytes;
      bytes += chunk.length;
      if (before <= 1_000_000 && bytes > 1_000_000) stdin.end(seq(count).slice(2));
      // Slow enough for the jobs to run far ahead, if nothing held them.
      else if (bytes < 3_000_000) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect((await command.ended).code).toBe(0);
    expect(bytes).toBe(count * 1_000_001);
  });

  test("results over the whole budget go through one at a time, and the summary says what would help", async () => {
    const args = ["run", "-w", "2", "--buffer", "1048576", jobs("megabyte")];
    const { code, stdout, stderr } = await powerhose(args, { input: seq(9) });
    expect([code, stdout.length]).toEqual([0, 9 * 1_000_001]);
    expect(stderr).toContain(
      "--buffer has no room for a result of each slot (up to 1.9 MiB); with --buffer 5242880 more",
    );
  });

  test("long errors wait behind a slow first line in bounded memory", async () => {
    const gate = join(folder(), "gate");
    const env = { NODE_OPTIONS: "--max-old-space-size=160", GATE: gate };
    await using command = new Command(["run", "-w", "2", "-q", jobs("gated")], { env, unread: true });
    const { child } = command;
    child.stdin.write("first\n");
    const { sent, stop } = feed(command, `${"x".repeat(999)}\n`);
    const enough = 8_000_000;
    expect(await stalled(command, sent, enough)).toBeLessThan(enough);
    writeFileSync(gate, "");
    stop();
    let lines = 0;
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) lines += chunk.toString().split("\n").length - 1;
    expect((await command.ended).code).toBe(1);
    expect(lines).toBe(1 + sent() / 1_000);
  });

  test("a reader that has had enough ends the run quietly", async () => {
    await using command = new Command(["run", "-w", "1", jobs()]);
    feed(command);
    await command.until(() => command.stdout.length > 0);
    command.child.stdout.destroy();
    const { code, stderr } = await command.ended;
    expect(code).toBe(0);
    expect(stderr).toBe("");
  });

  test("a reader that does not read stops the reading of stdin", async () => {
    await using command = new Command(["run", "-w", "1", "-c", "16", jobs()], { unread: true });
    const { sent } = feed(command);
    // Whatever the pipes, the window and the buffers hold must be less than this, and is then all that is ever taken.
    const enough = 4_000_000;
    expect(await stalled(command, sent, enough)).toBeLessThan(enough);
  });

  test("60 MB go through in bounded memory", async () => {
    const args = ["run", "-w", "1", "-c", "64", "-q", "-o", "jsonl", jobs("bytes")];
    await using command = new Command(args, { env: { NODE_OPTIONS: "--max-old-space-size=48" }, unread: true });
    const line = `${"x".repeat(10_000)}\n`;
    let written = 0;
    const more = (error?: Error | null): void => {
      if (error !== null && error !== undefined) return;
      if (written++ < 6_000) command.child.stdin.write(line, more);
      else command.child.stdin.end();
    };
    more();
    let bytes = 0;
    for await (const chunk of command.child.stdout as AsyncIterable<Buffer>) bytes += chunk.length;
    expect((await command.ended).code).toBe(0);
    expect(bytes).toBeGreaterThan(60_000_000);
  });
});

describe("signals", () => {
  test("the first finishes what runs and prints it, with the summary", async () => {
    await using command = new Command(["run", "-w", "1", jobs("slow")]);
    command.child.stdin.write(seq(20));
    await command.says(/begun 1\n/);
    command.child.kill("SIGINT");
    const { code, stdout, stderr } = await command.ended;
    expect(code).toBe(130);
    expect(stdout).toBe("1\n");
    expect(stderr).toMatch(/finishing what runs[^]*1 job in .*none failed[^]*line[s]? read ahead and not run/);
    expect(stderr).not.toContain("begun 2");
  });

  test.each(["SIGINT", "SIGTERM"] as const)("the second %s ends a handler that never returns", async (signal) => {
    await using command = new Command(["run", "-w", "1", jobs("endless")]);
    command.child.stdin.write("1\n");
    await command.says(/begun 1\n/);
    command.child.kill(signal);
    await command.says(/finishing what runs/);
    command.insist(signal);
    expect((await command.ended).code).toBe(130);
  });

  test("the same signal twice at once is one", async () => {
    await using command = new Command(["run", "-w", "1", jobs("slow")]);
    command.child.stdin.write("1\n");
    await command.says(/begun 1\n/);
    command.child.kill("SIGTERM");
    await command.says(/finishing what runs/);
    command.child.kill("SIGTERM");
    expect(await command.ended).toMatchObject({ code: 130, stdout: "1\n" });
  });

  test("one that comes before a thread is ready ends it in silence", async () => {
    await using command = new Command([
      "run",
      "-w",
      "1",
      fileURLToPath(new URL("../fixtures/unready.js", import.meta.url)),
    ]);
    await command.says(/loading/);
    command.child.kill("SIGINT");
    const { code, stderr } = await command.ended;
    expect(stderr).toBe("loading\npowerhose: finishing what runs; once more to stop at once\n");
    expect(code).toBe(130);
  });

  test("a reader that leaves after it changes nothing about its exit code", async () => {
    await using command = new Command(["run", "-w", "1", jobs("slow")]);
    command.child.stdin.write("1\n");
    await command.says(/begun 1\n/);
    command.child.kill("SIGINT");
    await command.says(/finishing what runs/);
    command.child.stdout.destroy();
    expect((await command.ended).code).toBe(130);
  });
});
