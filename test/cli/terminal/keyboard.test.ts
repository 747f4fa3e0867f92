/** What a person sees in a terminal who has named no input: the command is waiting for the keyboard, and not at work. */
import { spawn, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { jobs } from "../child.ts";
import { join } from "node:path";
import { root } from "../../support/package-files.ts";

const main = join(root, "dist/cli/main.js");
const hasScript = spawnSync("script", ["--version"]).status === 0;

test.skipIf(!hasScript)("a terminal without input is told that the keyboard is read", async () => {
  const command = `"${process.execPath}" "${main}" run -w 1 "${jobs()}"`;
  const child = spawn("script", ["-qec", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  let seen = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    seen += text;
    if (seen.includes("Ctrl-D") && !seen.includes("1!")) child.stdin.write("1\n\u0004");
  });
  const code = await new Promise((resolve) => void child.once("close", resolve));
  expect(seen).toContain("powerhose: reads jobs from the keyboard, one a line; Ctrl-D on an empty line ends them");
  expect(seen).toContain("1!");
  expect(code).toBe(0);
});
