/** One task: a function of a value, and what is checked of its input. The types of a worker's module and of its callers are here. */
import type { JobContext } from "../core/worker/execution.ts";
import type { JobInput } from "../core/worker/input-stream.ts";

/** What a task is given besides its input. `Row`: an item of the stream that goes into it, if one does. */
export interface TaskContext<Row = never> extends Omit<JobContext, "progress" | "input"> {
  /**
   * The stream that goes into the task: the option `input` of its call. Items are pulled from the caller as fast as they are read.
   * Each read of a call without the option rejects, with the code `INVALID_INPUT`.
   */
  readonly input: JobInput<Row>;
  /**
   * Tells the caller how far the task is, if it listens: any value, at most 8 KiB as bytes. The latest is sent, at most ten times a
   * second. May be called by itself, without the context.
   *
   * @throws EncodingError for what cannot be carried, RangeError when it is over 8 KiB.
   */
  readonly progress: (value: unknown) => void;
  /** The headers that came with the call. */
  readonly headers: ReadonlyMap<string, string>;
}

/** A function that runs as a task: of a value, and a context. */
export type TaskFunction = (input: never, context: TaskContext) => unknown;

/** What is wrong with an input, as a schema says it. */
export interface Issue {
  /** For people to read. */
  readonly message: string;
  /** Where in the input. */
  readonly path?: readonly (PropertyKey | PathPart)[] | undefined;
}

/** A step of a path, as some libraries write it. */
export interface PathPart {
  /** The name of a property, or the place in a list. */
  readonly key: PropertyKey;
}

/** What a schema makes of a value. */
export interface Valid<Output> {
  /** The value, which it may have changed. */
  readonly value: Output;
  /** There are none. */
  readonly issues?: undefined;
}

/** What a schema says against a value. */
export interface Invalid {
  /** What is wrong with it. */
  readonly issues: readonly Issue[];
}

/** What a schema says of a value. */
export type Validated<Output> = Valid<Output> | Invalid;

/** The types before and after a schema: for the compiler alone. */
export interface SchemaTypes<Input, Output> {
  /** What it takes. */
  readonly input: Input;
  /** What it makes of it. */
  readonly output: Output;
}

/** A schema of any library that implements [Standard Schema](https://standardschema.dev), version 1. */
export interface Schema<Input = unknown, Output = Input> {
  /** The schema, as that specification names it. */
  readonly "~standard": {
    /** Which version of the specification. */
    readonly version: 1;
    /** The library. */
    readonly vendor: string;
    /** Checks a value, and may change it. */
    readonly validate: (value: unknown) => Validated<Output> | Promise<Validated<Output>>;
    /** The types before and after; there is no such value. */
    readonly types?: SchemaTypes<Input, Output> | undefined;
  };
}

/** What is checked of a task. */
export interface TaskSpec<Input, Output> {
  /** Checks each input at the worker, before the function runs; the function gets what it makes of it. */
  readonly input: Schema<Input, Output>;
}

/** A task with a schema. Made by {@link task}. */
export interface CheckedTask<Input, Result, Row = never> {
  /** Its schema. */
  readonly schema: Schema<Input, unknown>;
  /** Its function, of what the schema makes of an input. */
  readonly run: (input: never, context: TaskContext<Row>) => Result;
}

/**
 * Makes a task whose input is checked by a schema. Callers give what the schema takes, the function gets what the schema makes of
 * it. An input that does not fit fails with an ExecutionError whose `remoteCode` is `INVALID_INPUT`; its `cause.issues` say why.
 */
export function task<Input, Checked, Result, Row = never>(
  spec: TaskSpec<Input, Checked>,
  run: (input: Checked, context: TaskContext<Row>) => Result,
): CheckedTask<Input, Result, Row> {
  if (typeof spec?.input?.["~standard"]?.validate !== "function")
    throw new TypeError("task: expected `input` to be a schema that implements Standard Schema");
  if (typeof run !== "function") throw new TypeError("task: expected a function after the schema");
  return { schema: spec.input, run };
}

/** Whether it was made by {@link task}. */
export function isCheckedTask(value: unknown): value is CheckedTask<unknown, unknown> {
  return typeof value === "object" && value !== null && "schema" in value && "run" in value;
}
