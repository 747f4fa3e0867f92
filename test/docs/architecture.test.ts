/**
 * docs/architecture.md and docs/semantics.md say what the code says: the map is the table of layers, the tables every
 * state and every default.
 */
import { describe, expect, test } from "vitest";
import { EXECUTE_DEFAULTS, REGISTRATION_DEFAULTS, RUNNER_DEFAULTS, WORKER_DEFAULTS } from "../../src/index.ts";
import type { CallState } from "../../src/core/dispatch/call-context.ts";
import type { SessionState, WorkerState } from "../../src/index.ts";
import { printedLayers } from "../support/layers.ts";
import { read } from "../support/package-files.ts";

const page: string = read("docs/architecture.md");
const semantics: string = read("docs/semantics.md");

/** The second column of the rows whose first is a name in code, under a heading. */
function secondColumn(text: string, heading: string): ReadonlyMap<string, string> {
  const section = text.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.matchAll(/^\| `(\w+)` +\| ([^|]*?) +\|/gm);
  return new Map(Array.from(rows, ([, name = "", value = ""]) => [name, value]));
}

function written(value: unknown): string {
  return typeof value === "number" ? value.toLocaleString("en-US").replace("∞", "Infinity") : String(value);
}

describe("docs/architecture.md", () => {
  test("prints the table that the layers test reads", () => {
    const section = page.split("\n## The floors\n")[1]?.split("\n## ")[0] ?? "";
    const rows = Array.from(section.matchAll(/^\| (`.*) \|$/gm), ([, row = ""]) =>
      row.split(" | ").map((cell) => cell.trim()),
    );
    expect(rows).toEqual(printedLayers());
  });
});

test.each([
  ["README.md", 200],
  ["docs/architecture.md", 200],
  ["docs/glossary.md", 40],
])("%s has at most %d lines", (path, most) => {
  expect(read(path).trimEnd().split("\n").length).toBeLessThanOrEqual(most);
});

describe("docs/semantics.md", () => {
  test("states the defaults of the limits in time", () => {
    const limits = secondColumn(semantics, "Limits in time");
    const defaults: Readonly<Record<string, unknown>> = {
      ...WORKER_DEFAULTS,
      ...REGISTRATION_DEFAULTS,
      ...EXECUTE_DEFAULTS,
      ...RUNNER_DEFAULTS,
    };
    expect(limits.size).toBeGreaterThan(10);
    expect(Object.fromEntries(limits)).toEqual(
      Object.fromEntries(Array.from(limits.keys(), (name) => [name, written(defaults[name])])),
    );
    expect(RUNNER_DEFAULTS.drainTimeout).toBe(WORKER_DEFAULTS.drainTimeout);
  });

  test("names every state of a session, a job and a worker", () => {
    // Records, so that a new state does not compile until it stands here, and then not pass until it is on the page.
    const sessions: Record<SessionState, true> = {
      connecting: true,
      idle: true,
      busy: true,
      suspect: true,
      draining: true,
      gone: true,
    };
    const jobs: Record<CallState, true> = {
      new: true,
      queued: true,
      prefetched: true,
      running: true,
      backoff: true,
      settled: true,
    };
    const workers: Record<WorkerState, true> = {
      created: true,
      connecting: true,
      registered: true,
      disconnected: true,
      draining: true,
      stopped: true,
    };
    const machines = semantics.split("\n## State machines\n")[1]?.split("\n## ")[0] ?? "";
    const tables = machines.split("\n### ").slice(1);
    const named = tables.map((table) => Array.from(table.matchAll(/^\| `(\w+)` /gm), ([, state = ""]) => state));
    expect(named).toEqual([sessions, jobs, workers].map((states) => Object.keys(states)));
  });
});
