/**
 * Writes one value after the other as CBOR, as docs/protocol.md says. The step to each part and the containers around it are noted
 * before it is read, so that an error can name the path, also one that a getter or a proxy throws. Read again in value-decoder.ts.
 */
import { errorLine } from "../../core/describe-error.ts";
import { EncodingError } from "../../core/errors.ts";
import { isShared, MAX_HOLES } from "../../core/job/holed-bytes.ts";
import { loneSurrogateAt } from "../../core/job/utf8.ts";
import { bigintBytes } from "./bigint-bytes.ts";
import { BytePieces, PieceError } from "./byte-pieces.ts";
import { BYTE, HEAD, LARGE_BYTES, littleEndian, MAX_ITEMS, TAG, TYPED_ARRAY_BY_NAME } from "./cbor-profile.ts";
import { ApartList } from "./apart-buffers.ts";
import type { ApartBuffers, EncodedValue } from "./value-codec.ts";
import { describeRefused, kindOf, typedArrayName } from "./value-kind.ts";
import { entryStep, pathText, type PathStep } from "./value-path.ts";

const encoder = new TextEncoder();
/** Up to here a loop in JavaScript beats the call into the host. */
const SHORT_TEXT = 32;

/** What an instance of a registered class is written as. */
export interface NamedValue {
  readonly name: string;
  readonly value: unknown;
}

/**
 * Returns what an object is written as that has no form of its own: an instance by the name of its class, bytes as they are. What
 * is undefined is refused.
 */
export type Reduce = (instance: object) => NamedValue | Uint8Array | undefined;

/** Writes values. One at a time: not to be used by a getter of what it writes. */
export class ValueEncoder {
  readonly #out: BytePieces = new BytePieces();
  readonly #reduce: Reduce;
  readonly #maxDepth: number;
  /** The containers around the part that is written, and in each the step to it; the rest is left from before. */
  readonly #containers: (object | undefined)[] = [];
  readonly #steps: (PathStep | undefined)[] = [];
  #depth = 0;
  #deepest = 0;
  #items = 0;
  #root = "";
  /** Absent where everything is copied. */
  #apart: ApartList | undefined;
  #buffers: ApartBuffers | undefined;
  #refusal: EncodingError | undefined;

  constructor(reduce: Reduce, maxDepth: number) {
    this.#reduce = reduce;
    this.#maxDepth = maxDepth;
  }

  /** Returns the bytes of `value`, with holes for large ones of `buffers` and for shared memory. */
  encode(value: unknown, root: string, buffers?: ApartBuffers): EncodedValue {
    this.#root = root;
    this.#buffers = buffers;
    try {
      this.#value(value);
      const encoded = this.#out.take();
      return this.#apart === undefined ? encoded : { ...encoded, found: this.#apart.found };
    } catch (error) {
      throw this.#explained(error);
    } finally {
      this.#clear();
    }
  }

  #clear(): void {
    // What was written is not kept alive until the next value.
    for (let i = 0; i < this.#deepest; i++) {
      this.#containers[i] = undefined;
      this.#steps[i] = undefined;
    }
    this.#depth = this.#deepest = this.#items = 0;
    this.#refusal = undefined;
    this.#apart = undefined;
    this.#buffers = undefined;
    this.#out.clear();
  }

  #explained(error: unknown): unknown {
    if (error === this.#refusal) return error;
    if (error instanceof PieceError) return new EncodingError(`at ${this.#root}: ${error.message}`);
    return new EncodingError(`at ${this.#path()}: cannot be read: ${errorLine(error)}`, -1, { cause: error });
  }

  #path(): string {
    return pathText(this.#root, this.#steps.slice(0, this.#depth));
  }

  #refuse(problem: string): never {
    throw (this.#refusal = new EncodingError(`at ${this.#path()}: ${problem}`));
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return this.#number(value);
      case "boolean":
        return this.#byte(value ? BYTE.true : BYTE.false);
      case "undefined":
        return this.#byte(BYTE.undefined);
      case "object":
        return value === null ? this.#byte(BYTE.null) : this.#object(value);
      case "bigint":
        return this.#bigint(value);
      default:
        return this.#refuse(describeRefused(value));
    }
  }

  #byte(byte: number): void {
    const out = this.#out;
    out.reserve(1);
    out.bytes[out.at++] = byte;
  }

  /** Writes a first byte and its number, which is an integer of at least 0. */
  #head(major: number, count: number): void {
    const out = this.#out;
    out.reserve(9);
    if (count < 24) {
      out.bytes[out.at++] = major | count;
    } else if (count < 0x100) {
      out.bytes[out.at++] = major | 24;
      out.bytes[out.at++] = count;
    } else if (count < 0x1_0000) {
      out.bytes[out.at++] = major | 25;
      out.view.setUint16(out.at, count);
      out.at += 2;
    } else if (count < 0x1_0000_0000) {
      out.bytes[out.at++] = major | 26;
      out.view.setUint32(out.at, count);
      out.at += 4;
    } else {
      out.bytes[out.at++] = major | 27;
      out.view.setUint32(out.at, Math.floor(count / 0x1_0000_0000));
      out.view.setUint32(out.at + 4, count >>> 0);
      out.at += 8;
    }
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) return this.#float(value);
    if (value >= 0) this.#head(HEAD.unsigned, value);
    else this.#head(HEAD.negative, -1 - value);
  }

  #float(value: number): void {
    const out = this.#out;
    out.reserve(9);
    out.bytes[out.at++] = BYTE.float64;
    // There are many NaNs; one is written.
    out.view.setFloat64(out.at, Number.isNaN(value) ? Number.NaN : value);
    out.at += 8;
  }

  #bigint(value: bigint): void {
    const bytes = bigintBytes(value < 0n ? -1n - value : value);
    if (bytes === undefined) return this.#refuse("a bigint of more than 1024 bytes");
    this.#head(HEAD.tag, value < 0n ? TAG.negativeBigint : TAG.positiveBigint);
    this.#head(HEAD.bytes, bytes.length);
    this.#out.copy(bytes);
  }

  #text(text: string): void {
    if (text.length <= SHORT_TEXT && this.#shortAscii(text)) return;
    if (loneSurrogateAt(text) >= 0) this.#refuse(`a text with a lone surrogate, at its index ${loneSurrogateAt(text)}`);
    if (text.length >= LARGE_BYTES) return this.#bytes(encoder.encode(text), HEAD.text);
    const out = this.#out;
    const expected = headBytes(text.length);
    out.reserve(expected + 1 + 3 * text.length);
    const start = out.at + expected;
    const { written } = encoder.encodeInto(text, out.bytes.subarray(start));
    // The number of bytes may need a longer head than the number of characters.
    if (headBytes(written) !== expected) out.bytes.copyWithin(out.at + headBytes(written), start, start + written);
    this.#head(HEAD.text, written);
    out.at += written;
  }

  #shortAscii(text: string): boolean {
    const out = this.#out;
    const { length } = text;
    out.reserve(length + 2);
    const { bytes } = out;
    let at = out.at;
    if (length < 24) bytes[at++] = HEAD.text | length;
    else {
      bytes[at++] = HEAD.text | 24;
      bytes[at++] = length;
    }
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x80) return false;
      bytes[at++] = unit;
    }
    out.at = at;
    return true;
  }

  #object(value: object): void {
    const prototype = Object.getPrototypeOf(value) as object | null;
    if (prototype === Object.prototype || prototype === null) return this.#record(value);
    if (prototype === Array.prototype && Array.isArray(value)) return this.#array(value);
    switch (kindOf(value, prototype)) {
      case "record":
        return this.#record(value);
      case "array":
        return this.#array(value as readonly unknown[]);
      case "date":
        return this.#date(value as Date);
      case "map":
        return this.#map(value as ReadonlyMap<unknown, unknown>);
      case "set":
        return this.#set(value as ReadonlySet<unknown>);
      case "memory":
        return this.#content(new Uint8Array(value as ArrayBuffer, 0, (value as ArrayBuffer).byteLength));
      case "view":
        return this.#view(value as ArrayBufferView);
      case undefined:
        return this.#instance(value);
    }
  }

  /** Begins a container of so many items. */
  #enter(container: object, head: number, count: number, items: number): void {
    if (this.#depth === this.#maxDepth) {
      const isCycle = this.#containers.includes(container);
      this.#refuse(isCycle ? "a cycle" : `more than ${this.#maxDepth} levels of nesting`);
    }
    this.#items += items;
    if (this.#items > MAX_ITEMS) this.#refuse(`more than ${MAX_ITEMS} items in one value`);
    this.#containers[this.#depth++] = container;
    this.#steps[this.#depth - 1] = undefined;
    if (this.#depth > this.#deepest) this.#deepest = this.#depth;
    this.#head(head, count);
  }

  #record(record: object): void {
    const keys = Object.keys(record);
    const symbol = enumerableSymbol(record);
    if (symbol !== undefined) this.#refuse(`a property by the name of ${String(symbol)}`);
    this.#enter(record, HEAD.map, keys.length, 2 * keys.length);
    const step = this.#depth - 1;
    for (const key of keys) {
      this.#steps[step] = key;
      this.#text(key);
      this.#value((record as Readonly<Record<string, unknown>>)[key]);
    }
    this.#depth--;
  }

  #array(array: readonly unknown[]): void {
    const { length } = array;
    this.#enter(array, HEAD.array, length, length);
    const step = this.#depth - 1;
    for (let i = 0; i < length; i++) {
      this.#steps[step] = i;
      const item = array[i];
      if (item === undefined && !(i in array)) this.#refuse("a hole in a sparse array; an element may be undefined");
      this.#value(item);
    }
    this.#depth--;
  }

  #map(map: ReadonlyMap<unknown, unknown>): void {
    const entries = [...Map.prototype.entries.call(map)] as [unknown, unknown][];
    this.#head(HEAD.tag, TAG.map);
    this.#enter(map, HEAD.map, entries.length, 2 * entries.length);
    const step = this.#depth - 1;
    for (const [i, [key, value]] of entries.entries()) {
      this.#steps[step] = entryStep(i, "key");
      this.#value(key);
      this.#steps[step] = entryStep(i, "value");
      this.#value(value);
    }
    this.#depth--;
  }

  #set(set: ReadonlySet<unknown>): void {
    const items = [...Set.prototype.values.call(set)] as unknown[];
    this.#head(HEAD.tag, TAG.set);
    this.#enter(set, HEAD.array, items.length, items.length);
    const step = this.#depth - 1;
    for (const [i, item] of items.entries()) {
      this.#steps[step] = entryStep(i, "item");
      this.#value(item);
    }
    this.#depth--;
  }

  #date(date: Date): void {
    const time = Date.prototype.getTime.call(date);
    if (Number.isNaN(time)) this.#refuse("an invalid Date");
    this.#head(HEAD.tag, TAG.date);
    this.#float(time / 1_000);
  }

  #view(view: ArrayBufferView): void {
    // A view whose buffer was detached or has shrunk is no empty one: `at` throws for it.
    if (view.byteLength === 0) Uint8Array.prototype.at.call(view as Uint8Array, 0);
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const kind = TYPED_ARRAY_BY_NAME.get(typedArrayName(view) ?? "");
    if (kind === undefined) return this.#content(bytes);
    this.#head(HEAD.tag, kind.tag);
    this.#content(littleEndian(bytes, kind.elementBytes));
  }

  #content(bytes: Uint8Array): void {
    if (this.#buffers === undefined) {
      if (isShared(bytes))
        this.#refuse("bytes of a SharedArrayBuffer, which may change while they are sent; send a copy");
      return this.#bytes(bytes, HEAD.bytes);
    }
    if (this.#buffers === "shared" && !isShared(bytes)) return this.#bytes(bytes, HEAD.bytes);
    this.#apart ??= new ApartList(this.#buffers);
    if (!this.#apart.take(bytes)) {
      if (isShared(bytes) && bytes.length > 0) this.#refuse(`more than ${MAX_HOLES} places of shared memory`);
      return this.#bytes(bytes, HEAD.bytes);
    }
    this.#head(HEAD.bytes, bytes.length);
    this.#out.add(bytes, isShared(bytes) ? this.#path() : true);
  }

  #bytes(bytes: Uint8Array, major: number): void {
    this.#head(major, bytes.length);
    if (bytes.length < LARGE_BYTES) this.#out.copy(bytes);
    else this.#out.add(bytes);
  }

  #instance(instance: object): void {
    const reduced = this.#reduce(instance);
    if (reduced === undefined) return this.#refuse(describeRefused(instance));
    if (reduced instanceof Uint8Array) return this.#out.copy(reduced);
    this.#head(HEAD.tag, TAG.named);
    this.#enter(instance, HEAD.array, 2, 2);
    this.#text(reduced.name);
    this.#value(reduced.value);
    this.#depth--;
  }
}

function enumerableSymbol(record: object): symbol | undefined {
  const symbols = Object.getOwnPropertySymbols(record);
  if (symbols.length === 0) return undefined;
  return symbols.find((symbol) => Object.prototype.propertyIsEnumerable.call(record, symbol));
}

function headBytes(count: number): number {
  return count < 24 ? 1 : count < 0x100 ? 2 : count < 0x1_0000 ? 3 : 5;
}
