/**
 * The log of a run: one JSON record for each finished job, appended once its result is with the kernel, so that a run that
 * was killed can go on where it stopped. A result may thus be printed twice (when the kill falls between the two), and is
 * never lost. Owns the file; which lines are left out is decided from it, reading them is input.ts.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  read,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import { describeError } from "../../core/describe-error.ts";
import { DoneLines, MAX_PLACE } from "./done-lines.ts";
import { codeOf, CommandError, usage } from "../terminal/errors.ts";
import { LogLock } from "./log-lock.ts";
import { type SplitLine, LineSplitter } from "./line-splitter.ts";
import { type Result, microseconds } from "./results.ts";

/** One line of the log. */
interface LogRecord {
  /** The line's place in the input, from 0. */
  readonly index: number;
  readonly ok: boolean;
  /** The first 16 hex digits of the SHA-256 of the line. */
  readonly sha256: string;
}

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const MAX_RECORD_BYTES = 65_536;
/** What each record begins with. */
const RECORD_HEAD = '{"index":';
/** Reads and appends through one descriptor, so that all of it is one file, whatever becomes of the path. */
const OPEN_MODE = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND;

/** What names a line's text in the log. */
export function fingerprint(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function readRecord(text: string): LogRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<LogRecord> | null;
    const { index, ok, sha256 } = record ?? {};
    if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index > MAX_PLACE) return undefined;
    if (typeof ok !== "boolean" || typeof sha256 !== "string" || !/^([0-9a-f]{16})?$/.test(sha256)) return undefined;
    return { index, ok, sha256 };
  } catch {
    return undefined;
  }
}

/** An open log. */
export class JobLog {
  readonly #path: string;
  readonly #file: number;
  readonly #done: DoneLines;
  /** No more records are taken: the file is closed, or a record could not be written whole. */
  #ended = false;

  readonly #lock: LogLock;

  private constructor(path: string, file: number, done: DoneLines, lock: LogLock) {
    this.#path = path;
    this.#lock = lock;
    this.#file = file;
    this.#done = done;
  }

  /**
   * Opens a log, or begins one. With `resume` its records are read and a torn last line is cut off.
   * @param inputs - What the run reads, which must be other files; `-` is stdin.
   * @throws CommandError (usage) when it cannot be opened, is no file, is an input or the output, is not a log, holds
   *   records without `resume`, or is another run's. It is left as it was then.
   */
  static async open(path: string, resume: boolean, inputs: readonly string[]): Promise<JobLog> {
    const file = openLog(path);
    let lock: LogLock | undefined;
    try {
      const stats = fstatSync(file);
      if (!stats.isFile()) throw usage(`--joblog: ${path} is not a file`);
      const { size } = stats;
      if (isSame(stats, statsOf(STDOUT))) throw usage(`--joblog: ${path} is also the output; name another file`);
      if (isSame(stats, statsOf(STDERR))) throw usage(`--joblog: ${path} is also where messages go; name another file`);
      const same = inputs.find((name) => isSame(stats, name === "-" ? statsOf(STDIN) : statAt(name)));
      if (same !== undefined) throw usage(`--joblog: ${path} is also an input (${same}); name another file`);
      if (size > 0 && !resume) {
        throw usage(`--joblog: ${path} holds an earlier run; go on with --resume, or remove it`);
      }
      lock = LogLock.take(path);
      const done = new DoneLines();
      if (size > 0) ftruncateSync(file, await readLog(file, path, done));
      return new JobLog(path, file, done, lock);
    } catch (error) {
      lock?.release();
      closeSync(file);
      throw error;
    }
  }

  /** How many lines an earlier run finished. */
  get finished(): number {
    return this.#done.count;
  }

  /**
   * Whether an earlier run finished this line.
   * @throws CommandError (usage) when it finished another text in this place.
   */
  has(index: number, text: string): boolean {
    const mark = this.#done.markOf(index);
    if (mark === undefined) return false;
    if (mark === markOf(fingerprint(text))) return true;
    throw usage(`--resume: job ${index} of ${this.#path} was another one; the input has changed since that run`);
  }

  /** The record of a finished job, to be handed to `append` once its result is written. */
  record({ index, error, attempts }: Result, text: string | undefined): string {
    const last = attempts.at(-1);
    const record = {
      index,
      ok: error === undefined,
      ms: last === undefined ? null : microseconds(last.ms),
      worker: last?.identity ?? null,
      sha256: text === undefined ? "" : fingerprint(text),
    };
    return `${JSON.stringify(record)}\n`;
  }

  /**
   * Writes records.
   * @throws CommandError when they cannot be written. Nothing is written after that: it would follow half a record.
   */
  append(records: string): void {
    if (records === "" || this.#ended) return;
    try {
      writeWhole(this.#file, Buffer.from(records));
    } catch (error) {
      this.#end();
      throw this.#fault(error);
    }
  }

  /**
   * Closes the file. May be called twice.
   * @throws CommandError when the host tells only then that something was not written, as network file systems do.
   */
  close(): void {
    try {
      this.#end();
    } catch (error) {
      throw this.#fault(error);
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#lock.release();
    closeSync(this.#file);
  }

  #fault(error: unknown): CommandError {
    return new CommandError(`cannot write the job log ${this.#path}: ${describeError(error)}`, undefined, {
      cause: error,
    });
  }
}

/** Short writes are carried on: the last one, which takes nothing, says why. */
function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const count = writeSync(file, bytes, at);
    if (count === 0) throw new Error("the file takes no more bytes");
    at += count;
  }
}

function openLog(path: string): number {
  try {
    // Not to wait for the other end of a FIFO, which is refused.
    return openSync(path, OPEN_MODE | constants.O_NONBLOCK, 0o666);
  } catch (error) {
    throw usage(
      `--joblog: cannot open ${path}: ${codeOf(error) === "EISDIR" ? "it is a directory" : describeError(error)}`,
      error,
    );
  }
}

function markOf(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 8), 16);
}

/** Whether both are one file, by whatever names. */
function isSame(log: Stats, other: Stats | undefined): boolean {
  return other !== undefined && other.isFile() && other.dev === log.dev && other.ino === log.ino;
}

function statAt(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** Nothing when the descriptor is closed, which is no file then. */
function statsOf(descriptor: number): Stats | undefined {
  try {
    return fstatSync(descriptor);
  } catch {
    return undefined;
  }
}

/** Whether a last line without a newline can be a record whose writing was cut short: anything else is not ours to cut. */
function isTorn(tail: SplitLine | undefined): boolean {
  if (tail === undefined) return true;
  return typeof tail === "string" && (tail.startsWith(RECORD_HEAD) || RECORD_HEAD.startsWith(tail));
}

const readAt = promisify(read);

/** A file from its beginning. Not a stream: that closes the descriptor when the reader leaves early, and it is ours. */
async function* chunksOf(file: number): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; ;) {
    const { bytesRead, buffer } = await readAt(file, Buffer.alloc(MAX_RECORD_BYTES), 0, MAX_RECORD_BYTES, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** Reads a log and returns the length of its whole lines. Throws when anything in it is not a record, or the beginning of one. */
async function readLog(file: number, path: string, done: DoneLines): Promise<number> {
  const splitter = new LineSplitter({ terminator: "newline", maxLineBytes: MAX_RECORD_BYTES });
  let number = 0;
  let length = 0;
  let size = 0;
  for await (const chunk of chunksOf(file)) {
    const end = chunk.lastIndexOf(10);
    if (end >= 0) length = size + end + 1;
    size += chunk.length;
    for (const line of splitter.push(chunk)) {
      number++;
      const record = typeof line === "string" ? readRecord(line) : undefined;
      if (record === undefined) throw usage(`--resume: ${path} is not a job log: line ${number} is not a record`);
      if (record.ok) done.add(record.index, markOf(record.sha256));
    }
  }
  if (!isTorn(splitter.end()[0])) throw usage(`--resume: ${path} is not a job log: line ${number + 1} is not a record`);
  return length;
}
