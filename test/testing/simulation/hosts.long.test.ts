/** Simulations where users have them: beside fake timers, under other test runners, under none, and where globals are missing. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import { playWorld } from "../fixtures/world.js";

const LIMIT = 100_000;

/** Runs Node on a file of the fixtures; resolves to its exit code and what it printed. */
function node(...args: readonly string[]): Promise<{ code: unknown; stdout: string }> {
  const cwd = fileURLToPath(new URL("../fixtures", import.meta.url));
  // Node's own runner would report to a runner above it instead of to us.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, POWERHOSE_SEED: undefined };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, env, timeout: LIMIT, killSignal: "SIGKILL" }, (error, stdout) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout }),
    );
  });
}

async function hashes(): Promise<string> {
  const { hashes: each } = await playWorld(simulate, { seeds: 2 });
  return [...each.values()].join(" ");
}

describe("fake timers", () => {
  it("that come later do not stop it", async () => {
    const expected = await hashes();
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    expect(await hashes()).toBe(expected);
  });

  it("that were there before it do not either", async () => {
    const expected = await hashes();
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    vi.resetModules();
    const fresh = await import("../../../src/testing/simulation/simulate.ts");
    expect(fresh.simulate).not.toBe(simulate);
    const { hashes: each } = await playWorld(fresh.simulate, { seeds: 2 });
    expect([...each.values()].join(" ")).toBe(expected);
  });
});

describe("the built package, by its name", () => {
  it("works without any test runner, whatever is missing among the globals, and lets the process end", async () => {
    const whole = await node("bare.js");
    expect(whole).toEqual({ code: 0, stdout: expect.stringMatching(/^[0-9a-f]{16} [0-9a-f]{16}\n$/) });
    expect(await node("bare.js", "setImmediate")).toEqual(whole);
    // Some test environments have neither.
    expect(await node("bare.js", "setImmediate", "MessageChannel")).toEqual(whole);
  });

  it("works under `node --test`", async () => {
    const { code, stdout } = await node("--test", "--test-reporter=tap", "node-test.js");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^\s*ok 1 - a world that passes/m);
    expect(stdout).toMatch(/^\s*not ok 2 - a world that fails/m);
    expect(stdout).toContain("seed 1 of 2 failed at");
    expect(stdout).toContain("POWERHOSE_SEED=1");
  });
});
