/** The caller's side of typed tasks: an object with a function for each task of a worker. */
import { EncodingError, isExecutionError } from "../core/errors.ts";
import { isTaskName } from "../core/identifiers.ts";
import { EXECUTE_RULES, type ExecuteOptions } from "../core/job/execute-options.ts";
import type { InputSource } from "../core/job/input-source.ts";
import { Job, type JobHeaders, type TaskTyping } from "../core/job/job.ts";
import type { MapOptions, MapOptionsOf, Outcome } from "../core/dispatch/map.ts";
import { checkOptions, hasMethods } from "../core/options.ts";
import type { Payload } from "../core/peer.ts";
import { type ErrorClass, errorClasses, type ErrorClasses, restoreErrors, restoreFields } from "./error-classes.ts";
import type { PayloadStream } from "../core/job/payload-stream.ts";
import { isBytes } from "../core/job/utf8.ts";
import { CallPromise, type StreamCall, ValueStream } from "./stream.ts";
import { RESERVED_NAMES } from "./reserved-names.ts";
import { encodedSource } from "./task-input.ts";
import type { CheckedTask, TaskContext } from "./task.ts";
import type { Tasks } from "./tasks.ts";
import { PayloadCodec, Transferred } from "./transfer.ts";
import { canonicalValue } from "./value/canonical.ts";
import { cbor } from "./value/cbor.ts";
import type { ValueCodec } from "./value/value-codec.ts";

/** What runs jobs: a `JobRunner`, or a leased worker. */
export interface TaskRunner {
  /** Runs one job. */
  execute(job: Job, options?: ExecuteOptions): Promise<Payload>;
  /** Runs one job that may give a stream, as `JobRunner.open`. Without it a task that gives one fails. */
  open?(job: Job, options?: ExecuteOptions): Promise<Payload | PayloadStream>;
  /** Runs many jobs, as `JobRunner.map`. Without it the tasks have no `map`: a leased worker takes one job after the other. */
  map?<T>(
    inputs: Iterable<T> | AsyncIterable<T>,
    options: MapOptionsOf<T>,
  ): AsyncGenerator<Outcome<T>, void, undefined>;
}

/** Options of one call, over those of its client. */
export interface TaskCallOptions extends Omit<ExecuteOptions, "onProgress" | "input"> {
  /** Called with what the task says of its progress: the latest, at most ten times a second, and before the result. */
  readonly onProgress?: ((value: unknown) => void) | undefined;
  /** Headers that the task finds in its context, on top of the client's. */
  readonly headers?: JobHeaders | undefined;
  /**
   * Buffers of the input whose memory is given away: a thread gets it without a copy. Each once, not detached, and part of the input.
   * They are detached as soon as the task is called. There is one attempt: an `attempts` or a `verify` over 1 is a TypeError. One of which
   * the input holds a part only is copied, and stays.
   */
  readonly transfer?: readonly ArrayBuffer[] | undefined;
}

/** Options of a call of a task that reads a stream of rows besides its input. */
export interface TaskStreamOptions<Row> extends TaskCallOptions {
  /**
   * The rows, any values: an iterable, which is read once, so that a call whose rows were begun is not tried again; or a function that
   * gives one for each attempt. They are pulled as fast as the task reads. What it throws rejects the call.
   */
  readonly input: InputSource<Row>;
}

/** Options of `map` of a {@link ClientTask}, over those of its client: those of `JobRunner.map`, and headers for each call. */
export interface TaskMapOptions extends MapOptions {
  /** Headers that the task finds in its context, on top of the client's. */
  readonly headers?: JobHeaders | undefined;
}

/** Options of {@link client}: defaults of its calls. */
export interface ClientOptions extends Omit<ExecuteOptions, "signal" | "onJobId" | "onProgress" | "input"> {
  /** Headers of each call, or what returns them: called in the caller's async context. */
  readonly headers?: JobHeaders | (() => JobHeaders) | undefined;
  /** Classes of errors whose instances the `cause` of an ExecutionError is made: a list, or a record by their names. */
  readonly errors?: readonly ErrorClass[] | Readonly<Record<string, ErrorClass>> | undefined;
  /** How values become bytes; default `cbor()`. The worker needs the same. */
  readonly codec?: ValueCodec | undefined;
}

/** What a task takes: of a function its first parameter, of a checked task what its schema takes. */
export type InputOf<T> =
  T extends CheckedTask<infer Input, unknown>
    ? Input
    : T extends (...parameters: infer P) => unknown
      ? P extends readonly []
        ? undefined
        : P[0]
      : never;

/** What a task gives. */
export type ResultOf<T> =
  T extends CheckedTask<unknown, infer Result>
    ? Awaited<Result>
    : T extends (...parameters: never) => infer Result
      ? Awaited<Result>
      : never;

/** The rows of the stream that a task reads: of its {@link TaskContext}; `never` when it reads none. */
export type RowOf<T> =
  T extends CheckedTask<unknown, unknown, infer Row>
    ? Row
    : T extends (input: never, context: infer Context) => unknown
      ? RowOfContext<Context>
      : never;

/** The rows that a context gives. */
export type RowOfContext<Context> = 0 extends 1 & Context
  ? never
  : Context extends TaskContext<infer Row>
    ? Row
    : never;

/** A task as its callers see it: a function. */
export type ClientTask<Input, Result, Row = never> = [Row] extends [never]
  ? TaskCall<Input, Result> & (CallOf<Result> extends StreamCall<unknown, unknown> ? unknown : TaskMap<Input, Result>)
  : TaskStreamCall<Input, Result, Row>;

/** One call of a task. */
export type TaskCall<Input, Result> = undefined extends Input
  ? (input?: Input, options?: TaskCallOptions) => CallOf<Result>
  : (input: Input, options?: TaskCallOptions) => CallOf<Result>;

/** One call of a task that reads a stream of rows. */
export type TaskStreamCall<Input, Result, Row> = (input: Input, options: TaskStreamOptions<Row>) => CallOf<Result>;

/** What a call gives: a promise, or of a task that gives a stream a promise that is one. */
export type CallOf<Result> = [Result] extends [never]
  ? Promise<never>
  : 0 extends 1 & Result
    ? Promise<Result>
    : [Result] extends [AsyncIterable<infer Item, infer Return>]
      ? StreamCall<Item, Return>
      : Promise<Result>;

/** Many calls of a task. */
export interface TaskMap<Input, Result> {
  /**
   * Calls the task for each input, pulling inputs only as fast as workers free up and results are read, as `JobRunner.map`. A
   * call's failure is an outcome, and so is an input that cannot be carried. `windowBytes` counts the values as bytes.
   *
   * @throws TypeError when what runs the jobs has no `map`.
   */
  readonly map: <I extends Input>(
    inputs: Iterable<I> | AsyncIterable<I>,
    options?: TaskMapOptions,
  ) => AsyncGenerator<Outcome<I, Result>, void, undefined>;
}

/** The tasks of a worker as its callers see them: of `typeof images`, or of an interface that is written down. */
export type Client<T> = T extends Tasks<infer R> ? ClientOf<unknown extends R ? T : R> : ClientOf<T>;

/** A function for each task of a record or an interface. */
export type ClientOf<R> = { readonly [K in keyof R]: ClientTask<InputOf<R[K]>, ResultOf<R[K]>, RowOf<R[K]>> };

/**
 * Makes an object with a function for each task: `client<typeof images>(runner).resize(input)`. Nothing of the worker's module is
 * loaded, and whether a task exists is known only when it is called: a job waits for a worker that has the task.
 *
 * A call rejects as `JobRunner.execute` does, and with an EncodingError that names the path of what cannot be carried.
 *
 * @throws TypeError for what runs no jobs, and for options that do not fit.
 */
export function client<T>(runner: TaskRunner, options: ClientOptions = {}): Client<T> {
  const wrong = hasMethods("a JobRunner, or another object with `execute`", "execute")(runner);
  if (wrong !== undefined) throw new TypeError(`client: expected ${wrong}`);
  const caller = new Caller(runner, options);
  const known = new Map<string, unknown>();
  const target: object = Object.freeze({ __proto__: null });
  // Typed by its tasks, which are known to the compiler alone.
  return new Proxy(target, {
    get: (_target, name) => {
      if (typeof name !== "string" || !isTaskName(name) || RESERVED_NAMES.has(name)) return undefined;
      let call = known.get(name);
      if (call === undefined) {
        call = taskOf(name, caller);
        known.set(name, call);
      }
      return call;
    },
  }) as Client<T>;
}

function taskOf(name: string, caller: Caller): unknown {
  return Object.assign((input: unknown, options?: AnyCallOptions) => caller.call(name, input, options), {
    map: <T>(inputs: Iterable<T> | AsyncIterable<T>, options?: TaskMapOptions) => caller.map(name, inputs, options),
  });
}

function isPayload(answer: Payload | PayloadStream): answer is Payload {
  return typeof answer === "string" || isBytes(answer);
}

type AnyCallOptions = TaskCallOptions & Partial<TaskStreamOptions<unknown>>;

const NOTHING: readonly ArrayBuffer[] = [];
const NOT_FOR_INPUTS =
  "`transfer(…)` is for what a task gives: name the buffers of its input in the option `transfer` of the call";

/** A buffer that was given to a worker is nowhere else: all that may be wrong is found before it is taken. */
function checkSingleAttempt(own: ExecuteOptions): void {
  checkOptions("execute", own, EXECUTE_RULES);
  const { attempts = 1, verify = 1 } = own;
  if (attempts > 1) throw new TypeError(`transfer: there is one attempt, and \`attempts\` asks for ${attempts}`);
  if (verify > 1) throw new TypeError(`transfer: there is one attempt, and \`verify\` asks for ${verify}`);
}

class Caller {
  readonly #runner: TaskRunner;
  readonly #codec: ValueCodec;
  readonly #payloads: PayloadCodec;
  readonly #typing: TaskTyping;
  readonly #errors: ErrorClasses;
  readonly #headers: ClientOptions["headers"];
  /** Absent without any: then a call makes no options of its own. */
  readonly #defaults: ExecuteOptions | undefined;

  constructor(runner: TaskRunner, { headers, errors, codec = cbor(), ...defaults }: ClientOptions) {
    this.#runner = runner;
    this.#codec = codec;
    this.#payloads = new PayloadCodec(codec);
    this.#typing = { canonical: canonicalOf(codec), takesHoles: this.#payloads.takesHoles };
    this.#errors = errorClasses(errors ?? []);
    this.#headers = headers;
    this.#defaults = Object.keys(defaults).length === 0 ? undefined : defaults;
  }

  call(task: string, input: unknown, given: AnyCallOptions | undefined): CallPromise<unknown> {
    return new CallPromise((resolve, reject) => {
      const onAnswer = (answer: Payload | PayloadStream): void =>
        resolve(isPayload(answer) ? this.#valueOf(task, answer) : this.#streamOf(task, answer));
      // What cannot be encoded, or decoded, is thrown.
      const onError = (error: unknown): void => reject(this.#restored(error));
      this.#run(task, input, given).then(onAnswer).catch(onError);
    });
  }

  #run(task: string, input: unknown, given: AnyCallOptions | undefined): Promise<Payload | PayloadStream> {
    const { headers, onProgress, transfer = NOTHING, input: rows, ...own } = given ?? {};
    const gives = transfer !== NOTHING && !(Array.isArray(transfer) && transfer.length === 0);
    if (gives) checkSingleAttempt(own);
    const job = this.#jobOf(task, input, headers, gives ? transfer : NOTHING);
    const options = given === undefined ? this.#defaults : this.#optionsWith(own, gives, rows, onProgress);
    const runner = this.#runner;
    return runner.open === undefined ? runner.execute(job, options) : runner.open(job, options);
  }

  #optionsWith(
    own: ExecuteOptions,
    gives: boolean,
    rows: InputSource<unknown> | undefined,
    onProgress: TaskCallOptions["onProgress"],
  ): ExecuteOptions {
    const encode = (value: unknown, root: string): Uint8Array => this.#codec.encode(value, root);
    return {
      ...this.#defaults,
      ...own,
      ...(gives ? { attempts: 1, verify: 1 } : {}),
      ...(rows === undefined ? {} : { input: encodedSource(rows, encode) }),
      ...(onProgress && { onProgress: (payload) => this.#onProgress(payload, onProgress) }),
    };
  }

  /** What a worker says that is no value is not heard: it is no fault of the caller's. */
  #onProgress(payload: Payload, listener: (value: unknown) => void): void {
    let value: unknown;
    try {
      value = this.#valueOf("progress", payload);
    } catch {
      return;
    }
    listener(value);
  }

  #streamOf(task: string, stream: PayloadStream): ValueStream {
    return new ValueStream(stream, {
      decode: (payload) => this.#valueOf(task, payload),
      restored: (error) => this.#restored(error),
    });
  }

  map<T>(
    task: string,
    inputs: Iterable<T> | AsyncIterable<T>,
    { headers, ...own }: TaskMapOptions = {},
  ): AsyncGenerator<Outcome<T, unknown>, void, undefined> {
    if (typeof this.#runner.map !== "function") throw new TypeError(`\`${task}.map\` needs a runner with a \`map\``);
    // Here and not in the generator: the async context is that of the caller, not of the reader.
    const outcomes = this.#runner.map(inputs, {
      ...this.#defaults,
      ...own,
      toJob: (input: T) => this.#jobOf(task, input, headers),
    });
    return this.#read(task, outcomes);
  }

  async *#read<T>(
    task: string,
    outcomes: AsyncIterable<Outcome<T>>,
  ): AsyncGenerator<Outcome<T, unknown>, void, undefined> {
    for await (const outcome of outcomes) yield this.#outcomeOf(task, outcome);
  }

  #outcomeOf<T>(task: string, outcome: Outcome<T>): Outcome<T, unknown> {
    if (!outcome.ok) return { ...outcome, error: this.#restored(outcome.error) };
    try {
      return { ...outcome, value: this.#valueOf(task, outcome.value) };
    } catch (error) {
      const { input, index, attempts } = outcome;
      return { ok: false, error, input, index, attempts };
    }
  }

  #jobOf(
    task: string,
    input: unknown,
    headers: JobHeaders | undefined,
    transfer: readonly ArrayBuffer[] = NOTHING,
  ): Job {
    if (input instanceof Transferred) throw new TypeError(NOT_FOR_INPUTS);
    const data =
      transfer === NOTHING
        ? this.#payloads.encode(input, "input")
        : this.#payloads.encodeTransferred(input, "input", transfer);
    return new Job(data, this.#headersWith(headers)).forTask(task, this.#typing);
  }

  #valueOf(task: string, answer: Payload): unknown {
    if (typeof answer === "string") throw new EncodingError(`the result of \`${task}\` is text and no value`);
    return this.#payloads.decode(answer);
  }

  #restored(error: unknown): unknown {
    if (!isExecutionError(error)) return error;
    restoreFields(error, this.#codec);
    if (this.#errors.size > 0) restoreErrors(error.cause, this.#errors);
    return error;
  }

  #headersWith(own: JobHeaders | undefined): JobHeaders | undefined {
    const common = typeof this.#headers === "function" ? this.#headers() : this.#headers;
    if (common === undefined || own === undefined) return common ?? own;
    return [...new Job("", common).headers, ...new Job("", own).headers];
  }
}

/** The default codec has none of its own: only callers compare, and a worker need not load it. */
function canonicalOf(codec: ValueCodec): ((result: Uint8Array) => Uint8Array) | undefined {
  if (codec.canonical !== undefined) return (result) => codec.canonical?.(result) ?? result;
  return codec.name === "cbor" ? canonicalValue : undefined;
}
