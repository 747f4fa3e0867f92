/** `powerhose run` and `powerhose tasks` with a module of typed tasks. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { fromJson, toJson } from "../../../src/cli/run/json-values.ts";
import { lineForm, PLAIN_FORM } from "../../../src/cli/run/line-form.ts";
import { EncodingError } from "../../../src/core/errors.ts";
import { errorOf } from "../../support/job-texts.ts";
import { linesOf, powerhose, powerhoseEach } from "../child.ts";

const MODULE = fileURLToPath(new URL("../fixtures/tasks.js", import.meta.url));

describe("values as JSON", () => {
  test.each<[unknown, unknown]>([
    [{ a: [1, "x", true, null] }, { a: [1, "x", true, null] }],
    [undefined, null],
    [{ gone: undefined, list: [undefined] }, { list: [null] }],
    [new Date(0), "1970-01-01T00:00:00.000Z"],
    [new Date(Number.NaN), null],
    [Uint8Array.of(1, 2), { base64: "AQI=" }],
    [
      [5n, -(2n ** 70n)],
      [5, "-1180591620717411303424"],
    ],
    [new Set([new Set([1])]), [[1]]],
    [new Map([["a", 1n]]), { a: 1 }],
    [
      new Map<unknown, unknown>([
        [1, "a"],
        ["b", new Date(0)],
      ]),
      [
        [1, "a"],
        ["b", "1970-01-01T00:00:00.000Z"],
      ],
    ],
    [BigInt64Array.of(1n), [1]],
    [Float32Array.of(0.5), [0.5]],
    [JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}')],
  ])("%o", (value, json) => {
    expect(toJson(value)).toEqual(json);
  });

  test("bytes come in as they go out, and nothing else is taken for bytes", () => {
    expect(fromJson('{"a":{"base64":"AQI="}}')).toEqual({ a: Uint8Array.of(1, 2) });
    for (const text of ['{"base64":"A"}', '{"base64":1}', '{"base64":"AQI=","b":1}', '["base64"]'])
      expect(toJson(fromJson(text))).toEqual(JSON.parse(text));
    expect(errorOf(() => fromJson("{"))).toBeInstanceOf(EncodingError);
    expect(String(errorOf(() => fromJson(" ")))).toContain("the line is empty");
  });
});

describe("the form of lines", () => {
  test("is plain for workers without tasks, and that of the named task or of the only one", () => {
    expect(lineForm(["gpu"], "default", "m.js", false)).toBe(PLAIN_FORM);
    expect(lineForm(["task:a", "task:b"], "b", "m.js#b", false).jobOf("1")).toMatchObject({ task: "b" });
    expect(lineForm(["task:a"], "default", "m.js", false).jobOf("1")).toMatchObject({ task: "a" });
    expect(lineForm(["task:a"], "one", "m.js#one", false).jobOf("1")).toMatchObject({ task: "a" });
    expect(String(errorOf(() => lineForm(["task:a", "task:b"], "x", "m.js#x", false)))).toContain("as in m.js#a");
  });

  test("says so of a result that is no value", () => {
    const form = lineForm(["task:a"], "a", "m.js#a", false);
    expect(errorOf(() => form.printed("text"))).toBeInstanceOf(EncodingError);
    expect(errorOf(() => form.record(Uint8Array.of(0xff)))).toBeInstanceOf(EncodingError);
  });
});

describe("powerhose run with tasks", () => {
  test("takes a JSON value a line and prints one, and a line that is none fails alone", async () => {
    const input = '{"a":1}\nbad\n{"base64":"AQI="}\n';
    const { code, stdout, stderr } = await powerhose(["run", "-w", "2", `${MODULE}#echo`], { input });
    expect(linesOf(stdout)).toEqual(['{"a":1}', "", '{"base64":"AQI="}']);
    expect(code).toBe(1);
    expect(stderr).toContain("stdin:2: EncodingError: the line is not one JSON value");
  });

  test("keeps values, codes and issues in records", async () => {
    const args = ["run", "-q", "-w", "1", "-o", "jsonl", `${MODULE}#resize`];
    const { stdout } = await powerhose(args, { input: '{"width":3}\n{"a":2}\n' });
    const [good, bad] = linesOf(stdout).map((line) => JSON.parse(line) as unknown);
    expect(good).toMatchObject({ ok: true, value: { pixels: { base64: "AAAA" }, at: "1970-01-01T00:00:00.000Z" } });
    const issues = [{ message: "expected a number", path: ["width"] }];
    expect(bad).toMatchObject({ ok: false, error: { code: "EXECUTION", remoteCode: "INVALID_INPUT", issues } });
  });

  test("prints the items of streams, and logs those alone that came to their end", async () => {
    const log = join(mkdtempSync(join(tmpdir(), "powerhose-")), "jobs.log");
    onTestFinished(() => rmSync(dirname(log), { recursive: true }));
    const given = { input: '{"to":2}\n{"to":1,"breaks":true}\n{"to":0}\n' };
    const args = ["run", "-w", "2", "--joblog", log];
    const first = await powerhose([...args, "-o", "jsonl", `${MODULE}#count`], given);
    expect(linesOf(first.stdout).map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { index: 0, item: { n: 1 } },
      { index: 0, item: { n: 2 } },
      { index: 0, ok: true, value: 2, attempts: 1 },
      { index: 1, item: { n: 1 } },
      { index: 1, ok: false, error: { message: "RangeError: broken", code: "EXECUTION" }, attempts: 1 },
      { index: 2, ok: true, value: 0 },
    ]);
    expect(first.stderr).toMatch(/3 jobs in .*, 1 failed, 3 items\n/);
    const { code, stdout, stderr } = await powerhose([...args, "--resume", `${MODULE}#count`], given);
    expect([code, stdout]).toEqual([1, '{"n":1}\n']);
    expect(stderr).toContain("stdin:2: RangeError: broken\n");
    expect(stderr).toContain(", 2 done before\n");
  });

  test("hands lines over as texts with --text, to the only task of an export", async () => {
    const { stdout } = await powerhose(["run", "-q", "-w", "1", "--text", `${MODULE}#shout`], { input: '"hi"\n' });
    expect(stdout).toBe('"HI"\n');
  });
});

test("powerhose tasks lists names, and schemas where the library tells them; as JSON with --json", async () => {
  const [listed, json, none] = await powerhoseEach([
    ["tasks", MODULE],
    ["tasks", "--json", `${MODULE}#shout`],
    ["tasks", `${MODULE}#nothing`],
  ]);
  const schema = '{"$schema":"draft-2020-12","type":"object","required":["width"]}';
  expect(listed?.code).toBe(0);
  expect(linesOf(listed?.stdout ?? "")).toEqual(["echo", `resize\t${schema}`, "values", "count", "nothing", "fail"]);
  expect(JSON.parse(json?.stdout ?? "")).toEqual([{ name: "shout" }]);
  const why = expect.stringContaining("a handler of jobs and no tasks") as string;
  expect(none).toMatchObject({ code: 2, stderr: why });
});
