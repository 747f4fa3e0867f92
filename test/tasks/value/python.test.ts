import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cbor } from "../../../src/tasks/value/cbor.ts";
import { fromHex } from "../../support/frames.ts";

const PROGRAM = fileURLToPath(new URL("read_values.py", import.meta.url));
const GOLDEN = fileURLToPath(new URL("../../golden/values.json", import.meta.url));

/** The first Python that has cbor2: Debian's own may not be the first of the path. */
const python = ["python3", "/usr/bin/python3"].find(
  (command) => spawnSync(command, ["-c", "import cbor2"]).status === 0,
);
if (python === undefined) console.log("skipped: no python3 here has cbor2 (Debian: python3-cbor2)");

interface Report {
  readonly wrong: readonly string[];
  readonly written: Readonly<Record<string, string>>;
}

test.skipIf(python === undefined)("cbor2 of Python reads the golden values, and what it writes is read", () => {
  const { stdout, stderr } = spawnSync(python ?? "", [PROGRAM, GOLDEN], { encoding: "utf8" });
  expect(stderr).toBe("");
  const { wrong, written } = JSON.parse(stdout) as Report;
  expect(wrong).toEqual([]);
  const read = (name: string): unknown => cbor().decode(fromHex(written[name] ?? ""));
  expect(read("whole")).toStrictEqual({
    image: new Uint8Array(Buffer.from("\x89PNG", "latin1")),
    width: 200,
    scale: 0.1,
    at: new Date("2026-01-02T03:04:05.600Z"),
    tags: [null, true, undefined, "é漢😀"],
    ids: new Set([1, 2]),
    big: 2n ** 70n,
    odd: new Map<unknown, unknown>([
      [1, "one"],
      ["two", 2],
    ]),
  });
  expect(read("large")).toBe(2n ** 63n);
  expect(read("half")).toBe(Number.POSITIVE_INFINITY);
  expect(read("floats")).toStrictEqual(Float64Array.of(1.5, -2));
});

const OWN = fileURLToPath(new URL("read_golden_values.py", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../../../examples/06-python", import.meta.url));
const hasPython = spawnSync("python3", ["--version"]).status === 0;

test.skipIf(!hasPython)("the codec of the example in Python reads, writes and refuses what this one does", () => {
  const { stdout, stderr } = spawnSync("python3", ["-B", OWN, EXAMPLE, GOLDEN], { encoding: "utf8" });
  expect(stderr).toBe("");
  const { wrong, written } = JSON.parse(stdout) as Report;
  expect(wrong).toEqual([]);
  for (const hex of Object.values(written)) cbor().decode(fromHex(hex));
});
