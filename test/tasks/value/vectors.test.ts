import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EncodingError } from "../../../src/core/errors.ts";
import { cbor } from "../../../src/tasks/value/cbor.ts";
import { fromHex, toHex } from "../../support/frames.ts";
import { errorOf } from "../../support/job-texts.ts";
import { goldenValues, refusedBytes } from "../../support/values.ts";

const codec = cbor();
const page = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");

describe("golden values", () => {
  it.each(goldenValues)("$name", ({ value, text, hex, reads, onlyRead }) => {
    for (const form of [hex, ...reads]) expect(codec.decode(fromHex(form)), form).toStrictEqual(value);
    const written = toHex(codec.encode(value));
    expect(written === hex, written).toBe(!onlyRead);
    // On the page as well, so that the page alone is enough.
    expect(page).toContain(`\n${[hex, ...reads].join("\n")}\n${text}\n`);
  });
});

describe("golden refusals", () => {
  it.each(refusedBytes)("$name", ({ hex, reason }) => {
    const error = errorOf(() => codec.decode(fromHex(hex)));
    expect(error).toBeInstanceOf(EncodingError);
    expect(String(error)).toContain(reason);
  });
});
