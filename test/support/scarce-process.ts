/** A process that may open few files: what it runs can take all of them, and give them back. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { root } from "./package-files.ts";

/** Descriptors that the process may have. Enough for Node and a few threads. */
const DESCRIPTORS = 128;

/** `hog()` takes every descriptor, again and again, as what ends gives its own back; `letGo()` gives them back. */
const HOG = `
  import { openSync, closeSync } from "node:fs";
  const taken = [];
  const take = () => {
    try {
      for (;;) taken.push(openSync("/dev/null"));
    } catch (error) {
      if (error.code !== "EMFILE") throw error;
    }
  };
  let taking;
  const hog = () => {
    take();
    taking = setInterval(take, 1);
  };
  const letGo = () => {
    clearInterval(taking);
    for (const descriptor of taken.splice(0)) closeSync(descriptor);
  };
  const until = async (condition) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  const tell = (result) => process.stdout.write(JSON.stringify(result));
`;

/** Starts a script, which may import the package by its name. Only a shell can set the limit. */
export function startScarce(source: string): ChildProcessWithoutNullStreams {
  const command = `ulimit -n ${DESCRIPTORS} && exec "$0" --input-type=module -e "$1"`;
  return spawn("sh", ["-c", command, process.execPath, HOG + source], { cwd: root });
}

/** Runs a script to its end and gives back what it told. Rejects with what it wrote to stderr when it fails. */
export async function runScarce(source: string): Promise<unknown> {
  const child = startScarce(source);
  let [out, err] = ["", ""];
  child.stdout.on("data", (data: Buffer) => (out += data.toString()));
  child.stderr.on("data", (data: Buffer) => (err += data.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error(`it exited with ${String(code)}: ${err}`);
  return JSON.parse(out);
}
