/**
 * Runs every numbered example, `NN-name/main.js`, one after the other in a process of its own and with its input closed.
 * An example passes when it ends by itself with exit code 0 and, if it has an `expected.txt`, prints exactly that.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How long one example may take, in ms. */
const LIMIT = 30_000;
const here = fileURLToPath(new URL(".", import.meta.url));

/** @returns {Promise<{ code: number | null, stdout: string, stderr: string }>} how the process ended; code null when killed */
function runNode(script, cwd) {
  return new Promise((resolve, reject) => {
    const options = { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT, killSignal: "SIGKILL" };
    const child = spawn(process.execPath, [script], options);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** @returns {Promise<string | undefined>} what went wrong, or `undefined` */
async function faultOf(name) {
  const folder = join(here, name);
  const { code, stdout, stderr } = await runNode("main.js", folder);
  if (code === null) return `did not end within ${LIMIT} ms\n${stdout}${stderr}`;
  if (code !== 0) return `ended with ${code}\n${stdout}${stderr}`;
  const promise = join(folder, "expected.txt");
  if (!existsSync(promise)) return undefined;
  const expected = readFileSync(promise, "utf8");
  return stdout === expected ? undefined : `printed\n${stdout}and not\n${expected}`;
}

const only = process.argv.slice(2);
const names = readdirSync(here)
  .filter((name) => /^\d\d-/.test(name) && (only.length === 0 || only.includes(name)))
  .sort();
let failed = 0;
for (const name of names) {
  const fault = await faultOf(name);
  if (fault !== undefined) failed++;
  console.log(fault === undefined ? `ok      ${name}` : `FAILED  ${name}: ${fault}`);
}
console.log(`${names.length - failed} of ${names.length} examples passed`);
process.exitCode = failed > 0 || names.length === 0 ? 1 : 0;
