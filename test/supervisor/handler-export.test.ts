import { expect, test } from "vitest";
import { handlerAmong } from "../../src/supervisor/handler-export.ts";

const one = (): string => "one";
const two = (): string => "two";

test.each([
  ["a default export", { default: one }, "default", one],
  ["a named export", { default: one, two }, "two", two],
  ["the default of a compiled module", { default: { __esModule: true, default: one, two } }, "default", one],
  ["a name of a compiled module", { default: { __esModule: true, default: one, two } }, "two", two],
  ["the default of a compiled module without a mark", { default: { default: one } }, "default", one],
  ["a name the host cannot tell from the source", { default: { two } }, "two", two],
  ["a field of an exported function", { default: Object.assign(one, { two }) }, "two", two],
  ["a function that is the export", { default: Object.assign(one, { default: two }) }, "default", one],
])("%s is the handler", (_what, exported, name, handler) => {
  expect(handlerAmong(exported, name, "m.js")).toBe(handler);
});

test.each([
  ["nothing", {}, "default", "m.js has no export `default`; it exports nothing"],
  ["others", { two }, "default", "m.js has no export `default`; it exports: two"],
  [
    "an object without the name",
    { default: { two } },
    "default",
    "the export `default` of m.js is not a function but object",
  ],
  ["what every function has", { default: one }, "call", "m.js has no export `call`; it exports: default"],
  ["null", { default: null }, "default", "the export `default` of m.js is not a function but null"],
  [
    "a text in a compiled module",
    { default: { default: "x" } },
    "default",
    "the export `default` of m.js is not a function but object",
  ],
])("a module with %s is refused", (_what, exported, name, message) => {
  expect(() => handlerAmong(exported, name, "m.js")).toThrow(message);
});
