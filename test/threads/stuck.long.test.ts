/** A thread in a call of the system that does not return: nothing waits for it for ever. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
}

function run(args: readonly string[], input = ""): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...args], { stdio: "pipe" });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => void (output += chunk.toString()));
    child.stdin.end(input);
    child.once("exit", (code, signal) => resolve({ code, signal, output }));
  });
}

test("a stop returns after its limit, and tells of the thread", async () => {
  const { output } = await run([at("./fixtures/stop-stuck.js")]);
  expect(output).toContain("thread 1 could not be ended in 200 ms: it is in a call of the system");
  expect(output).toContain("RUNNER_STOPPED");
  expect(output).toContain("stopped");
}, 60_000);

test("the command writes what it has and ends by SIGKILL", async () => {
  const args = ["run", "-w", "1", "--timeout", "300", "--attempts", "1", at("./fixtures/stuck.js")];
  const { signal, output } = await run([at("../../dist/cli/main.js"), ...args], "a\n");
  expect(signal).toBe("SIGKILL");
  expect(output).toContain("took over 300 ms");
}, 60_000);
