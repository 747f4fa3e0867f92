/**
 * A real Chromium for tests: where it is, how it is started, and what a suite says when there is none. The pages it opens
 * come from page-server.ts.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, test } from "vitest";

const NAMES: readonly string[] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];

/**
 * No sandbox, as it does not start for root without; and nothing that calls home, as tests run where there is no network.
 */
const FLAGS: readonly string[] = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What a skipped suite says. */
const WITHOUT = "no Chromium: set CHROME_PATH, or install one (Debian: apt-get install chromium)";

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Where Chromium is: `CHROME_PATH`, else the first of its usual names on the `PATH`; undefined when there is none.
 * @throws Error when `CHROME_PATH` is set and leads to nothing: whoever sets it does not want the suite to be skipped.
 */
export function findChromium(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const { CHROME_PATH: given, PATH: path = "" } = env;
  if (given !== undefined && given !== "") {
    if (isProgram(given)) return given;
    throw new Error(`CHROME_PATH is ${given}, which is not a program`);
  }
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

/** Starts it headless, with an empty profile that is gone once it is closed. Whoever starts it closes it. */
export async function startChromium(path: string): Promise<Browser> {
  return await chromium.launch({
    executablePath: path,
    args: [...FLAGS],
    // The tests own the process: they close the browser themselves.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}

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
  process.stderr.write(`in Chromium: ${name}: skipped, ${WITHOUT}\n`);
  describe(`in Chromium: ${name}`, () => {
    test(`skipped: ${WITHOUT}`, { skip: true }, () => undefined);
  });
}

function runInChromium(name: string, path: string, body: (browser: () => Browser) => void): void {
  describe(`in Chromium: ${name}`, () => {
    let browser: Browser | undefined;
    beforeAll(async () => {
      browser = await startChromium(path);
    }, 60_000);
    afterAll(() => browser?.close(), 60_000);
    body(() => {
      if (browser === undefined) throw new Error("Chromium is there from the suite's first test on, not before");
      return browser;
    });
  });
}
