/** Finds the names of source files that comments and documents speak of, and those that are no files. */
import { basename, posix } from "node:path";

const NAME = /(?<![\w./*-])(?:[\w-]+\/)*[\w-]+(?:\.test)?\.ts\b(?![\w-])/g;

/** The comments of a code file; an address such as `https://…` is none. */
function commentsOf(text: string): string {
  return text.match(/\/\*[\s\S]*?\*\/|(?<![:"'`\w])\/\/.*$/gm)?.join("\n") ?? "";
}

/** The names of files that a code file's comments, or a document outside its code blocks, speak of. */
export function mentionsIn(path: string, text: string): readonly string[] {
  const prose = path.endsWith(".md") ? text.replace(/^ *```[\s\S]*?^ *```/gm, "") : commentsOf(text);
  return prose.match(NAME) ?? [];
}

/** Those that are no files: a bare name of none, or a path that leads to none. */
export function misnamed(
  path: string,
  mentions: readonly string[],
  names: ReadonlySet<string>,
  paths: ReadonlySet<string>,
): readonly string[] {
  const isFile = (name: string): boolean =>
    name.includes("/")
      ? [name, posix.join(posix.dirname(path), name)].some((one) => paths.has(one)) ||
        [...paths].some((one) => one.endsWith(`/${name}`))
      : names.has(basename(name));
  return mentions.filter((name) => !isFile(name)).map((name) => `${path}: ${name}`);
}
