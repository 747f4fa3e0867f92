/**
 * Values of typed tasks as JSON, for people and for other tools. Bytes are `{"base64": "…"}` both ways. What JSON has no form
 * for goes out as what comes closest: docs/cli.md has the table. A value that came in as JSON goes out as it came.
 */
import { describeError } from "../../core/describe-error.ts";
import { EncodingError } from "../../index.ts";

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Reads one JSON value.
 * @throws EncodingError when the text is none.
 */
export function fromJson(text: string): unknown {
  if (text.trim() === "") throw new EncodingError("the line is empty, not a JSON value");
  try {
    return JSON.parse(text, (_key, value: unknown) => bytesOf(value) ?? value);
  } catch (cause) {
    throw new EncodingError(`the line is not one JSON value: ${describeError(cause)}`, undefined, { cause });
  }
}

/** The bytes of `{"base64": "…"}`; of all else nothing. */
function bytesOf(value: unknown): Uint8Array | undefined {
  if (typeof value !== "object" || value === null || !("base64" in value)) return undefined;
  const { base64, ...rest } = value;
  if (typeof base64 !== "string" || Object.keys(rest).length > 0 || !BASE64.test(base64)) return undefined;
  return new Uint8Array(Buffer.from(base64, "base64"));
}

/** What `JSON.stringify` writes for a value; it never throws for one that a task may give. */
export function toJson(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value === undefined) return null;
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Set) return [...value].map(toJson);
  if (value instanceof Map) return fromMap(value);
  if (ArrayBuffer.isView(value) && Symbol.iterator in value) return Array.from(value as Iterable<unknown>, toJson);
  return Object.fromEntries(ownFields(Object.entries(value)));
}

/** An object where all keys are texts, else a list of pairs. */
function fromMap(map: ReadonlyMap<unknown, unknown>): unknown {
  const entries = [...map];
  const named = entries.filter((entry): entry is [string, unknown] => typeof entry[0] === "string");
  return named.length === entries.length ? Object.fromEntries(ownFields(named)) : entries.map(toJson);
}

/** As JSON leaves them out, fields that are `undefined` are no fields. */
function ownFields(entries: readonly [string, unknown][]): [string, unknown][] {
  return entries.filter(([, value]) => value !== undefined).map(([key, value]) => [key, toJson(value)]);
}
