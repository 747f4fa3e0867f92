import { describe, expect, test } from "vitest";
import { cycles, reach, type Sources } from "../support/import-graph.ts";
import { breaches, folderCycles, LAYERS, layerOf } from "../support/layers.ts";
import { doors, textsBelow } from "../support/package-files.ts";

const sources: Sources = textsBelow("src", ".ts");
const transports = doors()
  .map((door) => door.source)
  .filter((file) => file.startsWith("src/transports/"));
/** Everything but what says it is for Node. */
const browserEntries: readonly string[] = [
  "src/index.ts",
  "src/browser/index.ts",
  "src/browser/socket-entry.ts",
  "src/web-workers/index.ts",
  "src/web-workers/serve.ts",
  "src/web-workers/entry.ts",
  "src/testing/index.ts",
  ...transports.filter((file) => !file.includes("/node/")),
];

const isNodeOnly = (name: string): boolean => name === "ws" || name.startsWith("node:");

describe("the layers of src", () => {
  test("imports, those of types included, follow the table", () => {
    expect(sources.size).toBeGreaterThan(0);
    expect(breaches(sources)).toEqual([]);
  });

  test("no circle of files", () => {
    expect(cycles(sources)).toEqual([]);
  });

  test("no circle of folders: every arrow points down", () => {
    expect(folderCycles(sources)).toEqual([]);
  });

  test("every row of the table has files", () => {
    const used = LAYERS.filter(({ folder }) => [...sources.keys()].some((path) => layerOf(path)?.folder === folder));
    expect(used).toEqual(LAYERS);
  });

  test("the browser entry points are those the package says run anywhere", () => {
    expect(browserEntries).toEqual([
      "src/index.ts",
      "src/browser/index.ts",
      "src/browser/socket-entry.ts",
      "src/web-workers/index.ts",
      "src/web-workers/serve.ts",
      "src/web-workers/entry.ts",
      "src/testing/index.ts",
      "src/transports/memory.ts",
      "src/transports/message-port.ts",
      "src/transports/websocket/index.ts",
      "src/transports/nats/index.ts",
    ]);
  });

  test.each(browserEntries)("%s reaches nothing of Node", (entry) => {
    const reached = [...reach(sources, entry)];
    expect(reached).not.toEqual([]);
    // What a handler's Web Worker imports besides is the user's module.
    const own = reached.filter((name) => entry !== "src/web-workers/entry.ts" || name !== "(computed)");
    expect(own.filter((name) => isNodeOnly(name) || !name.startsWith("src/"))).toEqual([]);
  });
});

/** A small package in order, into which the tests below plant one breach each. */
const sound: Readonly<Record<string, string>> = {
  "src/index.ts": `export { a } from "./core/runner/a.ts";`,
  "src/core/runner/a.ts": `import type { Socket } from "../transport/socket.ts"; export const a = 1;`,
  "src/core/transport/socket.ts": `export interface Socket {}`,
  "src/core/transport/principal.ts": ``,
  "src/core/time/clock.ts": ``,
  "src/transports/memory.ts": `import { type Socket } from "../core/transport/socket.ts";`,
  "src/transports/message-port.ts": `import type { Socket } from "../core/transport/socket.ts";`,
  "src/transports/websocket/index.ts": `import { frame } from "./frame.ts";`,
  "src/transports/websocket/frame.ts": `import type { Socket } from "../../core/transport/socket.ts"; export const frame = 1;`,
  "src/transports/websocket/node/index.ts": `import "ws"; import "node:http"; import { frame } from "../frame.ts"; import "./admission.ts";`,
  "src/transports/websocket/node/admission.ts": `import "node:crypto"; import "../index.ts";`,
  "src/threads/index.ts": `import { a } from "../index.ts"; import type { Socket } from "../core/transport/socket.ts"; import "node:worker_threads"; import "./pool.ts";`,
  "src/threads/pool.ts": `import "../supervisor/thread-pool.ts";`,
  "src/supervisor/thread-pool.ts": `import { a } from "../index.ts"; import "../transports/message-port.ts"; import "../core/time/clock.ts";`,
  "src/browser/index.ts": `import "../supervisor/thread-pool.ts"; import "../transports/websocket/index.ts"; import "../index.ts"; await import(module);`,
  "src/testing/index.ts": `import type { a } from "../core/runner/a.ts"; import "./network/network.ts";`,
  "src/testing/network/network.ts": `import "../../core/transport/socket.ts";`,
  "src/cli/main.ts": `import "./run/run.ts"; import "node:fs";`,
  "src/cli/run/run.ts": `import "../../index.ts"; import "../../transports/websocket/node/index.ts"; import "../terminal/flags.ts";`,
  "src/cli/terminal/flags.ts": ``,
};

function planted(changes: Readonly<Record<string, string>> = {}): Sources {
  return new Map(Object.entries({ ...sound, ...changes }));
}

describe("the guard itself", () => {
  test("finds nothing where nothing is wrong", () => {
    expect(breaches(planted())).toEqual([]);
    expect(cycles(planted())).toEqual([]);
    expect(folderCycles(planted())).toEqual([]);
  });

  test.each([
    ["src/core/runner/a.ts", `import "../../transports/memory.ts";`, "src/transports/memory.ts"],
    ["src/core/runner/a.ts", `import "node:net";`, "node:net"],
    ["src/core/runner/a.ts", `import type { Socket } from "node:net";`, "node:net (types)"],
    ["src/core/runner/a.ts", `let s: import("ws").WebSocket;`, "ws (types)"],
    ["src/core/runner/a.ts", `await import("ws");`, "ws"],
    ["src/core/runner/a.ts", `await import(where);`, "(computed)"],
    ["src/core/runner/a.ts", `import "./gone.ts";`, "src/core/runner/gone.ts, which does not exist"],
    ["src/core/runner/a.ts", `export * from "../../index.ts";`, "src/index.ts"],
    ["src/core/transport/socket.ts", `import type { a } from "../runner/a.ts";`, "src/core/runner/a.ts (types)"],
    ["src/core/time/clock.ts", `import "../transport/socket.ts";`, "src/core/transport/socket.ts"],
    ["src/index.ts", `export * from "./transports/memory.ts";`, "src/transports/memory.ts"],
    ["src/transports/memory.ts", `import "../core/runner/a.ts";`, "src/core/runner/a.ts"],
    ["src/transports/memory.ts", `import type { A } from "../index.ts";`, "src/index.ts (types)"],
    ["src/transports/memory.ts", `import "./websocket/index.ts";`, "src/transports/websocket/index.ts"],
    ["src/transports/memory.ts", `import "node:net";`, "node:net"],
    ["src/transports/message-port.ts", `import "ws";`, "ws"],
    ["src/transports/websocket/index.ts", `import "ws";`, "ws"],
    ["src/transports/websocket/index.ts", `import "./node/index.ts";`, "src/transports/websocket/node/index.ts"],
    ["src/transports/websocket/node/index.ts", `import "../../memory.ts";`, "src/transports/memory.ts"],
    ["src/threads/pool.ts", `import { a } from "../core/runner/a.ts";`, "src/core/runner/a.ts"],
    ["src/threads/pool.ts", `import "../transports/memory.ts";`, "src/transports/memory.ts"],
    ["src/threads/pool.ts", `import "ws";`, "ws"],
    ["src/supervisor/thread-pool.ts", `import "node:os";`, "node:os"],
    ["src/supervisor/thread-pool.ts", `import "../threads/pool.ts";`, "src/threads/pool.ts"],
    ["src/browser/index.ts", `import "node:os";`, "node:os"],
    ["src/browser/index.ts", `import "../threads/pool.ts";`, "src/threads/pool.ts"],
    [
      "src/browser/index.ts",
      `import "../transports/websocket/node/index.ts";`,
      "src/transports/websocket/node/index.ts",
    ],
    ["src/testing/index.ts", `import "../transports/memory.ts";`, "src/transports/memory.ts"],
    ["src/testing/network/network.ts", `import "node:events";`, "node:events"],
    ["src/cli/main.ts", `import type { A } from "../core/runner/a.ts";`, "src/core/runner/a.ts (types)"],
    ["src/cli/run/run.ts", `import "../../threads/pool.ts";`, "src/threads/pool.ts"],
  ])("finds a breach planted in %s: %s", (path, text, to) => {
    expect(breaches(planted({ [path]: text }))).toContain(`${path} imports ${to}`);
  });

  test("finds a file that no row holds", () => {
    expect(breaches(planted({ "src/attic/old.ts": "" }))).toEqual(["src/attic/old.ts: no rule for it"]);
  });

  test("finds a circle, of types too", () => {
    const back = `import { a } from "../runner/a.ts"; export interface Socket {}`;
    const types = `import type { a } from "../runner/a.ts"; export interface Socket {}`;
    for (const text of [back, types]) {
      const circle = planted({ "src/core/transport/socket.ts": text });
      expect(cycles(circle)).toEqual(["src/core/runner/a.ts > src/core/transport/socket.ts > src/core/runner/a.ts"]);
      expect(folderCycles(circle)).toEqual(["src/core/runner > src/core/transport > src/core/runner"]);
    }
  });

  test("sees Node through two files", () => {
    const reached = reach(
      planted({ "src/transports/websocket/frame.ts": `import "node:zlib";` }),
      "src/transports/websocket/index.ts",
    );
    expect([...reached].filter(isNodeOnly)).toEqual(["node:zlib"]);
  });
});
