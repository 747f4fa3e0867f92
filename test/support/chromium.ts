/** A real Chromium for test suites, and what they say when there is none. The pages it opens come from page-server.ts. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, test } from "vitest";
import { findChromium, startChromium, WITHOUT_CHROMIUM } from "./chromium-program.ts";

/**
 * A suite with one Chromium, started before its first test and closed after its last: `browser()` is it. Without a Chromium
 * the suite is one skipped test whose name says why, and a line on stderr.
 */
export function describeInChromium(name: string, body: (browser: () => Browser) => void): void {
  const path = findChromium();
  if (path === undefined) sayAndSkip(name);
  else runInChromium(name, path, body);
}

function sayAndSkip(name: string): void {
  process.stderr.write(`in Chromium: ${name}: skipped, ${WITHOUT_CHROMIUM}\n`);
  describe(`in Chromium: ${name}`, () => {
    test(`skipped: ${WITHOUT_CHROMIUM}`, { skip: true }, () => undefined);
  });
}

function runInChromium(name: string, path: string, body: (browser: () => Browser) => void): void {
  describe(`in Chromium: ${name}`, () => {
    let browser: Browser | undefined;
    beforeAll(async () => {
      browser = await startChromium(path);
    });
    afterAll(() => browser?.close());
    body(() => {
      if (browser === undefined) throw new Error("Chromium is there from the suite's first test on, not before");
      return browser;
    });
  });
}
