/**
 * The jobs of a run: lines of files or of stdin, one after the other, read only as fast as they are asked for. How many may
 * be on their way at a time, and so when to ask, is pipeline.ts.
 */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { CommandError, EXIT, messageOf } from "../terminal/errors.ts";
import { InputLine } from "./input-line.ts";
import { type SplitLine, LineSplitter } from "./line-splitter.ts";

/** One place to read lines from. */
export interface Input {
  /** As it was typed; `-` is stdin. */
  readonly name: string;
  /** Bytes to expect, or `undefined` when nobody knows. */
  readonly size: number | undefined;
}

/** How the source reads. */
export interface SourceOptions {
  readonly inputs: readonly Input[];
  readonly stdin: Readable;
  readonly terminator: "newline" | "null";
  /** Whether each line has to be one JSON value. */
  readonly json: boolean;
  /** The longest line, in bytes. */
  readonly longest: number;
  /** Called for each line in order: `true` leaves it out. Throws to end the run. */
  readonly skip: (index: number, text: string) => boolean;
}

/** Bytes read at a time. More of them would be lines by the ten thousand that wait long enough to become old garbage. */
const CHUNK = 64 * 1_024;

/** Reads the lines: a chunk at a time, as a promise for each would cost more than many a job. */
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

  /** How many lines there will be: exactly once the input has ended, before that by its size; or nobody knows. */
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

  /** No more lines. One that is being waited for does not come. May be called twice. */
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

  /** Counts a line and notes what is known of it; nothing when it is left out. */
  #admit(text: SplitLine): InputLine | undefined {
    const index = this.#index++;
    const line = ++this.#lineNumber;
    if (typeof text !== "string") return new InputLine(index, this.#input, line, "", text.fault);
    const fault = this.#options.json ? faultOf(text) : undefined;
    if (!this.#options.skip(index, text)) return new InputLine(index, this.#input, line, text, fault);
    this.#skipped++;
    return undefined;
  }

  async *#read(): AsyncGenerator<readonly SplitLine[], void, undefined> {
    const { inputs, stdin, terminator, longest } = this.#options;
    for (const { name } of inputs) {
      if (this.#stopped) return;
      const splitter = new LineSplitter({ terminator, longest });
      const stream = name === "-" ? stdin : createReadStream(name, { highWaterMark: CHUNK });
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
      throw new CommandError(`cannot read ${name}: ${messageOf(error)}`, EXIT.usage, { cause: error });
    }
  }
}

/** Why a line is not one JSON value, if it is not. */
function faultOf(text: string): string | undefined {
  if (text.trim() === "") return "the line is empty, not a JSON value";
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return `the line is not one JSON value: ${messageOf(error)}`;
  }
}
