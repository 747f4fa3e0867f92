/** What it costs to make bytes of a value and a value of bytes: the codec of typed tasks beside structured clone, JSON and cborg. */
import { decode as cborgDecode, encode as cborgEncode } from "cborg/extended";
import { cbor } from "../../dist/tasks/value/cbor.js";
import { median } from "../median.js";
import { shortTime, table } from "../table.js";

const codec = cbor();
const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder() };

/** @type {Readonly<Record<string, unknown>>} */
const CASES = {
  "five fields": { id: 123_456, name: "Ada Lovelace", active: true, score: 0.75, tags: ["a", "b"] },
  "1 KiB of nested arrays": Array.from({ length: 20 }, (_, i) => ({
    id: i,
    at: [i * 1.5, i * 2.5],
    name: `item ${i}`,
  })),
  "a Float64Array of 1 MiB": Float64Array.from({ length: 131_072 }, (_, i) => i / 3),
  "10,000 rows": Array.from({ length: 10_000 }, (_, i) => ({
    id: i,
    name: `user ${i}`,
    email: `user${i}@example.com`,
    age: i % 90,
    score: i / 7,
    isNew: i % 2 === 0,
  })),
};

/** @type {Readonly<Record<string, (value: unknown) => unknown>>} */
const WAYS = {
  "powerhose values": (value) => codec.decode(codec.encode(value)),
  structuredClone: (value) => structuredClone(value),
  "JSON and UTF-8": (value) => JSON.parse(utf8.decoder.decode(utf8.encoder.encode(JSON.stringify(value)))),
  "cborg/extended": (value) => cborgDecode(cborgEncode(value)),
};

/**
 * CPU µs of one, over `ms`.
 * @param {(value: unknown) => unknown} way
 * @param {unknown} value
 * @param {number} ms
 */
function cpuOf(way, value, ms) {
  const before = process.cpuUsage();
  const end = performance.now() + ms;
  let count = 0;
  do {
    for (let i = 0; i < 10; i++) way(value);
    count += 10;
  } while (performance.now() < end);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

/** @typedef {{ case: string, ways: { name: string, micros: number[] }[] }} Compared */

/** @type {import("./section.js").Section} */
export const values = {
  name: "values",
  group: "values",
  title: "Values into bytes and back",
  about:
    "CPU of one encoding and decoding in one process, in µs, the ways in turns; the clone has no bytes in between.",
  async run({ rounds, ms }) {
    /** @type {Compared[]} */
    const cases = Object.keys(CASES).map((name) => ({
      case: name,
      ways: Object.keys(WAYS).map((way) => ({ name: way, micros: [] })),
    }));
    for (let round = 0; round < rounds; round++)
      for (const { case: name, ways } of cases)
        for (const { name: way, micros } of ways) {
          const run = WAYS[way];
          if (run !== undefined) micros.push(cpuOf(run, CASES[name], ms / 4));
        }
    return { cases };
  },
  text: (/** @type {{ cases: Compared[] }} */ { cases }) =>
    table(
      ["", ...Object.keys(WAYS).map((name) => `${name}:`)],
      cases.map(({ case: name, ways }) => [name, ...ways.map(({ micros }) => shortTime(median(micros)))]),
    ),
};
