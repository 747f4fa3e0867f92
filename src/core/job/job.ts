/**
 * A job: data for a handler, and headers around it. Owns what may be in one and its text form `headers:::data`; how the
 * headers are written is in headers.ts, how a job travels in codec.ts.
 */
import { EncodingError } from "../errors.ts";
import { NO_HEADERS, readHeaderBytes, readHeaders, writeHeaders, type HeaderSection } from "./headers.ts";
import { type Hole, HoledBytes, isHoled } from "./holed-bytes.ts";
import { badUtf8At, isBytes, keptBytes, loneSurrogateAt, plainBytes, readUtf8, utf8Length } from "./utf8.ts";

export { JOB_LIMITS, type JobLimits } from "./headers.ts";

const encoder = new TextEncoder();
/** Marks the jobs of every copy of the package. */
const JOB = Symbol.for("powerhose.Job");

/** What a {@link Job} can be given as headers: pairs, a `Map`, or an object's own properties. */
export type JobHeaders = Iterable<readonly [string, string]> | Readonly<Record<string, string>>;

/** @internal What the caller of a task says of its results. */
export interface TaskTyping {
  /** Makes one form of all results that mean the same, for `verify`. */
  readonly canonical?: ((result: Uint8Array) => Uint8Array) | undefined;
  /** Whether it reads results with holes. */
  readonly takesHoles?: boolean;
}

/** Data for a handler, with headers. */
export class Job {
  /** What the handler works on: text, or bytes. Bytes are not copied: leave them alone until the job has settled. */
  readonly data: string | Uint8Array;
  #task: string | undefined;
  #typing: TaskTyping | undefined;
  #holed: HoledBytes | undefined;
  // Most jobs have none, and a Map costs more than the rest of the job: it is made when first read.
  #headers: Map<string, string> | undefined;
  // Written when the headers change, not when the job is sent: it is sent more often.
  #head: string = NO_HEADERS;

  /**
   * @param data - Text, or bytes.
   * @param headers - Added in order as by {@link Job.addHeader}. An object lists names that look like integers first,
   *   whatever order they were written in: give pairs where that matters.
   * @throws TypeError when `data`, a name or a value is of another type, or has a lone surrogate.
   * @throws EncodingError when the headers are over {@link JOB_LIMITS}.
   */
  constructor(data: string | Uint8Array, headers?: JobHeaders) {
    if (!isBytes(data)) checkText(data, "the data of a job", "a string or bytes");
    this.data = data;
    if (isHoled(data)) {
      this.#holed = data;
      let joined: Uint8Array | undefined;
      // Handlers of jobs know no holes: for them the data is filled, once it is read.
      Object.defineProperty(this, "data", { get: () => (joined ??= data.joined()), enumerable: true });
    }
    if (headers === undefined) return;
    for (const [name, value] of pairs(headers)) this.addHeader(name, value);
  }

  /**
   * The headers in the order they were added, as they were given: escapes exist only in the text form. A later
   * {@link Job.addHeader} makes a new map and leaves this one as it is.
   */
  get headers(): ReadonlyMap<string, string> {
    return (this.#headers ??= new Map());
  }

  /** Which of its worker's tasks it is for: then its data is a value, see `powerhose/tasks`. Absent for a handler of jobs. */
  get task(): string | undefined {
    return this.#task;
  }

  /** @internal What makes one form of all results that mean the same, for `verify`; absent: results are compared as they are. */
  get canonical(): ((result: Uint8Array) => Uint8Array) | undefined {
    return this.#typing?.canonical;
  }

  /** @internal Whether its caller reads results with holes; else they are filled. */
  get takesHoles(): boolean {
    return this.#typing?.takesHoles === true;
  }

  /** @internal Whether its buffers were given to a worker: then it can be sent no more. */
  get hasLeft(): boolean {
    return this.#holed?.hasLeft === true;
  }

  /** @internal The data, whose large buffers may stand apart: `data` is a copy then, with the holes filled. */
  get content(): string | Uint8Array {
    return this.#holed ?? this.data;
  }

  /** @internal The data, unless its buffers stand apart: for logs, which copy nothing. */
  get heldData(): string | Uint8Array | undefined {
    return this.#holed === undefined ? this.data : undefined;
  }

  /** @internal The same job for a task. Neither text form holds its name. */
  forTask(task: string, typing?: TaskTyping): Job {
    const job = new Job(this.content);
    job.#task = task;
    job.#typing = typing;
    job.#head = this.#head;
    job.#headers = this.#headers;
    return job;
  }

  /** @internal The same job with these headers before its own, which win. */
  withDefaultHeaders(headers: JobHeaders): Job {
    const job = new Job(this.content, headers);
    for (const [name, value] of this.headers) job.addHeader(name, value);
    job.#task = this.#task;
    job.#typing = this.#typing;
    return job;
  }

  /** @internal The same job, whose data is bytes with these holes. */
  withHoles(holes: readonly Hole[]): Job {
    const { data } = this;
    if (typeof data === "string") throw new EncodingError("a hole in the data of a job that is text");
    const job = new Job(new HoledBytes(data, holes));
    job.#task = this.#task;
    job.#head = this.#head;
    job.#headers = this.#headers;
    return job;
  }

  /**
   * Adds a header. One of that name keeps its place and gets the new value.
   *
   * @throws TypeError when the name or the value is not a string or has a lone surrogate.
   * @throws EncodingError when the headers would be over {@link JOB_LIMITS}; the job is as before.
   */
  addHeader(name: string, value: string): this {
    checkText(name, "the name of a header");
    checkText(value, `the value of the header ${JSON.stringify(name)}`);
    const next = new Map(this.#headers);
    next.set(name, value);
    this.#head = writeHeaders(next);
    this.#headers = next;
    return this;
  }

  /** @internal The job itself; of a job that another copy of this package has made, a job of its own; of all else nothing. */
  static adopt(value: unknown): Job | undefined {
    if (value instanceof Job) return value;
    if (typeof value !== "object" || value === null || !(JOB in value)) return undefined;
    const [data, headers, task]: readonly unknown[] = ["data", "headers", "task"].map((key) => Reflect.get(value, key));
    const job = new Job(data as string | Uint8Array, headers as JobHeaders);
    return typeof task === "string" ? job.forTask(task) : job;
  }

  /**
   * The text form, `headers:::data`.
   *
   * @throws EncodingError when the data is bytes: they have no text form, see {@link Job.serializeBytes}.
   */
  serialize(): string {
    if (typeof this.data !== "string") {
      throw new EncodingError("a job whose data is bytes has no text form: use serializeBytes");
    }
    return this.#head + this.data;
  }

  /** The text form in UTF-8, or for a job whose data is bytes its headers so and the bytes as they are. */
  serializeBytes(): Uint8Array<ArrayBuffer> {
    const { data } = this;
    if (typeof data === "string") return encoder.encode(this.serialize());
    const headBytes = utf8Length(this.#head);
    const bytes = new Uint8Array(headBytes + data.length);
    encoder.encodeInto(this.#head, bytes);
    bytes.set(data, headBytes);
    return bytes;
  }

  /**
   * What stands before the data in the text form: the headers and the separator.
   *
   * @internal
   */
  get head(): string {
    return this.#head;
  }

  /**
   * Reads what {@link Job.serialize} wrote, and nothing else: of every accepted text the job serializes to that text.
   *
   * @throws EncodingError with the offset, in UTF-16 units, when `text` is malformed or its headers are over
   *   {@link JOB_LIMITS}.
   * @throws TypeError when `text` is not a string.
   */
  static loadFromString(text: string): Job {
    if (typeof text !== "string") throw wrongKind("the text of a job", "a string", text);
    const lone = loneSurrogateAt(text);
    if (lone >= 0) throw new EncodingError("a lone surrogate", lone);
    const section = readHeaders(text);
    return Job.#fromSection(text.slice(section.head.length), section);
  }

  /**
   * Reads what {@link Job.serializeBytes} wrote, and nothing else. The form does not say whether the data was text:
   * `as` does. The data of an `as: "bytes"` job is a view into `bytes`, which the job owns from here on.
   *
   * @throws EncodingError as {@link Job.loadFromString}, also for what should be UTF-8 and is not. The offset of a fault
   *   in the headers counts UTF-16 units, that of a fault in the data bytes.
   * @throws TypeError when `bytes` is not a `Uint8Array`.
   */
  static loadFromBytes(bytes: Uint8Array, as: "text" | "bytes"): Job {
    if (!isBytes(bytes)) throw wrongKind("the bytes of a job", "a Uint8Array", bytes);
    const plain = plainBytes(bytes);
    if (as === "text") return Job.readText(plain, 0, plain.length);
    const section = readHeaderBytes(plain, 0, plain.length);
    return Job.#fromSection(plain.subarray(section.headBytes), section);
  }

  /**
   * As {@link Job.loadFromBytes} as text, of the bytes from `start` up to `end`.
   *
   * @internal
   */
  static readText(this: void, bytes: Uint8Array, start: number, end: number): Job {
    const section = readHeaderBytes(bytes, start, end);
    const dataAt = start + section.headBytes;
    let data: string;
    try {
      data = readUtf8(bytes, dataAt, end);
    } catch (cause) {
      const at = section.headBytes + badUtf8At(bytes.subarray(dataAt, end));
      throw new EncodingError("the data is not UTF-8", at, { cause });
    }
    return Job.#fromSection(data, section);
  }

  /**
   * As {@link Job.loadFromBytes} as bytes, of the bytes from `start` up to `end`. The data is to keep: see keptBytes.
   *
   * @internal
   */
  static readBytes(this: void, bytes: Uint8Array, start: number, end: number): Job {
    const section = readHeaderBytes(bytes, start, end);
    return Job.#fromSection(keptBytes(bytes, start + section.headBytes, end), section);
  }

  // What a reader found has been checked by reading it; adding the headers one by one would check all of them each time.
  static #fromSection(data: string | Uint8Array, { head, headers }: HeaderSection): Job {
    const job = new Job(data);
    job.#head = head;
    job.#headers = headers;
    return job;
  }
}

Object.defineProperty(Job.prototype, JOB, { value: true });

function pairs(headers: JobHeaders): Iterable<readonly [string, string]> {
  if (typeof headers !== "object" || headers === null) {
    throw wrongKind("the headers of a job", "pairs or an object", headers);
  }
  // The cast repeats what the union says: narrowing by a computed key does not tell its two halves apart.
  return Symbol.iterator in headers ? (headers as Iterable<readonly [string, string]>) : Object.entries(headers);
}

function checkText(text: string, field: string, kinds = "a string"): void {
  if (typeof text !== "string") throw wrongKind(field, kinds, text);
  if (!text.isWellFormed()) throw new TypeError(`${field} has a lone surrogate, which UTF-8 cannot carry`);
}

function wrongKind(field: string, kinds: string, value: unknown): TypeError {
  return new TypeError(`expected ${field} to be ${kinds}, got ${value === null ? "null" : typeof value}`);
}
