import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Terminal } from "../../../src/cli/terminal/terminal.ts";
import { progressLine, type ProgressView } from "../../../src/cli/terminal/progress.ts";
import { root } from "../../support/package-files.ts";
import { jobs } from "../child.ts";

const view: ProgressView = {
  done: 420,
  failed: 3,
  expected: 1_000,
  perSecond: 58,
  workers: 4,
  items: 0,
  report: undefined,
  ending: undefined,
};
const bare = { colour: false, blocks: false };

describe("the bar", () => {
  test("tells all when there is room", () => {
    expect(progressLine(view, 100, bare)).toBe(
      "[################------------------------]  42%  420 done  3 failed  ETA 0:10  58.0/s  4 workers",
    );
  });

  test("tells items, and the report of one job in what room is left", () => {
    const told = (columns: number, expected?: number): string =>
      progressLine({ ...view, expected, items: 12, report: "line 7: \u001b[2Jpage 3 of 9" }, columns, bare);
    expect(told(100)).toBe("420 done  12 items  3 failed  58.0/s  4 workers  line 7: \\x1b[2Jpage 3 of 9");
    expect(told(62)).toBe("420 done  12 items  3 failed  58.0/s  4 workers  line 7: \\x1b");
    expect(told(50)).toBe("420 done  12 items  3 failed  58.0/s  4 workers");
    expect(told(100, 1_000)).toMatch(/^\[[#-]{8,}\] {2}42% {2}420 done .* 4 workers {2}line 7: \S+…?/);
  });

  test("without a total there is neither bar nor ETA", () => {
    expect(progressLine({ ...view, expected: undefined }, 80, bare)).toBe("420 done  3 failed  58.0/s  4 workers");
  });

  test("leaves out the least important first as the terminal narrows, and never fills the line", () => {
    const told = [80, 45, 30, 18, 8, 3, 1].map((columns) =>
      progressLine(view, columns, bare).replace(/^\[.*\] {2}/, ""),
    );
    expect(told).toEqual([
      "42%  420 done  3 failed  ETA 0:10  58.0/s  4 workers",
      "42%  420 done  3 failed  ETA 0:10  58.0/s",
      "42%  420 done  3 failed",
      "42%  420 done",
      "42%",
      "42",
      "",
    ]);
    const anything = fc.record({
      done: fc.nat(),
      failed: fc.nat(),
      expected: fc.option(fc.nat(), { nil: undefined }),
      perSecond: fc.double({ min: 0, max: 1e6, noNaN: true }),
      workers: fc.nat(1_000),
      items: fc.nat(),
      report: fc.option(fc.string(), { nil: undefined }),
      ending: fc.constantFrom(undefined, "finishing"),
    });
    fc.assert(
      fc.property(anything, fc.nat(250), fc.boolean(), (any, columns, blocks) => {
        expect(progressLine(any, columns, { colour: false, blocks }).length).toBeLessThanOrEqual(
          Math.max(0, columns - 1),
        );
      }),
    );
  });

  test("colours add no width", () => {
    for (const blocks of [true, false]) {
      const coloured = progressLine(view, 90, { colour: true, blocks });
      // oxlint-disable-next-line no-control-regex -- these are what is looked for
      expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(progressLine(view, 90, { colour: false, blocks }));
      expect(coloured).toContain("\u001b[31m3 failed\u001b[39m");
    }
  });
});

describe("notices", () => {
  function screen(isTTY: boolean): { written: string; isTTY: boolean; write(text: string): boolean; on(): void } {
    return {
      written: "",
      isTTY,
      write(text) {
        this.written += text;
        return true;
      },
      on: () => undefined,
    };
  }

  test("no bar where nobody sees it", () => {
    const environments = [
      { tty: false, quiet: false, env: {} },
      { tty: true, quiet: true, env: {} },
      { tty: true, quiet: false, env: { TERM: "dumb" } },
    ];
    for (const { tty, quiet, env } of environments) {
      const stderr = screen(tty);
      const notices = new Terminal(stderr, env, quiet);
      notices.showProgress(() => "never drawn");
      notices.endProgress();
      expect(stderr.written).toBe("");
    }
  });

  test("what others write to the screen takes the bar off first, and is not overwritten", () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const stderr = screen(true);
    const notices = new Terminal(stderr, { NO_COLOR: "1" }, false);
    notices.showProgress(() => "bar");
    vi.advanceTimersByTime(100);
    stderr.write("from a handler\n");
    vi.advanceTimersByTime(100);
    stderr.write("half a line");
    vi.advanceTimersByTime(1_000);
    stderr.write(", whole\n");
    vi.advanceTimersByTime(100);
    notices.endProgress();
    stderr.write("after\n");
    const erase = "\r\u001b[2K";
    const bar = `${erase}bar${erase}`;
    expect(stderr.written).toBe(`${bar}from a handler\n${bar}half a line, whole\n${bar}after\n`);
  });

  test("quiet says nothing but what is wrong", () => {
    const stderr = screen(false);
    const notices = new Terminal(stderr, {}, true);
    notices.info("hello");
    notices.hint("type this");
    notices.error("it\nbroke");
    expect(stderr.written).toBe("powerhose: it broke\n");
  });
});

const hasScript = ((): boolean => {
  try {
    execFileSync("script", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

if (!hasScript) process.stderr.write("on a terminal: skipped, no `script` (Debian: apt-get install bsdutils)\n");

test.runIf(hasScript)("on a terminal the bar is drawn, and gone at the end", async () => {
  const main = process.env["POWERHOSE_MAIN"] ?? join(root, "dist/cli/main.js");
  const line = `seq 1 8 | '${process.execPath}' '${main}' run -w 1 '${jobs("slow")}'`;
  const child = spawn("script", ["-qec", line, "/dev/null"], {
    env: { ...process.env, TERM: "xterm", LC_ALL: "C.UTF-8", NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let seen = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (seen += text));
  const code = await new Promise((resolve) => void child.once("close", resolve));
  expect(code).toBe(0);
  expect(seen).toMatch(/▕█+[^\r]*%  \d done/);
  // What follows the last erasure is the summary alone.
  const rest = seen.slice(seen.lastIndexOf("\u001b[2K") + "\u001b[2K".length);
  expect(rest).toMatch(/^(?:8\r\n)?powerhose: 8 jobs in /);
});
