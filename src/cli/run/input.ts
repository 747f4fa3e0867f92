/**
 * The input of a run: lines of files or of stdin, one after the other, read only when they are asked for. See pipeline.ts
 * for when that is.
 */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { describeError } from "../../core/describe-error.ts";
import { CommandError, EXIT } from "../terminal/errors.ts";
import type { AttemptRecord, Payload } from "../../index.ts";
import { type SplitLine, LineSplitter } from "./line-splitter.ts";
import type { LineStream } from "./line-stream.ts";

/** One place to read lines from. */
export interface Input {
  /** As it was typed; `-` is stdin. */
  readonly name: string;
  /** Bytes to expect, or `undefined` when that is unknown. */
  readonly size: number | undefined;
}

/** What is known of a call that has not settled. */
export interface PendingCall {
  /** Whether it waits for a slot. */
  readonly isWaiting?: boolean;
}

const NO_ATTEMPTS: readonly AttemptRecord[] = Object.freeze([]);

/** One line, from when it is read until its result is written. Why one object: lines are many and small. */
export class InputLine {
  /** Its place among all lines, from 0. */
  readonly index: number;
  /** Where it was read. */
  readonly input: string;
  /** Its place in that input, from 1. */
  readonly line: number;
  /** Its text; empty when it is not a job. */
  readonly text: string;
  /** Why it cannot be a job. */
  readonly fault: string | undefined;
  /** Whether its outcome is known. */
  settled = false;
  /** The handler's result, or nothing when it failed. */
  value: Payload | undefined = undefined;
  /** What it failed with, if it was a job. */
  error: unknown = undefined;
  /** Its attempts so far. */
  attempts: readonly AttemptRecord[] = NO_ATTEMPTS;
  /** What it holds of the byte budget: its text, and its outcome once that is known. */
  bytes = 0;
  /** Its call, until that has settled. */
  call: PendingCall | undefined = undefined;
  /** Its items, once the first has come. */
  stream: LineStream<InputLine> | undefined = undefined;
  /** Whether its result is the end of a stream, with items or without. */
  endsStream = false;

  constructor(index: number, input: string, line: number, text: string, fault: string | undefined) {
    this.index = index;
    this.input = input;
    this.line = line;
    this.text = text;
    this.fault = fault;
  }
}

/** How the source reads. */
export interface SourceOptions {
  readonly inputs: readonly Input[];
  readonly stdin: Readable;
  readonly terminator: "newline" | "null";
  /** Whether each line has to be one JSON value. */
  readonly json: boolean;
  /** The largest line, in bytes. */
  readonly maxLineBytes: number;
  /** Called for each line in order: `true` leaves it out. Throws to end the run. */
  readonly skip: (index: number, text: string) => boolean;
}

/** Bytes read at a time. Larger chunks hold lines by the ten thousand, which wait long enough to reach the old generation. */
const CHUNK_BYTES = 64 * 1_024;

/** Reads the lines, a chunk at a time: a promise for each line would cost more than a small job. */
export class JobSource {
  readonly #options: SourceOptions;
  readonly #chunks: AsyncIterator<readonly SplitLine[], void>;
  #stream: Readable | undefined;
  #input = "";
  #lineNumber = 0;
  #lines: readonly SplitLine[] = [];
  #at = 0;
  #index = 0;
  #skipped = 0;
  #bytesSplit = 0;
  #linesSplit = 0;
  #ended = false;
  #stopped = false;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#chunks = this.#read();
  }

  /** Lines read so far, those left out included. */
  get lines(): number {
    return this.#index;
  }

  /** Lines left out so far. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Whether the input was read to its end. */
  get ended(): boolean {
    return this.#ended;
  }

  /** How many lines there will be: exact once the input has ended, before that estimated by its size, or unknown. */
  get expected(): number | undefined {
    if (this.#ended) return this.#index;
    let size = 0;
    for (const input of this.#options.inputs) {
      if (input.size === undefined) return undefined;
      size += input.size;
    }
    if (this.#bytesSplit === 0) return undefined;
    return Math.max(this.#index, (this.#linesSplit * size) / this.#bytesSplit);
  }

  /** Ends the input: a pending `more` resolves to `false`. May be called twice. */
  stop(): void {
    this.#stopped = true;
    this.#stream?.destroy();
  }

  /**
   * The next job among the lines at hand, or nothing when they are used up.
   * @throws what `skip` does.
   */
  next(): InputLine | undefined {
    if (this.#stopped) return undefined;
    while (this.#at < this.#lines.length) {
      const job = this.#admit(this.#lines[this.#at++] ?? "");
      if (job !== undefined) return job;
    }
    return undefined;
  }

  /** Reads on, once the lines at hand are used up: `false` at the end. Rejects with CommandError when an input cannot be read. */
  async more(): Promise<boolean> {
    const more = await this.#chunks.next();
    this.#lines = more.done === true ? [] : more.value;
    this.#at = 0;
    if (more.done !== true) return true;
    this.#ended = !this.#stopped;
    return false;
  }

  /** Counts a line; `undefined` when it is left out. */
  #admit(text: SplitLine): InputLine | undefined {
    const index = this.#index++;
    const line = ++this.#lineNumber;
    if (typeof text !== "string") return new InputLine(index, this.#input, line, "", text.fault);
    const fault = this.#options.json ? jsonFault(text) : undefined;
    if (!this.#options.skip(index, text)) return new InputLine(index, this.#input, line, text, fault);
    this.#skipped++;
    return undefined;
  }

  async *#read(): AsyncGenerator<readonly SplitLine[], void, undefined> {
    const { inputs, stdin, terminator, maxLineBytes } = this.#options;
    for (const { name } of inputs) {
      if (this.#stopped) return;
      const splitter = new LineSplitter({ terminator, maxLineBytes });
      const stream = name === "-" ? stdin : createReadStream(name, { highWaterMark: CHUNK_BYTES });
      this.#stream = stream;
      this.#input = name;
      this.#lineNumber = 0;
      for await (const chunk of this.#chunksOf(stream, name)) {
        this.#bytesSplit += chunk.length;
        const lines = splitter.push(chunk);
        this.#linesSplit += lines.length;
        yield lines;
      }
      if (!this.#stopped) yield splitter.end();
    }
  }

  async *#chunksOf(stream: Readable, name: string): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* stream as AsyncIterable<Buffer>;
    } catch (error) {
      if (this.#stopped) return;
      throw new CommandError(`cannot read ${name}: ${describeError(error)}`, EXIT.usage, { cause: error });
    }
  }
}

/** Why a line is not one JSON value, if it is not. */
function jsonFault(text: string): string | undefined {
  if (text.trim() === "") return "the line is empty, not a JSON value";
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `the line is not one JSON value: ${describeError(error)}`;
  }
}
