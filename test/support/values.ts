/** Values for tests: the golden ones with their CBOR, and any value that can be carried. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { fromHex } from "./frames.ts";

/**
 * One entry of `test/golden/values.json`. What JSON has no form for is an object with a single key: `$undefined`, `$number` (`"NaN"`,
 * `"-0"`, `"Infinity"`), `$bigint`, `$date`, `$bytes` (hexadecimal), `$set`, `$map` (pairs), or `$Float64Array` and its like.
 */
interface StoredValue {
  readonly name: string;
  readonly value: unknown;
  readonly hex: string;
  /** What else is read as this value. */
  readonly reads?: readonly string[];
  /** Whether it is only read: another encoder's, which this one writes differently. */
  readonly onlyRead?: boolean;
}

/** Bytes that are refused, and a word of the reason. */
interface StoredRefusal {
  readonly name: string;
  readonly hex: string;
  readonly reason: string;
}

interface Stored {
  readonly values: readonly StoredValue[];
  readonly refused: readonly StoredRefusal[];
}

const STORED = JSON.parse(readFileSync(new URL("../golden/values.json", import.meta.url), "utf8")) as Stored;

const VIEWS = [
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
] as const;
const BIG_VIEWS = [BigUint64Array, BigInt64Array] as const;

function special(kind: string, content: unknown): unknown {
  const list = Array.isArray(content) ? (content as readonly unknown[]) : [];
  const view = VIEWS.find(({ name }) => kind === `$${name}`);
  if (view !== undefined) return view.from(list.map(Number));
  const bigView = BIG_VIEWS.find(({ name }) => kind === `$${name}`);
  if (bigView !== undefined) return bigView.from(list.map((item) => BigInt(String(item))));
  switch (kind) {
    case "$undefined":
      return undefined;
    case "$number":
      return Number(content);
    case "$bigint":
      return BigInt(String(content));
    case "$date":
      return new Date(String(content));
    case "$bytes":
      return fromHex(String(content));
    case "$set":
      return new Set(list.map(described));
    case "$map":
      return new Map((list as readonly (readonly [unknown, unknown])[]).map(([k, v]) => [described(k), described(v)]));
    default:
      throw new Error(`no value is described by ${kind}`);
  }
}

/** The value that a description in values.json stands for. */
export function described(description: unknown): unknown {
  if (typeof description !== "object" || description === null) return description;
  if (Array.isArray(description)) return description.map(described);
  const entries = Object.entries(description);
  const [[key, content] = ["", undefined]] = entries;
  if (entries.length === 1 && key.startsWith("$")) return special(key, content);
  return Object.fromEntries(entries.map(([name, item]) => [name, described(item)]));
}

/** What values are as bytes. */
export const goldenValues: readonly (Required<StoredValue> & { readonly text: string })[] = STORED.values.map(
  (one) => ({
    reads: [],
    onlyRead: false,
    ...one,
    value: described(one.value),
    text: JSON.stringify(one.value),
  }),
);

/** What is refused. */
export const refusedBytes: readonly StoredRefusal[] = STORED.refused;

const wellFormed = fc.string({ unit: "binary" });
const anyKey = fc.oneof(
  { weight: 8, arbitrary: wellFormed },
  { weight: 1, arbitrary: fc.constantFrom("__proto__", "constructor", "toString", "then", "0", "17", "", "length") },
);
const anyNumber = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(
    0,
    -0,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    2 ** 32 - 1,
    2 ** 32,
    -24,
    -25,
    -256,
    -257,
    2 ** 53,
    -(2 ** 53),
  ),
);
const anyBigint = fc.oneof(
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.constantFrom(0n, -1n, 5n, 2n ** 64n, -(2n ** 64n), 2n ** 8192n - 1n, -(2n ** 8192n)),
);
const anyView = fc.oneof(
  fc.uint8Array(),
  fc.uint8ClampedArray(),
  fc.int8Array(),
  fc.uint16Array(),
  fc.int16Array(),
  fc.uint32Array(),
  fc.int32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
);

/** Values without parts. */
export const anyScalar: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, undefined, true, false),
  anyNumber,
  wellFormed,
  fc.string({ minLength: 20, maxLength: 300 }),
  anyBigint,
  fc.date({ noInvalidDate: true }),
  anyView,
);

interface Tree {
  readonly value: unknown;
}

/** Any value that can be carried, a few levels deep, with the parts that `scalar` gives. */
export function anyValueOf(scalar: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.letrec<Tree>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      scalar,
      fc.array(tie("value"), { maxLength: 6 }),
      fc.dictionary(anyKey, tie("value"), { maxKeys: 8, noNullPrototype: true }),
      fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
      fc.array(tie("value"), { maxLength: 4 }).map((items) => new Set(items)),
    ),
  })).value;
}

/** Any value that can be carried. */
export const anyValue: fc.Arbitrary<unknown> = anyValueOf(anyScalar);
