/**
 * `npm run lines`: how many lines of code src/ has without src/testing, by folder. With a commit, what it had then, too:
 * `npm run lines -- HEAD~10`.
 */
import { execFileSync } from "node:child_process";
import { codeLines } from "./code-lines.ts";
import { filesBelow, read, root } from "./package-files.ts";

function isCounted(path: string): boolean {
  return /\.[jt]s$/.test(path) && !path.startsWith("src/testing/");
}

function git(...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
}

/** Lines by folder of src, and of all as `src`. */
function count(paths: readonly string[], text: (path: string) => string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const path of paths.filter(isCounted)) {
    const lines = codeLines(path, text(path));
    const folder = path.split("/").slice(0, -1).slice(0, 2).join("/");
    for (const name of new Set([folder, "src"])) sums.set(name, (sums.get(name) ?? 0) + lines);
  }
  return sums;
}

const now = count([...filesBelow("src", ".ts"), ...filesBelow("src", ".js")], read);
const [commit] = process.argv.slice(2);
if (commit === undefined) console.table(Object.fromEntries(now));
else {
  const paths = git("ls-tree", "-r", "--name-only", commit, "src").trim().split("\n");
  const then = count(paths, (path) => git("show", `${commit}:${path}`));
  const names = [...new Set([...then.keys(), ...now.keys()])].sort();
  const rows = names.map((name) => {
    const [before, after] = [then.get(name) ?? 0, now.get(name) ?? 0];
    return [
      name,
      { [commit]: before, now: after, change: `${(((after - before) / (before || 1)) * 100).toFixed(1)} %` },
    ];
  });
  console.table(Object.fromEntries(rows));
}
