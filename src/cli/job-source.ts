/**
 * The jobs of a run: lines of files or of stdin, one after the other, read only as fast as they are asked for. Owns what
 * is known of each line from reading to reporting, and how much may be held; the runner decides when to ask.
 */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { CommandError, EXIT, wordsOf } from "./faults.ts";
import { type Line, LineSplitter } from "./line-splitter.ts";

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

/** A line on its way: known from when it is read until its outcome is written. */
export interface JobLine {
  /** Its place among all lines, from 0. */
  readonly index: number;
  /** Where it was read. */
  readonly input: string;
  /** Its place in that input, from 1. */
  readonly line: number;
  /** Its text; empty when it is no job. */
  readonly text: string;
  /** Why it cannot be a job, if it cannot. */
  readonly fault: string | undefined;
}

/**
 * Bytes, roughly, of lines and their results that may be on their way at a time: what bounds the memory, whoever is slow.
 * The jobs that run when it is used up still add their results.
 */
const BUDGET = 64 * 1_048_576;
/** What a line takes besides its text, amply: what bounds how far short jobs run ahead of the reader. */
const LINE_COST = 4_096;
/** A line and what it takes of the budget. */
interface Underway {
  readonly line: JobLine;
  cost: number;
}

const CHUNK = 256 * 1_024;

/**
 * What the runner is handed for a line that is no job: it refuses a lone surrogate as it refuses all damaged data, and the
 * refusal is an outcome in its place like any other. Why the line is bad is told from {@link JobLine.fault}.
 */
const NO_JOB = "\ud800";

const DONE: { readonly done: true; readonly value: undefined } = Object.freeze({ done: true, value: undefined });

/** Reads the lines, and is read by one runner. Not a generator: those would cost more than many a job. */
export class JobSource implements AsyncIterableIterator<string, void, undefined> {
  readonly #options: SourceOptions;
  readonly #underway = new Map<number, Underway>();
  readonly #chunks: AsyncIterator<readonly Line[], void>;
  #stream: Readable | undefined;
  #input = "";
  #lineNumber = 0;
  #lines: readonly Line[] = [];
  #at = 0;
  #given = 0;
  #index = 0;
  #skipped = 0;
  #held = 0;
  #room: (() => void) | undefined;
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
    this.#room?.();
    this.#stream?.destroy();
  }

  /** The runner's `place`-th input has a result of so many bytes, which is held from now on. */
  settled(place: number, bytes: number): void {
    const underway = this.#underway.get(place);
    if (underway === undefined) return;
    underway.cost += bytes;
    this.#held += bytes;
  }

  /** The line behind the runner's `place`-th input, and the end of keeping it and its result. */
  take(place: number): JobLine {
    const underway = this.#underway.get(place);
    if (underway === undefined) throw new Error(`no line was handed over as ${place}`);
    this.#underway.delete(place);
    this.#held -= underway.cost;
    if (this.#held <= BUDGET) this.#room?.();
    return underway.line;
  }

  /** What the runner runs, in order. Rejects with CommandError when an input cannot be read. */
  next(): Promise<IteratorResult<string, void>> {
    if (this.#held > BUDGET || this.#stopped) return this.#readOn();
    const value = this.#nextJob();
    return value === undefined ? this.#readOn() : Promise.resolve({ done: false, value });
  }

  /** Nobody wants more. */
  return(): Promise<IteratorResult<string, void>> {
    this.stop();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #readOn(): Promise<IteratorResult<string, void>> {
    for (;;) {
      if (this.#held > BUDGET && !this.#stopped) await this.#hasRoom();
      if (this.#stopped) return DONE;
      const value = this.#nextJob();
      if (value !== undefined) return { done: false, value };
      const more = await this.#chunks.next();
      this.#lines = more.done === true ? [] : more.value;
      this.#at = 0;
      if (more.done !== true) continue;
      this.#ended = !this.#stopped;
      return DONE;
    }
  }

  /** The next job among the lines at hand, or nothing. */
  #nextJob(): string | undefined {
    while (this.#at < this.#lines.length) {
      const job = this.#admit(this.#input, ++this.#lineNumber, this.#lines[this.#at++] ?? "");
      if (job !== undefined) return job;
    }
    return undefined;
  }

  /** Counts a line and notes what is known of it; nothing when it is left out. */
  #admit(input: string, line: number, text: Line): string | undefined {
    const index = this.#index++;
    const fault = typeof text === "string" ? this.#faultOf(text) : text.fault;
    if (typeof text === "string" && this.#options.skip(index, text)) {
      this.#skipped++;
      return undefined;
    }
    const known: JobLine = { index, input, line, text: typeof text === "string" ? text : "", fault };
    const cost = LINE_COST + known.text.length;
    this.#underway.set(this.#given++, { line: known, cost });
    this.#held += cost;
    return fault === undefined ? known.text : NO_JOB;
  }

  #faultOf(text: string): string | undefined {
    if (!this.#options.json) return undefined;
    if (text.trim() === "") return "the line is empty, not a JSON value";
    try {
      JSON.parse(text);
      return undefined;
    } catch (error) {
      return `the line is not one JSON value: ${wordsOf(error)}`;
    }
  }

  #hasRoom(): Promise<void> {
    return new Promise((resolve) => {
      this.#room = (): void => {
        this.#room = undefined;
        resolve();
      };
    });
  }

  async *#read(): AsyncGenerator<readonly Line[], void, undefined> {
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
      throw new CommandError(`cannot read ${name}: ${wordsOf(error)}`, EXIT.usage, { cause: error });
    }
  }
}
