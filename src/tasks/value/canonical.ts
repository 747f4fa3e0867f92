/**
 * One form for all values that mean the same: keys of objects, entries of maps and items of sets are put in order. Why: two honest
 * workers may answer with the same keys in another order, and Python's sets have none.
 */
import { MAX_READ_DEPTH } from "./cbor-profile.ts";
import { KeyCache } from "./key-cache.ts";
import { ValueDecoder, type Revive } from "./value-decoder.ts";
import { ValueEncoder, type NamedValue, type Reduce } from "./value-encoder.ts";

/** An instance of a registered class, as it was told: no code of an application runs to compare it. */
class NamedForm implements NamedValue {
  readonly name: string;
  readonly value: unknown;

  constructor(name: string, value: unknown) {
    this.name = name;
    this.value = value;
  }
}

/** A part that is encoded already. Why: a set within a set is encoded once, and not again for each set around it. */
class EncodedForm {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

const reviveForm: Revive = (name, value) => new NamedForm(name, value);
const reduceForm: Reduce = (instance) => {
  if (instance instanceof EncodedForm) return instance.bytes;
  return instance instanceof NamedForm ? instance : undefined;
};

/**
 * Returns bytes that are equal for encoded values that mean the same, whatever the order of their keys and sets and the size of their
 * numbers. Why apart from the codec: a worker compares nothing and need not load it.
 *
 * @throws EncodingError when `bytes` are malformed.
 */
export function canonicalValue(bytes: Uint8Array): Uint8Array {
  const value = new ValueDecoder({ bytes, holes: [] }, new KeyCache(), reviveForm).decode();
  const encoder = new ValueEncoder(reduceForm, MAX_READ_DEPTH);
  const encode = (part: unknown): Uint8Array => encoder.encode(part, "value").bytes;
  return encode(formOf(value, encode));
}

function formOf(value: unknown, encode: (part: unknown) => Uint8Array): unknown {
  const inner = (part: unknown): unknown => formOf(part, encode);
  const encoded = (part: unknown): EncodedForm => new EncodedForm(encode(inner(part)));
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value;
  if (Array.isArray(value)) return value.map(inner);
  if (value instanceof NamedForm) return new NamedForm(value.name, inner(value.value));
  if (value instanceof Set) {
    const items = Array.from(value, encoded);
    return new EncodedForm(encode(new Set(items.sort((a, b) => compareBytes(a.bytes, b.bytes)))));
  }
  if (value instanceof Map) {
    const entries = Array.from(value, ([key, item]) => [encoded(key), encoded(item)] as const);
    entries.sort(([a, c], [b, d]) => compareBytes(a.bytes, b.bytes) || compareBytes(c.bytes, d.bytes));
    return new EncodedForm(encode(new Map(entries)));
  }
  const entries = Object.entries(value).map(([key, item]) => [key, inner(item)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
