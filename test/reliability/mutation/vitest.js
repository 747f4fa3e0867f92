/**
 * The part of vitest's API that the tests of the core use, without vitest: tests are written down and run by runner.js in
 * the process they were loaded in, thousands of times. The assertions are vitest's own.
 */
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  customMatchers,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from "@vitest/expect";
import { spyOn } from "@vitest/spy";
import * as chai from "chai";

/** Wall-clock comparisons say nothing about code that counts its own steps. */
const TIMED = /^grows no faster/;

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** vitest's `expect`. */
export const expect = Object.assign((value, message) => chai.expect(value, message), chai.expect);
Object.assign(expect, globalThis[ASYMMETRIC_MATCHERS_OBJECT]);
setState({ assertionCalls: 0, isExpectingAssertions: false, expectedAssertionsNumber: null }, expect);
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, writable: true, configurable: true });
expect.extend = (matchers) => chai.expect.extend(expect, matchers);
expect.extend(customMatchers);

/** Spies, vitest's own. */
export const vi = { spyOn };

/** Checks of types are the compiler's. */
export function expectTypeOf() {
  const anything = new Proxy(() => anything, { get: () => anything });
  return anything;
}

let file = "";
let titles = [];
let tests = [];

/** What a test file writes down while `load` imports it: `{ id, fileName, name, run }` for each test. */
export async function collect(fileName, load) {
  file = fileName;
  titles = [];
  tests = [];
  await load();
  return tests;
}

function add(title, ...rest) {
  const run = rest.find((part) => typeof part === "function");
  const name = [...titles, title].join(" > ");
  if (run === undefined || TIMED.test(title)) return;
  const same = tests.filter((test) => test.name === name).length;
  tests.push({ id: `${file}#${name}${same > 0 ? ` (${same + 1})` : ""}`, fileName: file, name, run });
}

function group(title, body) {
  titles.push(title);
  body();
  titles.pop();
}

/** `%s` and `$key` are left as they are: the number tells the rows apart. */
const each =
  (one) =>
  (table) =>
  (title, ...rest) => {
    for (const [index, row] of table.entries()) {
      const parts = rest.map((part) => {
        if (typeof part !== "function") return part;
        return Array.isArray(row) ? () => part(...row) : () => part(row);
      });
      one(`${title} [${index}]`, ...parts);
    }
  };

/** One test. */
export const it = Object.assign(add, { each: each(add) });
/** The same. */
export const test = it;
/** Tests that belong together. */
export const describe = Object.assign(group, { each: each(group) });
