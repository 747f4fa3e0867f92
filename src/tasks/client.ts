/** The caller's side of typed tasks: an object with a function for each task of a worker. */
import { EncodingError, isExecutionError } from "../core/errors.ts";
import { isTaskName } from "../core/identifiers.ts";
import type { ExecuteOptions } from "../core/job/execute-options.ts";
import { Job, type JobHeaders } from "../core/job/job.ts";
import { hasMethods } from "../core/options.ts";
import type { Payload } from "../core/peer.ts";
import { type ErrorClass, errorClasses, type ErrorClasses, restoreErrors } from "./error-classes.ts";
import { RESERVED_NAMES } from "./reserved-names.ts";
import type { CheckedTask } from "./task.ts";
import type { Tasks } from "./tasks.ts";
import { cbor } from "./value/cbor.ts";
import type { ValueCodec } from "./value/value-codec.ts";

/** What runs jobs: a `JobRunner`, or a leased worker. */
export interface TaskRunner {
  /** Runs one job. */
  execute(job: Job, options?: ExecuteOptions): Promise<Payload>;
}

/** Options of one call, over those of its client. */
export interface TaskCallOptions extends ExecuteOptions {
  /** Headers that the task finds in its context, on top of the client's. */
  readonly headers?: JobHeaders | undefined;
}

/** Options of {@link client}: defaults of its calls. */
export interface ClientOptions extends Omit<ExecuteOptions, "signal" | "onJobId"> {
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

/** A task as its callers see it. */
export type ClientTask<Input, Result> = undefined extends Input
  ? (input?: Input, options?: TaskCallOptions) => Promise<Result>
  : (input: Input, options?: TaskCallOptions) => Promise<Result>;

/** The tasks of a worker as its callers see them: of `typeof images`, or of an interface that is written down. */
export type Client<T> = T extends Tasks<infer R> ? ClientOf<unknown extends R ? T : R> : ClientOf<T>;

/** A function for each task of a record or an interface. */
export type ClientOf<R> = { readonly [K in keyof R]: ClientTask<InputOf<R[K]>, ResultOf<R[K]>> };

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
        call = (input: unknown, given?: TaskCallOptions) => caller.call(name, input, given);
        known.set(name, call);
      }
      return call;
    },
  }) as Client<T>;
}

class Caller {
  readonly #runner: TaskRunner;
  readonly #codec: ValueCodec;
  readonly #errors: ErrorClasses;
  readonly #headers: ClientOptions["headers"];
  /** Absent without any: then a call makes no options of its own. */
  readonly #defaults: ExecuteOptions | undefined;

  constructor(runner: TaskRunner, { headers, errors, codec = cbor(), ...defaults }: ClientOptions) {
    this.#runner = runner;
    this.#codec = codec;
    this.#errors = errorClasses(errors ?? []);
    this.#headers = headers;
    this.#defaults = Object.keys(defaults).length === 0 ? undefined : defaults;
  }

  async call(task: string, input: unknown, given: TaskCallOptions | undefined): Promise<unknown> {
    const { headers, ...own } = given ?? {};
    const data = this.#codec.encode(input, "input");
    const job = new Job(data, this.#headersWith(headers)).forTask(task);
    const options = given === undefined ? this.#defaults : { ...this.#defaults, ...own };
    const answer = await this.#execute(job, options);
    if (typeof answer === "string") throw new EncodingError(`the result of \`${task}\` is text and no value`);
    return this.#codec.decode(answer);
  }

  async #execute(job: Job, options: ExecuteOptions | undefined): Promise<Payload> {
    try {
      return await this.#runner.execute(job, options);
    } catch (error) {
      if (this.#errors.size > 0 && isExecutionError(error)) restoreErrors(error.cause, this.#errors);
      throw error;
    }
  }

  #headersWith(own: JobHeaders | undefined): JobHeaders | undefined {
    const common = typeof this.#headers === "function" ? this.#headers() : this.#headers;
    if (common === undefined || own === undefined) return common ?? own;
    return [...new Job("", common).headers, ...new Job("", own).headers];
  }
}
