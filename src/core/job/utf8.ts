/**
 * UTF-8 and the strings around it: how long a text is, reading it strictly, cutting it to a bound. Everything here is
 * linear and keeps a byte order mark, which is data like any other. What the text means is for others.
 */

// Both are stateless as used here: one whole text a call.
const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

const SHORT_COUNT = 512;
/** Up to here characters are gathered one by one; from there on a call into the host is worth it. */
const SHORT_READ = 24;
/** The same for bytes. Up to 64 of them V8 keeps beside its other objects, cheaply, as long as their buffer is not read. */
const SHORT_COPY = 64;
/** One list a length, to gather characters in: filled before it is read, so nothing lasts in them. */
const gathered: readonly number[][] = Array.from({ length: SHORT_READ + 1 }, (_, length) =>
  Array.from({ length }, () => 0),
);

/** Whether `value` is a `Uint8Array`, also one of another realm (an iframe, a test runner's sandbox). */
export function isBytes(value: unknown): value is Uint8Array {
  if (value instanceof Uint8Array) return true;
  return ArrayBuffer.isView(value) && (value as Partial<Uint8Array>)[Symbol.toStringTag] === "Uint8Array";
}

/** The same bytes as a plain `Uint8Array`: Node's `Buffer` behaves differently in `slice` and when printed. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The bytes from `start` up to `end`, to keep. A copy, unless they make up most of the memory they lie in: a small result
 * must not keep a large frame alive, nor let its holder see what else came with it.
 */
export function keptBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  if (2 * length > bytes.length && isMost(length, bytes.buffer)) return bytes.subarray(start, end);
  const kept = new Uint8Array(length);
  if (length > SHORT_COPY) kept.set(bytes.subarray(start, end));
  else for (let i = 0; i < length; i++) kept[i] = bytes[start + i] ?? 0;
  return kept;
}

/** RegistrationContext memory could change under the reader: there nothing is. */
function isMost(length: number, memory: ArrayBufferLike): boolean {
  return 2 * length > memory.byteLength && memory instanceof ArrayBuffer;
}

/** How many bytes `text` takes in UTF-8; a lone surrogate counts 3, as its replacement does. */
export function utf8Length(text: string): number {
  if (text.length > SHORT_COUNT) return encoder.encode(text).length;
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (isPair(unit, text.charCodeAt(i + 1))) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

function isPair(high: number, low: number): boolean {
  return high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000;
}

/** Where the first lone surrogate of `text` stands, or -1 if there is none. */
export function loneSurrogateAt(text: string): number {
  // By the flag `u` a pair is one character, so that only a lone half of one is a surrogate.
  return text.isWellFormed() ? -1 : text.search(/\p{Surrogate}/u);
}

/**
 * Reads `bytes` from `start` up to `end` as UTF-8, byte order mark included.
 *
 * @throws TypeError when they are not well-formed UTF-8.
 */
export function readUtf8(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT_READ) {
    const text = readAscii(bytes, start, end);
    if (text !== undefined) return text;
  }
  return strict.decode(bytes.subarray(start, end));
}

function readAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  const units = gathered[end - start];
  if (units === undefined) return undefined;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0xff;
    if (byte >= 0x80) return undefined;
    units[i - start] = byte;
  }
  return String.fromCharCode.apply(undefined, units);
}

/** Where in `bytes` UTF-8 first breaks, or -1 if it does not. Only to say so in an error: it decodes and encodes anew. */
export function badUtf8At(bytes: Uint8Array): number {
  const mended = encoder.encode(lenient.decode(bytes));
  const at = bytes.findIndex((byte, i) => byte !== mended[i]);
  // Bytes that end within a character may be the beginning of the very mark that replaces it.
  return at < 0 && mended.length > bytes.length ? bytes.length : at;
}

/** As much of the beginning of `text` as fits into `maxBytes` bytes of UTF-8, lone surrogates replaced by U+FFFD. */
export function cutText(text: string, maxBytes: number): string {
  if (3 * text.length <= maxBytes) return text.toWellFormed();
  // A unit takes at least one byte, so the rest cannot count; a pair split here has no room for its replacement.
  const start = text.length > maxBytes ? text.slice(0, maxBytes) : text;
  const bytes = new Uint8Array(maxBytes);
  const { written } = encoder.encodeInto(start, bytes);
  return strict.decode(bytes.subarray(0, written));
}
