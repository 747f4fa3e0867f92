/** The options of webWorkers, which need no browser, and what its functions say where there is none. */
import { expect, test } from "vitest";
import { serve } from "../../src/web-workers/serve.ts";
import { WEB_WORKERS_DEFAULTS, webWorkers, type WebWorkersOptions } from "../../src/web-workers/index.ts";
import { THREADS_DEFAULTS } from "../../src/threads/index.ts";

const SCRIPT = "https://a.example/w.js";

test("the defaults are those of threads, but for the name", () => {
  expect(WEB_WORKERS_DEFAULTS).toEqual({ ...THREADS_DEFAULTS, name: "web-worker" });
});

test("the address says what there is", () => {
  expect(webWorkers(SCRIPT, { size: 2 }).address).toBe(`2 web workers of ${SCRIPT}`);
  expect(webWorkers(new URL(SCRIPT), { size: 1 }).address).toBe(`1 web worker of ${SCRIPT}`);
  expect(webWorkers(() => expect.unreachable(), { size: 1 }).address).toBe("1 web worker");
});

test.each([
  [{ size: 0 }, RangeError, "`size`"],
  [{ size: 513 }, RangeError, "`size`"],
  [{ capacity: 0 }, RangeError, "`capacity`"],
  [{ name: "no spaces" }, TypeError, "`name`"],
  [{ labels: ["<b>"] }, TypeError, "`labels`"],
  [{ maxJobs: 0.5 }, RangeError, "`maxJobs`"],
  [{ script: "" }, TypeError, "`script`"],
  [{ script: "./relative.js" }, TypeError, "`script` is not a URL"],
  [{ workerData: 1 }, TypeError, "unknown option `workerData`"],
])("%j is refused", (options, kind, words) => {
  const wrong = (): unknown => webWorkers(SCRIPT, options as WebWorkersOptions);
  expect(wrong).toThrow(kind);
  expect(wrong).toThrow(words);
});

test.each([[""], [undefined], [5], [null]])("%j is no module", (module) => {
  expect(() => webWorkers(module as string)).toThrow(
    "webWorkers: expected the URL of a module, or a function that returns a new Web Worker",
  );
});

test("a module's text is relative to a page, and there is none here", () => {
  expect(() => webWorkers("./w.js")).toThrow("webWorkers: `module` is not a URL: ./w.js");
});

test("serve is for the script of a Web Worker", () => {
  expect(() => serve((job) => job.data)).toThrow("serve: this is not a Web Worker");
  expect(() => serve({} as never)).toThrow(TypeError);
});
