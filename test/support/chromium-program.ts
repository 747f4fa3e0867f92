/** Chromium as a program: where it is, and how it is started. What tests do with it is in chromium.ts. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/** The reason of a skip when there is none. */
export const WITHOUT_CHROMIUM = "no Chromium: set CHROME_PATH, or install one (Debian: apt-get install chromium)";

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

/** Tabs are throttled in the background, as they are at a user's. */
const TOO_KIND: readonly string[] = [
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
];

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
 * @throws Error when `CHROME_PATH` is set and leads to nothing: setting it means that the suite must not be skipped.
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

/** Starts it headless, with an empty profile that is gone once it is closed. The caller closes it. */
export async function startChromium(path: string): Promise<Browser> {
  return await chromium.launch({
    executablePath: path,
    args: [...FLAGS],
    ignoreDefaultArgs: [...TOO_KIND],
    // The tests own the process: they close the browser themselves.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}
