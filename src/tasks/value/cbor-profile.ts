/**
 * The numbers of "Powerhose values": the tags, typed arrays and limits of the CBOR profile that docs/protocol.md describes.
 * Sources: RFC 8949, RFC 8746 (typed arrays), and IANA's registry for the tags 27, 258 and 259.
 */

/** The upper three bits of a first byte: the major types of CBOR that the encoder writes. */
export const HEAD = {
  unsigned: 0x00,
  negative: 0x20,
  bytes: 0x40,
  text: 0x60,
  array: 0x80,
  map: 0xa0,
  tag: 0xc0,
} as const;

/** The tags of this profile that are not typed arrays. */
export const TAG = {
  dateText: 0,
  date: 1,
  positiveBigint: 2,
  negativeBigint: 3,
  named: 27,
  uint8Array: 64,
  set: 258,
  map: 259,
} as const;

/** The whole first bytes of what has no content, and of a float of eight bytes. */
export const BYTE = { false: 0xf4, true: 0xf5, null: 0xf6, undefined: 0xf7, float64: 0xfb } as const;

/** Arrays and maps within one another, as they are written: the limit that fxamacker/cbor has for reading. */
export const MAX_WRITE_DEPTH = 32;
/** The same as it is read. */
export const MAX_READ_DEPTH = 64;
/**
 * Items of one value: elements of arrays, keys and values of maps. Why: an item of one byte becomes up to 66 bytes of memory. A
 * value within the default `maxPayload` has fewer.
 */
export const MAX_ITEMS = 1_048_576;
/** Why: larger ones are costly to compute with, and no honest value needs one. */
export const MAX_BIGINT_BYTES = 1_024;
/** Bytes of one value, without those of holes. */
export const MAX_VALUE_BYTES: number = 1 << 30;
/** From here a byte string is joined to the others at the end, and may be a view of the frame when it is read. */
export const LARGE_BYTES = 4_096;
/** From here a transferred buffer is a hole. */
export const MIN_HOLE_BYTES: number = 64 * 1024;

/** A class of typed arrays, as needed here. */
interface TypedArrayClass {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): ArrayBufferView;
}

/** What a tag of RFC 8746 stands for. */
export interface TypedArrayKind {
  readonly tag: number;
  readonly name: string;
  readonly elementBytes: number;
  readonly make: TypedArrayClass;
}

const CLASSES: readonly (readonly [tag: number, make: TypedArrayClass & { readonly name: string }])[] = [
  [68, Uint8ClampedArray],
  [69, Uint16Array],
  [70, Uint32Array],
  [71, BigUint64Array],
  [72, Int8Array],
  [77, Int16Array],
  [78, Int32Array],
  [79, BigInt64Array],
  [85, Float32Array],
  [86, Float64Array],
];
const KINDS = CLASSES.map(([tag, make]) => ({ tag, name: make.name, elementBytes: make.BYTES_PER_ELEMENT, make }));

/** The typed arrays by tag; all of them are little-endian. */
export const TYPED_ARRAY_BY_TAG: ReadonlyMap<number, TypedArrayKind> = new Map(KINDS.map((kind) => [kind.tag, kind]));
/** The same by the name of the class. */
export const TYPED_ARRAY_BY_NAME: ReadonlyMap<string, TypedArrayKind> = new Map(KINDS.map((kind) => [kind.name, kind]));

const IS_LITTLE_ENDIAN: boolean = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Returns the elements of `bytes` in little-endian order, which is the host's own nearly everywhere; else a swapped copy. */
export function littleEndian(
  bytes: Uint8Array,
  elementBytes: number,
  isHostOrder: boolean = IS_LITTLE_ENDIAN,
): Uint8Array {
  if (isHostOrder || elementBytes === 1) return bytes;
  const swapped = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) swapped[i] = bytes[i ^ (elementBytes - 1)] ?? 0;
  return swapped;
}
