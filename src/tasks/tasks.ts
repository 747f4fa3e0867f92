/** The worker's side of typed tasks: a handler made of named functions. What is on the wire is in value/; the caller's side in client.ts. */
import type { Job } from "../core/job/job.ts";
import { isTaskName, MAX_TASKS, TASK_FORM } from "../core/identifiers.ts";
import type { Handler, JobContext } from "../core/worker/execution.ts";
import { isStream } from "../core/async/item-pump.ts";
import type { AsyncContext } from "../core/time/async-context.ts";
import { captureAsyncContext } from "../core/time/system.ts";
import { EncodedItems, type ItemEncoding } from "./item-encoder.ts";
import { ForwardedContext } from "../core/worker/forwarded-context.ts";
import { withTasks } from "../core/worker/handler-lifecycle.ts";
import { checkOptions, defineOptions, hasMethods, isFunction, type Validator } from "../core/options.ts";
import { type ErrorClass, errorClasses, type ErrorClasses, nameErrors } from "./error-classes.ts";
import {
  type CheckedTask,
  isCheckedTask,
  type Issue,
  type PathPart,
  type TaskContext,
  type TaskFunction,
} from "./task.ts";
import { PayloadCodec, Transferred } from "./transfer.ts";
import { cbor } from "./value/cbor.ts";
import type { ValueCodec } from "./value/value-codec.ts";
import type { JobInput } from "../core/worker/input-stream.ts";
import { DecodedInput } from "./task-input.ts";
import { ErrorValues } from "./error-values.ts";
import { RESERVED_NAMES } from "./reserved-names.ts";

/** Functions by the names of their tasks. */
export type TaskRecord = Readonly<Record<string, TaskFunction | CheckedTask<unknown, unknown>>>;

/** Options of {@link tasks}. */
export interface TasksOptions {
  /** Runs once before the worker registers. What it throws fails the worker's start. */
  readonly init?: (() => unknown) | undefined;
  /** Runs after the worker's last job, when it drains, stops or retires for good; not after a crash. */
  readonly close?: (() => unknown) | undefined;
  /** Runs each task: `run()` gives its result. For an AsyncLocalStorage store or a span that the headers name. */
  readonly around?: ((run: () => unknown, context: TaskContext) => unknown) | undefined;
  /** Classes of errors that callers get instances of, if they register them, too: a list, or a record by their names. */
  readonly errors?: readonly ErrorClass[] | Readonly<Record<string, ErrorClass>> | undefined;
  /** How values become bytes; default `cbor()`. Callers need the same. */
  readonly codec?: ValueCodec | undefined;
}

declare const RECORD: unique symbol;

/** A handler of named tasks: give it to a Worker, or export it by default from a module of threads. */
export interface Tasks<R> extends Handler {
  /** The functions, for {@link Client}. There is no such value. */
  readonly [RECORD]?: R;
}

const isErrorClasses: Validator = (value) =>
  typeof value === "object" && value !== null ? undefined : "a list or a record of classes of errors";

const OPTIONS = defineOptions<TasksOptions, never>({
  init: [isFunction],
  close: [isFunction],
  around: [isFunction],
  errors: [isErrorClasses],
  codec: [hasMethods("a ValueCodec, such as cbor()", "encode", "decode")],
});

/**
 * Makes a handler of named functions. Each takes one value and a context, and returns a value or a promise of one.
 *
 * @param record - At most 200 functions, or tasks made by `task`, by name: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
 * @throws TypeError for what is no function, a name that is no task's, and options that do not fit.
 */
export function tasks<const R extends TaskRecord>(record: R, options: TasksOptions = {}): Tasks<R> {
  checkOptions("tasks", options, OPTIONS.rules);
  const runs = checkedRecord(record);
  const { init, close, around, codec = cbor(), errors } = options;
  const server = new TaskServer(runs, codec, around, errorClasses(errors ?? []));
  const handler: Handler = (job, context) => server.serve(job, context);
  return withTasks(handler, {
    schemas: schemasOf(record),
    names: [...runs.keys()],
    fieldValues: () => new ErrorValues(codec),
    init,
    close,
  });
}

type Runs = ReadonlyMap<string, (input: unknown, context: TaskContext) => unknown>;

function checkedRecord(record: TaskRecord): Runs {
  if (typeof record !== "object" || record === null) throw new TypeError("tasks: expected a record of functions");
  const runs = new Map<string, (input: unknown, context: TaskContext) => unknown>();
  for (const [name, one] of Object.entries<unknown>(record)) {
    if (!isTaskName(name)) throw new TypeError(`tasks: \`${name}\` cannot name a task: expected ${TASK_FORM}`);
    if (RESERVED_NAMES.has(name))
      throw new TypeError(`tasks: \`${name}\` cannot name a task: JavaScript asks objects for it`);
    runs.set(name, runOf(name, one));
  }
  if (runs.size === 0 || runs.size > MAX_TASKS)
    throw new TypeError(`tasks: expected 1 to ${MAX_TASKS} functions, got ${runs.size}`);
  return runs;
}

function schemasOf(record: TaskRecord): ReadonlyMap<string, object> {
  const schemas = new Map<string, object>();
  for (const [name, one] of Object.entries<unknown>(record)) if (isCheckedTask(one)) schemas.set(name, one.schema);
  return schemas;
}

function runOf(name: string, one: unknown): (input: unknown, context: TaskContext) => unknown {
  if (typeof one === "function") return one as (input: unknown, context: TaskContext) => unknown;
  if (!isCheckedTask(one)) throw new TypeError(`tasks: expected \`${name}\` to be a function, or task(…)`);
  const { validate } = one.schema["~standard"];
  const run = one.run as (input: unknown, context: TaskContext) => unknown;
  const checked = (given: ReturnType<typeof validate>, context: TaskContext): unknown => {
    if (given instanceof Promise) return given.then((result) => checked(result, context));
    if (given.issues !== undefined) throw new InvalidInputError(name, given.issues);
    return run(given.value, context);
  };
  return (input, context) => checked(validate(input), context);
}

/** An input that the schema of its task does not take. Callers see an ExecutionError with these fields in its `cause`. */
class InvalidInputError extends Error {
  override readonly name = "InvalidInputError";
  readonly code = "INVALID_INPUT";
  readonly issues: readonly { readonly message: string; readonly path: readonly string[] }[];

  constructor(task: string, issues: readonly Issue[]) {
    const told = issues.map(({ message, path = [] }) => ({ message, path: path.map(keyText) }));
    const words = told.map(({ message, path }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`));
    super(`the input of \`${task}\` does not fit: ${words.join("; ")}`);
    this.issues = told;
  }
}

function keyText(part: PropertyKey | PathPart): string {
  return String(typeof part === "object" ? part.key : part);
}

class TaskServer implements ItemEncoding {
  readonly #runs: Runs;
  readonly #codec: ValueCodec;
  readonly #payloads: PayloadCodec;
  readonly #around: TasksOptions["around"];
  readonly #errors: ErrorClasses;

  constructor(runs: Runs, codec: ValueCodec, around: TasksOptions["around"], errors: ErrorClasses) {
    this.#runs = runs;
    this.#codec = codec;
    this.#payloads = new PayloadCodec(codec);
    this.#around = around;
    this.#errors = errors;
  }

  serve(job: Job, context: JobContext): Uint8Array | EncodedItems | Promise<Uint8Array | EncodedItems> {
    try {
      const call = new TaskCall(job, context, this.#codec);
      const result = this.#run(job, call);
      return isPromise(result) ? this.#later(result, call) : this.#bytesOf(result, call);
    } catch (error) {
      throw this.named(error);
    }
  }

  #run({ task, content }: Job, context: TaskCall): unknown {
    const run = task === undefined ? undefined : this.#runs.get(task);
    if (run === undefined || typeof content === "string") throw unknownTask(task, [...this.#runs.keys()]);
    const input = this.#payloads.decode(content);
    if (this.#around === undefined) return run(input, context);
    const runInside = (): unknown => {
      // A generator's code runs where it is pulled, unless it is told where it began.
      context.inside = captureAsyncContext?.();
      return run(input, context);
    };
    return this.#around(runInside, context);
  }

  async #later(result: PromiseLike<unknown>, call: TaskCall): Promise<Uint8Array | EncodedItems> {
    try {
      return this.#bytesOf(await result, call);
    } catch (error) {
      throw this.named(error);
    }
  }

  #bytesOf(result: unknown, { inside }: TaskCall): Uint8Array | EncodedItems {
    return isStream(result) ? new EncodedItems(result, this, inside) : this.encode(result);
  }

  encode(result: unknown): Uint8Array {
    if (!(result instanceof Transferred)) return this.#payloads.encode(result, "result");
    return this.#payloads.encodeTransferred(result.value, "result", result.buffers);
  }

  named(error: unknown): unknown {
    if (this.#errors.size > 0) nameErrors(error, this.#errors);
    return error;
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function unknownTask(task: string | undefined, names: readonly string[]): Error {
  const what = task === undefined ? "a job that names no task" : `no task \`${task}\``;
  const error = new Error(`${what}: this worker has the tasks ${names.join(", ")}`);
  return Object.assign(error, { code: "UNKNOWN_TASK" });
}

/** The context of one call: that of its job, and its headers. */
class TaskCall extends ForwardedContext implements TaskContext {
  /** Where `around` runs the task. */
  inside: AsyncContext | undefined;
  readonly #job: Job;
  readonly #codec: ValueCodec;
  #input: JobInput<unknown> | undefined;

  constructor(job: Job, context: JobContext, codec: ValueCodec) {
    super(context);
    this.#job = job;
    this.#codec = codec;
  }

  /** Read again it is the same: it has one reader. */
  override get input(): JobInput<never> {
    this.#input ??= new DecodedInput(super.input, (bytes) => this.#codec.decode(bytes));
    // Its rows are of the type that the task says.
    return this.#input as JobInput<never>;
  }

  override get progress(): (value: unknown) => void {
    return (value) => {
      if (this.wantsProgress) super.progress(this.#codec.encode(value, "progress"));
    };
  }

  get headers(): ReadonlyMap<string, string> {
    return this.#job.headers;
  }
}
