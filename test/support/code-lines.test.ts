import { expect, test } from "vitest";
import { codeLines } from "./code-lines.ts";

test.each([
  ["", 0],
  ["\n\n", 0],
  ["// words\n/* more\n   words */\n/** and\n * more */\n", 0],
  ["const a = 1; // with words\n", 1],
  ["/** Why. */\nconst a = [\n\n  1, // one\n  // none\n];\n", 3],
  ["const a = `one\n\n// two ${1}\nthree`;\nconst b = /\\/\\//;", 4],
  ["#!/usr/bin/env node\nrun();", 1],
  ["/** Words. */\nfunction f(): void {\n  /** Words. */\n  const a = { b: 1 };\n}\n// the end", 3],
])("%j has %i lines of code", (text, lines) => {
  expect(codeLines("a.ts", text)).toBe(lines);
});
