/**
 * The text form of a job's headers, `name:value::name:value` or `NONE`: writing it, and the cursor that reads it back.
 * Reader and writer are inverse to each other: the reader takes exactly what the writer makes, so no two texts mean the
 * same headers and no text means two. What stands around the headers is in job.ts, the grammar in docs/protocol.md.
 */
import { EncodingError } from "../errors.ts";
import { readUtf8, utf8Length } from "./utf8.ts";

/** How many headers a job may have and how large they may be. */
export interface JobLimits {
  /** The most headers of one job. */
  readonly maxHeaders: number;
  /** The most bytes of UTF-8 all headers of a job take in their text form, escapes included. */
  readonly maxHeaderBytes: number;
}

/** The limits of every job. Exceeding one is an {@link EncodingError}. */
export const JOB_LIMITS: JobLimits = Object.freeze({ maxHeaders: 64, maxHeaderBytes: 8192 });

/** What separates the headers from the data. */
const SEPARATOR = ":::";
/** What stands for no headers at all, and only as the sole segment. */
const NONE = "NONE";
/** The head of a job without headers. */
export const NO_HEADERS: string = NONE + SEPARATOR;
/** What stands for the empty string where writing nothing would read as something else. */
const EMPTY = "\\e";
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** What a reader found at the start of a text. */
export interface HeaderSection {
  /** The headers and the separator, as they stand there. */
  readonly head: string;
  /** How many bytes of UTF-8 that takes. */
  readonly headBytes: number;
  /** The headers in the order written, or `undefined` for none. */
  readonly headers: Map<string, string> | undefined;
}

const noHeaders: HeaderSection = Object.freeze({
  head: NO_HEADERS,
  headBytes: NO_HEADERS.length,
  headers: undefined,
});
const NO_HEADER_BYTES: readonly number[] = Array.from(NO_HEADERS, (character) => character.charCodeAt(0));

/**
 * The headers of a job in their text form, and the separator.
 *
 * @throws EncodingError when it is over {@link JOB_LIMITS}.
 */
export function writeHeaders(headers: ReadonlyMap<string, string>): string {
  if (headers.size === 0) return NO_HEADERS;
  if (headers.size > JOB_LIMITS.maxHeaders) throw tooMany();
  let section = "";
  for (const [name, value] of headers) {
    // Before it is written out: escaping a text that is far over the limit takes its time.
    if (name.length + value.length > JOB_LIMITS.maxHeaderBytes) throw tooLarge();
    const first = section === "";
    if (!first) section += "::";
    // `NONE:` and nothing would begin `NONE:::` or read so: there, and only there, an empty value is spelled out.
    const text = first && name === NONE && value === "" ? EMPTY : escape(value);
    section += `${name === "" ? EMPTY : escape(name)}:${text}`;
  }
  checkSize(section);
  return section + SEPARATOR;
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll(":", "\\:");
}

function checkSize(section: string, offset?: number): number {
  const bytes = utf8Length(section);
  if (bytes > JOB_LIMITS.maxHeaderBytes) throw tooLarge(offset);
  return bytes;
}

function tooMany(offset?: number): EncodingError {
  return new EncodingError(`a job may have at most ${JOB_LIMITS.maxHeaders} headers`, offset);
}

function tooLarge(offset?: number): EncodingError {
  return new EncodingError(`the headers of a job may take at most ${JOB_LIMITS.maxHeaderBytes} bytes`, offset);
}

/**
 * Reads the headers at the start of `text` and the separator after them.
 *
 * @throws EncodingError when `text` does not begin with a header section in the writer's form, or one over the limits.
 */
export function readHeaders(text: string): HeaderSection {
  if (text.startsWith(NO_HEADERS)) return noHeaders;
  const cursor = new HeaderCursor(text);
  const headers = new Map<string, string>();
  for (;;) {
    const start = cursor.at;
    const name = cursor.name();
    if (headers.has(name)) throw new EncodingError(`the header ${JSON.stringify(name)} is there twice`, start);
    if (headers.size === JOB_LIMITS.maxHeaders) throw tooMany(start);
    headers.set(name, cursor.value(headers.size === 0 && name === NONE));
    if (cursor.endsHere()) break;
  }
  const section = text.slice(0, cursor.at);
  const headBytes = checkSize(section, cursor.at) + SEPARATOR.length;
  return { head: section + SEPARATOR, headBytes, headers };
}

/** Goes once through a header section, from left to right, undoing the escapes. */
class HeaderCursor {
  /** Where the cursor stands, in UTF-16 units. */
  at = 0;
  readonly #text: string;
  /** A section over the limit is refused before the rest of it is read; a unit takes at least one byte. */
  readonly #limit: number;

  constructor(text: string) {
    this.#text = text;
    this.#limit = Math.min(text.length, JOB_LIMITS.maxHeaderBytes + 1);
  }

  /** The name here; the cursor is then after the colon behind it. */
  name(): string {
    const start = this.at;
    const name = this.#emptyHere() ? "" : this.#field();
    if (this.at === start) throw new EncodingError("an empty name is written \\e", start);
    this.at++;
    return name;
  }

  /** The value here; the cursor is then on the colon behind it. */
  value(mayBeMarked: boolean): string {
    return mayBeMarked && this.#emptyHere() ? "" : this.#field();
  }

  /** Whether the separator is here (the cursor stays on it) or another header (the cursor moves to its name). */
  endsHere(): boolean {
    if (this.#text.startsWith(SEPARATOR, this.at)) return true;
    if (!this.#text.startsWith("::", this.at)) throw new EncodingError("expected :: or ::: after a value", this.at);
    this.at += 2;
    return false;
  }

  #emptyHere(): boolean {
    if (!this.#text.startsWith(`${EMPTY}:`, this.at)) return false;
    this.at += EMPTY.length;
    return true;
  }

  #field(): string {
    const text = this.#text;
    let field = "";
    let from = this.at;
    for (let i = from; i < this.#limit; i++) {
      const unit = text.charCodeAt(i);
      if (unit === COLON) {
        this.at = i;
        return field + text.slice(from, i);
      }
      if (unit !== BACKSLASH) continue;
      if (i + 1 === text.length) throw new EncodingError("unterminated escape", i);
      const escaped = text.charCodeAt(i + 1);
      if (escaped !== COLON && escaped !== BACKSLASH) throw new EncodingError("unknown escape", i);
      field += text.slice(from, i);
      from = ++i;
    }
    if (this.#limit < text.length) throw tooLarge(this.#limit);
    throw new EncodingError("expected ::: after the headers", text.length);
  }
}

/**
 * As {@link readHeaders}, of the bytes from `start` up to `end`, which need not be text after the separator.
 *
 * @throws EncodingError as there, also when the header section is not UTF-8.
 */
export function readHeaderBytes(bytes: Uint8Array, start: number, end: number): HeaderSection {
  if (beginsWithNone(bytes, start, end)) return noHeaders;
  const section = bytes.subarray(start, start + sectionEnd(bytes.subarray(start, end)));
  let text: string;
  try {
    text = readUtf8(section, 0, section.length);
  } catch (cause) {
    throw new EncodingError("the headers are not UTF-8", 0, { cause });
  }
  return readHeaders(text);
}

function beginsWithNone(bytes: Uint8Array, start: number, end: number): boolean {
  const length = NO_HEADER_BYTES.length;
  if (end - start < length) return false;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== NO_HEADER_BYTES[i]) return false;
  return true;
}

/**
 * How many bytes the headers and the separator take, or those that show that there is no header section. Only finds the
 * place, in bytes, since the data may be no text; what stands before it is read, and found wrong, by the one cursor. Colons
 * and backslashes are bytes of their own in UTF-8, never part of another character.
 */
function sectionEnd(bytes: Uint8Array): number {
  const limit = Math.min(bytes.length, JOB_LIMITS.maxHeaderBytes + 1);
  let inName = true;
  for (let i = 0; i < limit; i++) {
    const byte = bytes[i];
    if (byte === BACKSLASH) i++;
    if (byte !== COLON) continue;
    if (!inName) {
      if (bytes[i + 1] !== COLON) return i + 1;
      if (bytes[i + 2] === COLON) return i + 3;
      i++;
    }
    inName = !inName;
  }
  if (limit < bytes.length) throw tooLarge(limit);
  return limit;
}
