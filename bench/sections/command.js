/** `powerhose run` over a file of a million lines: how fast from end to end, and whether its memory stays where it was. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "../median.js";
import { shortRate, table } from "../table.js";

/** @typedef {{ name: string, lines: number, rate: number, seconds: number, peak: number }} Run - `peak` in MiB. */

const COMMAND = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const HANDLER = fileURLToPath(new URL("../contestants/echo.js", import.meta.url));
const PEAK = new URL("../peak-memory.js", import.meta.url).href;
/** How the command is run. */
export const WAYS = [
  { name: "powerhose run echo.js", args: [] },
  { name: "powerhose run echo.js --capacity 256", args: ["--capacity", "256"] },
];

/**
 * @param {string} file
 * @param {number} lines
 */
async function writeLines(file, lines) {
  const stream = createWriteStream(file);
  for (let from = 0; from < lines; from += 10_000) {
    const some = Array.from(
      { length: Math.min(10_000, lines - from) },
      (_, index) => `${from + index} a job in a line\n`,
    );
    if (!stream.write(some.join(""))) await once(stream, "drain");
  }
  stream.end();
  await once(stream, "finish");
}

/**
 * @param {readonly string[]} args
 * @param {string} input
 * @param {string} output
 */
async function runOnce(args, input, output) {
  const into = await open(output, "w");
  const start = performance.now();
  const child = spawn(process.execPath, ["--import", PEAK, COMMAND, "run", HANDLER, input, ...args, "--quiet"], {
    stdio: ["ignore", into.fd, "inherit", "pipe"],
  });
  let peak = "";
  child.stdio[3]?.on("data", (chunk) => (peak += String(chunk)));
  const [code] = await once(child, "close");
  const seconds = (performance.now() - start) / 1_000;
  await into.close();
  if (code !== 0) throw new Error(`powerhose run ended with ${code}`);
  // An echo in input order: anything else is no measurement.
  if (!(await readFile(output)).equals(await readFile(input))) throw new Error("powerhose run printed something else");
  return { seconds, peak: Number(peak) / 1024 };
}

/** @type {import("./section.js").Section} */
export const command = {
  name: "command",
  group: "command",
  title: "The command, a million jobs",
  about:
    "From a file into a file, in input order, as many threads as there are cores; from the start of the process to its end. The peak is the most memory the process ever had (RSS), all of its threads included.",
  rounds: ({ quick }) => (quick ? 1 : 3),
  async run({ quick, rounds }) {
    const folder = await mkdtemp(join(tmpdir(), "powerhose-bench-"));
    /** @type {Run[]} */
    const runs = [];
    try {
      for (const lines of quick ? [10_000, 100_000] : [100_000, 1_000_000]) {
        const input = join(folder, "lines");
        await writeLines(input, lines);
        for (const { name, args } of WAYS) {
          const tries = [];
          for (let round = 0; round < rounds; round++) tries.push(await runOnce(args, input, join(folder, "results")));
          const seconds = median(tries.map((one) => one.seconds));
          runs.push({ name, lines, seconds, rate: lines / seconds, peak: median(tries.map((one) => one.peak)) });
        }
      }
    } finally {
      await rm(folder, { recursive: true });
    }
    return { runs };
  },
  text({ runs }) {
    const rows = runs.map((/** @type {Run} */ { name, lines, seconds, rate, peak }) => [
      `\`${name}\``,
      lines.toLocaleString("en"),
      seconds.toFixed(1),
      shortRate(rate),
      peak.toFixed(0),
    ]);
    return table(["", "lines:", "seconds:", "jobs/s:", "peak MiB:"], rows);
  },
};
