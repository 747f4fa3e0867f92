import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { PROOFS } from "../../../src/testing/invariants/checkers.ts";
import { RULES } from "./stories.ts";
import { told } from "./story.ts";

const FOLDER = new URL("../../../src/testing/invariants/", import.meta.url);

describe.each(RULES.map((rule) => [`${rule.promise}: ${rule.rule}`, rule] as const))("%s", (_name, rule) => {
  it("is not spoken of while it is kept", () => {
    expect(told(rule.kept).said).toEqual([]);
  });

  it("is named when it is broken", () => {
    const { broken, said } = told(rule.broken);
    expect(broken, said.join("\n")).toEqual([rule.promise]);
  });
});

describe("the table of proofs", () => {
  /** As docs/testing.md lists them. */
  const page = readFileSync(new URL("../../../docs/testing.md", import.meta.url), "utf8");
  const names = Array.from(page.matchAll(/^\| `([a-z-]+)` +\| [^|]+ \| [^|]+ \|$/gm), ([, name = ""]) => name).filter(
    (name) => name in PROOFS,
  );

  it("has every promise, with a checker or with a reason", () => {
    expect(Object.keys(PROOFS)).toEqual(names);
    for (const [name, { checkers, elsewhere }] of Object.entries(PROOFS))
      expect(checkers.length > 0 || elsewhere !== undefined, name).toBe(true);
  });

  it("has a story for each promise that has a checker", () => {
    const withStory = names.filter((name) => RULES.some(({ promise }) => promise === name));
    const withChecker = names.filter((name) => (PROOFS[name]?.checkers.length ?? 0) > 0);
    expect(withStory).toEqual(withChecker);
  });

  it("names the files that speak of each promise, and no others", () => {
    const found = new Map<string, string[]>(names.map((name) => [name, []]));
    for (const file of readdirSync(FOLDER)) {
      if (file === "checkers.ts") continue;
      const text = readFileSync(new URL(file, FOLDER), "utf8");
      for (const [, name] of text.matchAll(/"([a-z]+(?:-[a-z]+)*)"/g)) {
        const files = found.get(name ?? "");
        const checker = file.replace(/\.ts$/, "");
        if (files !== undefined && !files.includes(checker)) files.push(checker);
      }
    }
    for (const [name, files] of found) expect(files.sort(), name).toEqual([...(PROOFS[name]?.checkers ?? [])].sort());
  });
});
