/** The long run itself needs a download; here is what can break it unseen until then, and how its report is read. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { filesBelow } from "../support/package-files.ts";
import { type Equivalent, judged, scores, WANTED } from "./mutation/report.ts";
import { mutation } from "./mutation.ts";

function mutants(counts: Readonly<Record<string, number>>) {
  const location = { start: { line: 1 } };
  const all = Object.entries(counts).flatMap(([status, count]) =>
    Array.from({ length: count }, () => ({ status, location, replacement: "true" })),
  );
  return { source: "\tif (busy) wait();\n", mutants: all };
}

describe("a report of Stryker's", () => {
  const files = {
    "src/core/b.ts": mutants({ Killed: 5, Timeout: 1, Survived: 2, NoCoverage: 3, Ignored: 7, RuntimeError: 1 }),
    "src/core/types.ts": mutants({ Ignored: 2 }),
    "src/core/a.ts": mutants({ Killed: 1 }),
  };

  it("is read as caught and missed; the rest does not count", () => {
    expect(scores({ files }, [])).toEqual([
      { file: "src/core/b.ts", caught: 6, mutants: 11, equivalent: 0 },
      { file: "src/core/a.ts", caught: 1, mutants: 1, equivalent: 0 },
    ]);
  });

  it("is read without what makes no difference, if it was not caught", () => {
    const known = { file: "src/core/b.ts", line: "if (busy) wait();", to: ["false", "true"], why: "Saves work." };
    const missed = (over: object): number[] => scores({ files }, [{ ...known, ...over }]).map((score) => score.mutants);
    expect(scores({ files }, [known])[0]).toEqual({ file: "src/core/b.ts", caught: 6, mutants: 6, equivalent: 5 });
    expect(missed({ file: "src/core/a.ts" })).toEqual([11, 1]);
    expect(missed({ line: "wait();" })).toEqual([11, 1]);
    expect(missed({ to: ["false"] })).toEqual([11, 1]);
  });

  it("is judged as a whole and file by file", () => {
    const all = [
      { file: "b.ts", caught: 1_790, mutants: 2_000, equivalent: 7 },
      { file: "a.ts", caught: 85, mutants: 100, equivalent: 0 },
    ];
    expect(WANTED).toEqual({ file: 85, total: 95 });
    expect(judged(all)).toMatchObject([
      {
        what: "mutants of the core that its tests catch",
        figure: "1,875 of 2,100 (89.3 %)",
        wanted: "at least 95 %",
        ok: false,
      },
      { figure: "7", ok: true },
      { what: "of those in a.ts", figure: "85 of 100 (85.0 %)", wanted: "at least 85 %", ok: true },
      { what: "of those in b.ts", figure: "1,790 of 2,000 (89.5 %)", wanted: "at least 85 %", ok: true },
    ]);
    expect(judged([])[0]).toMatchObject({ figure: "0 of 0 (0.0 %)", ok: false });
  });

  it("is not asked for below full scale", async () => {
    for (const scale of ["test", "quick"] as const)
      expect(await mutation.run(scale, () => undefined)).toEqual({ findings: [], counts: {} });
  });
});

describe("mutants that make no difference", () => {
  it("stand in the code, on the line that is quoted, and have a reason", () => {
    const known = JSON.parse(readFileSync("test/reliability/mutation/equivalent.json", "utf8")) as Equivalent[];
    expect(known.length).toBeGreaterThan(0);
    const gone = known.filter(({ file, line, why }) => why === "" || !readFileSync(file, "utf8").includes(line));
    expect(gone).toEqual([]);
  });
});

describe("what the tests of the core use of vitest", () => {
  const own = readFileSync("test/reliability/mutation/vitest.js", "utf8");
  const tests = filesBelow("test/core", ".ts").map((path) => readFileSync(path, "utf8"));

  it("is there when they run without it", () => {
    const imported = tests.flatMap((text) => {
      const names = /^import \{([^}]*)\} from "vitest";$/m.exec(text)?.[1] ?? "";
      return names.split(",").map((name) => name.replace("type ", "").trim());
    });
    const used = new Set(imported.filter((name) => name !== ""));
    const exported = [...own.matchAll(/^export (?:const|function|async function) (\w+)/gm)].map(([, name]) => name);
    expect(used.size).toBeGreaterThan(3);
    expect([...used].filter((name) => !exported.includes(name))).toEqual([]);
  });

  it("is `each` and `spyOn` and nothing beside them", () => {
    const used = tests.flatMap((text) => [...text.matchAll(/^ *(?:await )?(?:it|describe|vi)\.(\w+)\(/gm)]);
    expect(new Set(used.map(([, name]) => name))).toEqual(new Set(["each"]));
    const spied = tests.flatMap((text) => [...text.matchAll(/\bvi\.(\w+)/g)]);
    expect(new Set(spied.map(([, name]) => name))).toEqual(new Set(["spyOn"]));
  });
});
