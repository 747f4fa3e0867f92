/**
 * Reads one value of CBOR, as docs/protocol.md says. The bytes are a stranger's: each read is checked, lengths before anything is
 * allocated, and every failure is an EncodingError. Time and memory are linear in the bytes. Written by value-encoder.ts.
 */
import type { Hole } from "../../core/job/holed-bytes.ts";
import { EncodingError } from "../../core/errors.ts";
import { keptBytes, plainBytes, readUtf8 } from "../../core/job/utf8.ts";
import { bigintOf } from "./bigint-bytes.ts";
import {
  HEAD,
  LARGE_BYTES,
  littleEndian,
  MAX_BIGINT_BYTES,
  MAX_ITEMS,
  MAX_READ_DEPTH,
  TAG,
  TYPED_ARRAY_BY_TAG,
  type TypedArrayKind,
} from "./cbor-profile.ts";
import { dateOfSeconds, dateOfText } from "./date-form.ts";
import { halfFloat } from "./half-float.ts";
import type { KeyCache } from "./key-cache.ts";
import type { EncodedValue } from "./value-codec.ts";

/** Keys that an object has without being told: to assign to them may do something else than to define them. */
const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));
const KEY_TWICE = "a map has a key twice";
const scratch = new DataView(new ArrayBuffer(8));

/** Returns the instance of the registered class `name`. May throw, also for a name it does not know. */
export type Revive = (name: string, value: unknown) => unknown;

/** A cursor over the bytes of one value. */
export class ValueDecoder {
  readonly #bytes: Uint8Array;
  readonly #keys: KeyCache;
  readonly #revive: Revive;
  readonly #holes: readonly Hole[];
  #nextHole = 0;
  #at = 0;
  #depth = 0;
  #items = 0;

  constructor({ bytes, holes }: EncodedValue, keys: KeyCache, revive: Revive) {
    this.#bytes = plainBytes(bytes);
    this.#holes = holes;
    this.#keys = keys;
    this.#revive = revive;
  }

  /** Reads the value, which is all there is. */
  decode(): unknown {
    const value = this.#value();
    if (this.#at !== this.#bytes.length) throw this.#wrong(`${this.#bytes.length - this.#at} bytes after the value`);
    if (this.#nextHole !== this.#holes.length) throw this.#wrong("a hole where there is no byte string");
    return value;
  }

  #wrong(problem: string, at: number = this.#at, cause?: unknown): EncodingError {
    return new EncodingError(`a value: ${problem}`, at, { cause });
  }

  #value(): unknown {
    const first = this.#take(1);
    const byte = this.#bytes[first] ?? 0;
    const info = byte & 0x1f;
    switch (byte & 0xe0) {
      case HEAD.unsigned:
        return info < 24 ? info : this.#argument(info);
      case HEAD.negative:
        return negative(this.#argument(info));
      case HEAD.bytes:
        return this.#byteString(this.#length(info));
      case HEAD.text:
        return this.#text(this.#length(info));
      case HEAD.array:
        return this.#array(this.#length(info));
      case HEAD.map:
        return this.#map(this.#length(info));
      case HEAD.tag:
        return this.#tagged(this.#argument(info));
      default:
        return this.#simple(info, first);
    }
  }

  /** Passes over `count` bytes and returns where they begin. */
  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw this.#wrong("it ends too early", this.#bytes.length);
    this.#at = at + count;
    return at;
  }

  #unsigned(count: number): number {
    const at = this.#take(count);
    let value = 0;
    for (let i = at; i < at + count; i++) value = 256 * value + (this.#bytes[i] ?? 0);
    return value;
  }

  /** Reads the number of a first byte: a bigint when it is over 2^53 - 1. */
  #argument(info: number): number | bigint {
    if (info < 24) return info;
    if (info < 27) return this.#unsigned(1 << (info - 24));
    if (info > 27) throw this.#wrong(info === 31 ? "an indefinite length" : `a first byte of no meaning`, this.#at - 1);
    const high = this.#unsigned(4);
    const low = this.#unsigned(4);
    return high < 0x20_0000 ? high * 0x1_0000_0000 + low : (BigInt(high) << 32n) | BigInt(low);
  }

  /** Reads a number of bytes or items, each of which takes a byte at least. */
  #length(info: number): number {
    const length = this.#argument(info);
    if (length <= this.#bytes.length) return Number(length);
    if (this.#nextHole < this.#holes.length && typeof length === "number") return length;
    throw this.#wrong(`a length of ${length}, which is more than there is`);
  }

  #byteString(length: number): Uint8Array {
    const hole = this.#holeOf(length);
    if (hole !== undefined) return hole;
    const start = this.#take(length);
    if (length >= LARGE_BYTES) return keptBytes(this.#bytes, start, this.#at);
    return this.#bytes.slice(start, this.#at);
  }

  #holeOf(length: number): Uint8Array | undefined {
    const hole = this.#holes[this.#nextHole];
    if (hole === undefined || hole.at !== this.#at) return undefined;
    if (hole.content.length !== length) throw this.#wrong(`a hole of ${hole.content.length} bytes for ${length}`);
    this.#nextHole++;
    return hole.content;
  }

  #text(length: number): string {
    const start = this.#take(length);
    return this.#textAt(start);
  }

  #textAt(start: number): string {
    try {
      return readUtf8(this.#bytes, start, this.#at);
    } catch (cause) {
      throw this.#wrong("a text is not UTF-8", start, cause);
    }
  }

  #enter(items: number): void {
    if (this.#depth === MAX_READ_DEPTH) throw this.#wrong(`more than ${MAX_READ_DEPTH} levels of nesting`);
    this.#depth++;
    this.#items += items;
    if (this.#items > MAX_ITEMS) throw this.#wrong(`more than ${MAX_ITEMS} items`);
    if (items > this.#bytes.length - this.#at) throw this.#wrong(`${items} items, which are more than there is`);
  }

  #array(length: number): unknown[] {
    this.#enter(length);
    const array: unknown[] = [];
    for (let i = 0; i < length; i++) array.push(this.#value());
    this.#depth--;
    return array;
  }

  /** A map is an object as long as its keys are texts. */
  #map(length: number): unknown {
    this.#enter(2 * length);
    const record: Record<string, unknown> = {};
    for (let i = 0; i < length; i++) {
      const key = this.#key();
      if (key === undefined) return this.#mixed(record, i, length);
      if (INHERITED.has(key))
        Object.defineProperty(record, key, {
          value: this.#value(),
          configurable: true,
          enumerable: true,
          writable: true,
        });
      else record[key] = this.#value();
    }
    if (Object.keys(record).length !== length) throw this.#wrong(KEY_TWICE);
    this.#depth--;
    return record;
  }

  /** Goes on with a map whose first `count` keys were texts. */
  #mixed(record: Readonly<Record<string, unknown>>, count: number, length: number): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>(Object.entries(record));
    if (map.size !== count) throw this.#wrong(KEY_TWICE);
    return this.#entries(map, length);
  }

  /** Reads the key of a map, or nothing when it is not a text. */
  #key(): string | undefined {
    const byte = this.#bytes[this.#at] ?? 0;
    if ((byte & 0xe0) !== HEAD.text) return undefined;
    this.#at++;
    const start = this.#take(this.#length(byte & 0x1f));
    const known = this.#keys.find(this.#bytes, start, this.#at);
    if (known !== undefined) return known;
    const key = this.#textAt(start);
    this.#keys.store(key, this.#bytes, start, this.#at);
    return key;
  }

  /** Reads the rest of a map of `length` entries. */
  #entries(map: Map<unknown, unknown>, length: number): Map<unknown, unknown> {
    for (let i = map.size; i < length; i++) {
      const key = this.#value();
      if (map.has(key)) throw this.#wrong(KEY_TWICE);
      map.set(key, this.#value());
    }
    this.#depth--;
    return map;
  }

  #tagged(tag: number | bigint): unknown {
    switch (tag) {
      case TAG.dateText:
        return this.#date(dateOfText);
      case TAG.date:
        return this.#date(dateOfSeconds);
      case TAG.positiveBigint:
        return this.#bigint();
      case TAG.negativeBigint:
        return -1n - this.#bigint();
      case TAG.named:
        return this.#named();
      case TAG.uint8Array:
        return this.#byteString(this.#content(HEAD.bytes, tag));
      case TAG.set:
        return this.#set();
      case TAG.map:
        return this.#mapOf(this.#content(HEAD.map, tag));
      default:
        return this.#typedArray(tag);
    }
  }

  /** Reads the first byte of what a tag is about, which must be of the type `head`. */
  #content(head: number, tag: number): number {
    const at = this.#take(1);
    const byte = this.#bytes[at] ?? 0;
    if ((byte & 0xe0) !== head) throw this.#wrong(`tag ${tag} is about something else than it should`, at);
    return this.#length(byte & 0x1f);
  }

  #mapOf(length: number): Map<unknown, unknown> {
    this.#enter(2 * length);
    return this.#entries(new Map(), length);
  }

  #set(): Set<unknown> {
    const items = this.#array(this.#content(HEAD.array, TAG.set));
    const set = new Set(items);
    if (set.size !== items.length) throw this.#wrong("a set has an item twice");
    return set;
  }

  #date(dateOf: (content: unknown) => Date | undefined): Date {
    const at = this.#at;
    // A tag within a tag, and so on, is nesting, too.
    this.#enter(0);
    const date = dateOf(this.#value());
    this.#depth--;
    if (date === undefined) throw this.#wrong("no date", at);
    return date;
  }

  #bigint(): bigint {
    const length = this.#content(HEAD.bytes, TAG.positiveBigint);
    if (length > MAX_BIGINT_BYTES) throw this.#wrong(`a bigint of more than ${MAX_BIGINT_BYTES} bytes`);
    const start = this.#take(length);
    return bigintOf(this.#bytes.subarray(start, this.#at));
  }

  #typedArray(tag: number | bigint): ArrayBufferView {
    const kind = typeof tag === "number" ? TYPED_ARRAY_BY_TAG.get(tag) : undefined;
    if (kind === undefined) throw this.#wrong(`the tag ${tag} is none of this profile`);
    const length = this.#content(HEAD.bytes, kind.tag);
    if (length % kind.elementBytes !== 0) throw this.#wrong(`a ${kind.name} of ${length} bytes`);
    const hole = this.#holeOf(length);
    if (hole !== undefined && hole.byteOffset % kind.elementBytes !== 0)
      throw this.#wrong(`a ${kind.name} from byte ${hole.byteOffset} of its memory on`);
    if (hole !== undefined) return typedArrayOf(hole, kind);
    const start = this.#take(length);
    return typedArrayOf(this.#bytes.slice(start, this.#at), kind);
  }

  #named(): unknown {
    const at = this.#at;
    if (this.#content(HEAD.array, TAG.named) !== 2) throw this.#wrong("tag 27 is not about a name and a value", at);
    this.#enter(2);
    const name = this.#key();
    if (name === undefined) throw this.#wrong("tag 27 is not about a name and a value", at);
    const value = this.#value();
    this.#depth--;
    try {
      return this.#revive(name, value);
    } catch (cause) {
      throw this.#wrong(`an instance of ${JSON.stringify(name.slice(0, 64))} cannot be made`, at, cause);
    }
  }

  #simple(info: number, at: number): unknown {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return undefined;
      case 25:
        return halfFloat(this.#unsigned(2));
      case 26:
        scratch.setUint32(0, this.#unsigned(4));
        return scratch.getFloat32(0);
      case 27:
        scratch.setUint32(0, this.#unsigned(4));
        scratch.setUint32(4, this.#unsigned(4));
        return scratch.getFloat64(0);
      default:
        throw this.#wrong(
          info === 31 ? "an end of an indefinite length" : "a simple value that is none of this profile",
          at,
        );
    }
  }
}

function negative(argument: number | bigint): number | bigint {
  if (typeof argument === "bigint") return -1n - argument;
  return argument < Number.MAX_SAFE_INTEGER ? -1 - argument : -1n - BigInt(argument);
}

function typedArrayOf(content: Uint8Array, { make, elementBytes }: TypedArrayKind): ArrayBufferView {
  const { buffer, byteOffset } = littleEndian(content, elementBytes);
  return new make(buffer as ArrayBuffer, byteOffset, content.length / elementBytes);
}
