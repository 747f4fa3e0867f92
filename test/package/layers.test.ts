import { describe, expect, test } from "vitest";
import { breaches, cycles, reach, type Sources } from "../support/import-graph.ts";
import { doors, textsBelow } from "../support/package-files.ts";

const sources: Sources = textsBelow("src", ".ts");
const publicFiles: readonly string[] = doors().map((door) => door.source);
const transports = publicFiles.filter((file) => file.startsWith("src/transports/"));
/** Everything but what says it is for Node. */
const browserEntries: readonly string[] = [
  "src/index.ts",
  "src/browser/index.ts",
  "src/browser/socket-entry.ts",
  "src/browser/handler-entry.ts",
  "src/testing/index.ts",
  ...transports.filter((file) => !file.includes("-node")),
];

const isNodeOnly = (name: string): boolean => name === "ws" || name.startsWith("node:");

describe("the house", () => {
  test("imports point inward", () => {
    expect(sources.size).toBeGreaterThan(0);
    expect(breaches(sources, { publicFiles })).toEqual([]);
  });

  test("no import cycle", () => {
    expect(cycles(sources)).toEqual([]);
  });

  test("the browser entry points are those the package says run anywhere", () => {
    expect(browserEntries).toEqual([
      "src/index.ts",
      "src/browser/index.ts",
      "src/browser/socket-entry.ts",
      "src/browser/handler-entry.ts",
      "src/testing/index.ts",
      "src/transports/memory.ts",
      "src/transports/message-port.ts",
      "src/transports/websocket.ts",
    ]);
  });

  test.each(browserEntries)("%s reaches nothing of Node", (entry) => {
    const reached = [...reach(sources, entry)];
    expect(reached).not.toEqual([]);
    // What a handler's Web Worker imports besides is the user's module.
    const own = reached.filter((name) => entry !== "src/browser/handler-entry.ts" || name !== "(computed)");
    expect(own.filter((name) => isNodeOnly(name) || !name.startsWith("src/"))).toEqual([]);
  });
});

/** A small house in order, into which the tests below plant one breach each. */
const sound: Readonly<Record<string, string>> = {
  "src/index.ts": `export { a } from "./core/a.ts";`,
  "src/core/a.ts": `import type { Socket } from "./socket.ts"; export const a = 1;`,
  "src/core/socket.ts": `export interface Socket {}`,
  "src/transports/memory.ts": `import { type Socket } from "../core/socket.ts";`,
  "src/transports/message-port.ts": `import type { Socket } from "../core/socket.ts";`,
  "src/transports/websocket.ts": `import { frame } from "./websocket-frame.ts";`,
  "src/transports/websocket-frame.ts": `import type { Socket } from "../core/socket.ts"; export const frame = 1;`,
  "src/transports/websocket-node.ts": `import "ws"; import "node:http"; import { frame } from "./websocket-frame.ts"; import "./websocket-auth.ts";`,
  "src/transports/websocket-auth.ts": `import "node:crypto"; import "./websocket.ts";`,
  "src/threads/index.ts": `import { a } from "../index.ts"; import "../transports/message-port.ts"; import type { Socket } from "../core/socket.ts"; import "node:worker_threads"; import "./pool.ts";`,
  "src/threads/pool.ts": `import "../crew/crew.ts";`,
  "src/crew/crew.ts": `import { a } from "../index.ts"; import "../transports/message-port.ts"; import "../core/clock.ts";`,
  "src/core/clock.ts": ``,
  "src/browser/index.ts": `import "../crew/crew.ts"; import "../transports/websocket.ts"; import "../index.ts"; await import(module);`,
  "src/testing/index.ts": `import { a } from "../core/a.ts"; import "../index.ts";`,
  "src/cli/main.ts": `import "../index.ts"; import "../threads/index.ts"; import "../transports/websocket-node.ts"; import "./flags.ts"; import "node:fs";`,
  "src/cli/flags.ts": ``,
};

function house(changes: Readonly<Record<string, string>> = {}): Sources {
  return new Map(Object.entries({ ...sound, ...changes }));
}

describe("the guard itself", () => {
  test("finds nothing where nothing is wrong", () => {
    expect(breaches(house(), { publicFiles })).toEqual([]);
    expect(cycles(house())).toEqual([]);
  });

  test.each([
    ["src/core/a.ts", `import "../transports/memory.ts";`, "src/core/a.ts imports src/transports/memory.ts"],
    ["src/core/a.ts", `import "node:net";`, "src/core/a.ts imports node:net"],
    ["src/core/a.ts", `import type { Socket } from "node:net";`, "src/core/a.ts imports node:net (types)"],
    ["src/core/a.ts", `let s: import("ws").WebSocket;`, "src/core/a.ts imports ws (types)"],
    ["src/core/a.ts", `await import("ws");`, "src/core/a.ts imports ws"],
    ["src/core/a.ts", `await import(where);`, "src/core/a.ts imports (computed)"],
    ["src/core/a.ts", `import "./gone.ts";`, "src/core/a.ts imports src/core/gone.ts, which does not exist"],
    ["src/core/a.ts", `export * from "../index.ts";`, "src/core/a.ts imports src/index.ts"],
    ["src/index.ts", `export * from "./transports/memory.ts";`, "src/index.ts imports src/transports/memory.ts"],
    ["src/transports/memory.ts", `import "../core/a.ts";`, "src/transports/memory.ts imports src/core/a.ts"],
    [
      "src/transports/memory.ts",
      `import type { A } from "../index.ts";`,
      "src/transports/memory.ts imports src/index.ts (types)",
    ],
    [
      "src/transports/memory.ts",
      `import "./websocket.ts";`,
      "src/transports/memory.ts imports src/transports/websocket.ts",
    ],
    ["src/transports/memory.ts", `import "node:net";`, "src/transports/memory.ts imports node:net"],
    ["src/transports/message-port.ts", `import "ws";`, "src/transports/message-port.ts imports ws"],
    ["src/transports/websocket.ts", `import "ws";`, "src/transports/websocket.ts imports ws"],
    ["src/transports/websocket.ts", `import "./websocket-node.ts";`, "src/transports/websocket-node.ts imports ws"],
    [
      "src/transports/websocket-frame.ts",
      `import "./websocket-auth.ts";`,
      "src/transports/websocket-auth.ts imports node:crypto",
    ],
    [
      "src/transports/websocket-node.ts",
      `import "./memory.ts";`,
      "src/transports/websocket-node.ts imports src/transports/memory.ts",
    ],
    ["src/threads/pool.ts", `import { a } from "../core/a.ts";`, "src/threads/pool.ts imports src/core/a.ts"],
    [
      "src/threads/pool.ts",
      `import "../transports/memory.ts";`,
      "src/threads/pool.ts imports src/transports/memory.ts",
    ],
    ["src/threads/pool.ts", `import "ws";`, "src/threads/pool.ts imports ws"],
    ["src/crew/crew.ts", `import "node:os";`, "src/crew/crew.ts imports node:os"],
    ["src/crew/crew.ts", `import "../threads/pool.ts";`, "src/crew/crew.ts imports src/threads/pool.ts"],
    ["src/browser/index.ts", `import "node:os";`, "src/browser/index.ts imports node:os"],
    ["src/browser/index.ts", `import "../threads/pool.ts";`, "src/browser/index.ts imports src/threads/pool.ts"],
    [
      "src/browser/index.ts",
      `import "../transports/websocket-node.ts";`,
      "src/browser/index.ts imports src/transports/websocket-node.ts",
    ],
    [
      "src/testing/index.ts",
      `import "../transports/memory.ts";`,
      "src/testing/index.ts imports src/transports/memory.ts",
    ],
    ["src/testing/index.ts", `import "node:events";`, "src/testing/index.ts imports node:events"],
    ["src/cli/main.ts", `import type { A } from "../core/a.ts";`, "src/cli/main.ts imports src/core/a.ts (types)"],
    ["src/cli/main.ts", `import "../threads/pool.ts";`, "src/cli/main.ts imports src/threads/pool.ts"],
    ["src/attic/old.ts", ``, "src/attic/old.ts: no rule for it"],
  ])("finds a breach planted in %s: %s", (path, text, breach) => {
    expect(breaches(house({ [path]: text }), { publicFiles })).toContain(breach);
  });

  test("finds a cycle, of types too", () => {
    const back = `import { a } from "./a.ts"; export interface Socket {}`;
    const types = `import type { a } from "./a.ts"; export interface Socket {}`;
    const forth = `import { x } from "./socket.ts"; export const a = 1;`;
    expect(cycles(house({ "src/core/a.ts": forth, "src/core/socket.ts": back }))).toEqual([
      "src/core/a.ts > src/core/socket.ts > src/core/a.ts",
    ]);
    expect(cycles(house({ "src/core/a.ts": forth, "src/core/socket.ts": types }))).toEqual([
      "src/core/a.ts > src/core/socket.ts > src/core/a.ts",
    ]);
  });

  test("sees Node through two files", () => {
    const reached = reach(
      house({ "src/transports/websocket-frame.ts": `import "node:zlib";` }),
      "src/transports/websocket.ts",
    );
    expect([...reached].filter(isNodeOnly)).toEqual(["node:zlib"]);
  });
});
