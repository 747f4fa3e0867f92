/**
 * Prints `PASSED FAILED` for one run of vitest: `count-tests.js NAME REPORT EXIT_CODE`, the report being that of its JSON
 * reporter. A skipped test counts as failed, and so does a file that did not load; each is named on stderr. A run that
 * failed in another way counts as one failure.
 */
import { readFileSync } from "node:fs";

const [name, file, code] = process.argv.slice(2);

function read() {
  try {
    return JSON.parse(readFileSync(file, "utf8")).testResults;
  } catch (error) {
    console.error(`== ${name}: no report: ${error.message}`);
    return [];
  }
}

const files = read();
const all = files.flatMap((one) => one.assertionResults.map((test) => ({ ...test, path: one.name })));
const passed = all.filter(({ status }) => status === "passed");
const skipped = all.filter(({ status }) => status !== "passed" && status !== "failed");
const unloaded = files.filter(
  (one) => one.status === "failed" && !one.assertionResults.some((test) => test.status === "failed"),
);
for (const { path, fullName, status } of skipped)
  console.error(`== ${name}: ${status}, so FAILED: ${path}: ${fullName}`);
for (const { name: path, message } of unloaded) console.error(`== ${name}: FAILED: ${path}: ${message}`);

let failed = all.length - passed.length + unloaded.length;
if (failed === 0 && (code !== "0" || passed.length === 0)) failed = 1;
console.log(`${passed.length} ${failed}`);
