/**
 * Turns chunks of bytes into lines: splits, drops the terminators, decodes UTF-8. Holds one unfinished line, and nothing of
 * a line that is too long.
 */
import { isUtf8 } from "node:buffer";

/** A line that cannot be a job, and why. */
export interface BadLine {
  /** For people to read. */
  readonly fault: string;
}

/** One line without its terminator. */
export type SplitLine = string | BadLine;

/** How lines end. */
export interface LineRules {
  /** `newline`: `\n` or `\r\n`; `null`: a zero byte. */
  readonly terminator: "newline" | "null";
  /** The largest line, in bytes; of a larger one nothing is kept. */
  readonly maxLineBytes: number;
}

const NOT_UTF8: BadLine = Object.freeze({ fault: "the line is not valid UTF-8" });

/** Splits one input. A line that has begun and has no terminator at the end counts; nothing at all does not. */
export class LineSplitter {
  readonly #rules: LineRules;
  readonly #terminator: number;
  readonly #separator: string;
  /** The unfinished line, in pieces. */
  #pieces: Buffer[] = [];
  #held = 0;
  #tooLong = false;
  #first = true;

  constructor(rules: LineRules) {
    this.#rules = rules;
    this.#terminator = rules.terminator === "null" ? 0 : 10;
    this.#separator = rules.terminator === "null" ? "\0" : "\n";
  }

  /** The lines that end in this chunk. */
  push(chunk: Buffer): readonly SplitLine[] {
    const end = chunk.lastIndexOf(this.#terminator);
    if (end < 0) {
      this.#hold(chunk);
      return [];
    }
    const lines: SplitLine[] = [];
    let from = 0;
    if (this.#held > 0 || this.#tooLong) {
      from = chunk.indexOf(this.#terminator) + 1;
      this.#hold(chunk.subarray(0, from - 1));
      lines.push(this.#release());
    }
    if (from <= end) this.#read(chunk.subarray(from, end), lines);
    if (end + 1 < chunk.length) this.#hold(chunk.subarray(end + 1));
    return lines;
  }

  /** The last line, if it has no terminator. */
  end(): readonly SplitLine[] {
    if (this.#held === 0 && !this.#tooLong) return [];
    // Without the \n behind it, a \r belongs to the line.
    const kept = this.#terminator === 10 && this.#pieces.at(-1)?.at(-1) === 13 ? "\r" : "";
    const line = this.#release();
    return [typeof line === "string" ? line + kept : line];
  }

  #hold(piece: Buffer): void {
    this.#held += piece.length;
    // One more for the \r that may not belong to the line.
    if (this.#held > this.#rules.maxLineBytes + 1) {
      this.#tooLong = true;
      this.#pieces = [];
    } else if (piece.length > 0) {
      this.#pieces.push(piece);
    }
  }

  #release(): SplitLine {
    const pieces = this.#pieces;
    const tooLong = this.#tooLong;
    this.#pieces = [];
    this.#held = 0;
    this.#tooLong = false;
    const lines: SplitLine[] = [];
    if (tooLong) return { fault: `the line has over ${this.#rules.maxLineBytes} bytes` };
    this.#read(pieces.length === 1 ? (pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(pieces), lines);
    return lines[0] ?? "";
  }

  /** Whole lines, without the last terminator. As terminators are ASCII, one look tells whether all of it is UTF-8. */
  #read(bytes: Buffer, lines: SplitLine[]): void {
    if (isUtf8(bytes)) {
      const text = this.#withoutMark(bytes.toString("utf8"));
      for (const line of text.split(this.#separator)) lines.push(this.#trim(line));
      return;
    }
    for (let from = 0; from <= bytes.length;) {
      const found = bytes.indexOf(this.#terminator, from);
      const end = found < 0 ? bytes.length : found;
      const line = bytes.subarray(from, end);
      lines.push(isUtf8(line) ? this.#trim(this.#withoutMark(line.toString("utf8"))) : NOT_UTF8);
      this.#first = false;
      from = end + 1;
    }
  }

  #trim(line: string): string {
    return this.#terminator === 10 && line.endsWith("\r") ? line.slice(0, -1) : line;
  }

  /** A byte order mark at the very beginning belongs to the file, not to its first line. */
  #withoutMark(text: string): string {
    const first = this.#first;
    this.#first = false;
    return first && text.startsWith("\ufeff") ? text.slice(1) : text;
  }
}
