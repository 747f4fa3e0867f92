/**
 * Runs every numbered example, `NN-name/main.js`, one after the other in a process of its own and with its input closed.
 * An example passes when it ends by itself with exit code 0 and, if it has an `expected.txt`, prints exactly that; and its
 * tests, `*.test.js`, if it has any, pass under `node --test`. One that says `open http://…` on stderr is opened in Chromium;
 * one with a page, where there is no Chromium, is skipped, as is one with a `worker.py` where there is no python3, and that is
 * said.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findChromium, startChromium, WITHOUT_CHROMIUM } from "../test/support/chromium-program.ts";

/** How long one example may take, in ms. */
const LIMIT = 30_000;
const here = fileURLToPath(new URL("./", import.meta.url));

/** Opens a page until it is told to close it. */
async function openPage(address) {
  const browser = await startChromium(findChromium());
  const page = await browser.newPage();
  await page.goto(address);
  return browser;
}

/** @returns {Promise<{ code: number | null, stdout: string, stderr: string }>} how the process ended; code null when killed */
function runNode(args, cwd) {
  return new Promise((resolve, reject) => {
    const options = { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT, killSignal: "SIGKILL" };
    const child = spawn(process.execPath, args, options);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
    let browser;
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
      const [, address] = /^open (http:\S+)$/m.exec(stderr) ?? [];
      if (address === undefined || browser !== undefined) return;
      browser = openPage(address);
      browser.catch(() => child.kill("SIGKILL"));
    });
    child.once("error", reject);
    child.once("close", (code) => {
      const ended = () => resolve({ code, stdout, stderr });
      Promise.resolve(browser)
        .then((opened) => opened?.close())
        .then(ended, reject);
    });
  });
}

/** @returns {string | undefined} what is wrong with how a process ended, or `undefined` */
function badEnd({ code, stdout, stderr }) {
  if (code === null) return `did not end within ${LIMIT} ms\n${stdout}${stderr}`;
  return code === 0 ? undefined : `ended with ${code}\n${stdout}${stderr}`;
}

/** @returns {Promise<string | undefined>} what went wrong, or `undefined` */
async function faultOf(name) {
  const folder = join(here, name);
  const run = await runNode(["main.js"], folder);
  const fault = badEnd(run);
  if (fault !== undefined) return fault;
  const promise = join(folder, "expected.txt");
  const expected = existsSync(promise) ? readFileSync(promise, "utf8") : run.stdout;
  if (run.stdout !== expected) return `printed\n${run.stdout}and not\n${expected}`;
  const tests = readdirSync(folder).filter((file) => file.endsWith(".test.js"));
  return tests.length === 0 ? undefined : badEnd(await runNode(["--test", ...tests], folder));
}

/** @returns {string | undefined} what an example needs and is not there */
function missingFor(name) {
  if (existsSync(join(here, name, "index.html")) && findChromium() === undefined) return WITHOUT_CHROMIUM;
  const needsPython = existsSync(join(here, name, "worker.py"));
  const hasPython = () => spawnSync("python3", ["--version"]).status === 0;
  // In CI a skipped example is a failure: it runs, and says itself what is missing.
  if (needsPython && process.env.CI === undefined && !hasPython()) return "there is no python3";
  return undefined;
}

const only = process.argv.slice(2);
const names = readdirSync(here)
  .filter((name) => /^\d\d-/.test(name) && (only.length === 0 || only.includes(name)))
  .sort();
let failed = 0;
let skipped = 0;
for (const name of names) {
  const missing = missingFor(name);
  if (missing !== undefined) {
    console.log(`skipped ${name}: ${missing}`);
    skipped++;
    continue;
  }
  const fault = await faultOf(name);
  if (fault !== undefined) failed++;
  console.log(fault === undefined ? `ok      ${name}` : `FAILED  ${name}: ${fault}`);
}
console.log(`${names.length - failed - skipped} of ${names.length} examples passed`);
process.exitCode = failed > 0 || names.length === 0 ? 1 : 0;
