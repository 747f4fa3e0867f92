/**
 * How the lines of a run become jobs, and what is printed of results and errors: as they are, or as the JSON values of a typed
 * task. Which of the two it is, the workers say: those of a task announce it. Why: the command itself loads no module.
 */
import { taskOf } from "../../core/identifiers.ts";
import { EncodingError, ExecutionError, Job, type Payload } from "../../index.ts";
import { restoreFields } from "../../tasks/error-classes.ts";
import { cbor } from "../../tasks/value/cbor.ts";
import { CommandError, EXIT } from "../terminal/errors.ts";
import { fromJson, toJson } from "./json-values.ts";

/** The form of the lines of one run. */
export interface LineForm {
  /**
   * Makes the job of a line.
   * @throws EncodingError when it has no such form.
   */
  jobOf(line: string): Job | string;
  /**
   * What is printed of a result.
   * @throws EncodingError when the result has no such form.
   */
  printed(result: Payload): Payload;
  /**
   * The result as `JSON.stringify` takes it.
   * @throws EncodingError when the result has no such form.
   */
  record(result: Payload): unknown;
  /** Whether jobs may give streams. */
  readonly takesStreams: boolean;
  /** A report of progress as text, or nothing when it is no value. */
  reportOf(progress: Payload): string | undefined;
  /** Gives an error the fields that it was thrown with. */
  restore(error: unknown): void;
}

/** For a handler of jobs: lines and results are handed on. */
export const PLAIN_FORM: LineForm = {
  jobOf: (line) => line,
  printed: (result) => result,
  record: (result) => (typeof result === "string" ? result : toJson(result)),
  takesStreams: false,
  reportOf: () => undefined,
  restore: () => undefined,
};

/** For a typed task: a line is a JSON value, or with `isText` a text, and so is what is printed. */
class TaskForm implements LineForm {
  readonly takesStreams = true;
  readonly #task: string;
  readonly #isText: boolean;
  readonly #codec = cbor();

  constructor(task: string, isText: boolean) {
    this.#task = task;
    this.#isText = isText;
  }

  jobOf(line: string): Job {
    return new Job(this.#codec.encode(this.#isText ? line : fromJson(line), "line")).forTask(this.#task);
  }

  printed(result: Payload): string {
    const value = this.#valueOf(result);
    return this.#isText && typeof value === "string" ? value : JSON.stringify(toJson(value));
  }

  record(result: Payload): unknown {
    return toJson(this.#valueOf(result));
  }

  reportOf(progress: Payload): string | undefined {
    try {
      const value = this.#valueOf(progress);
      return typeof value === "string" ? value : JSON.stringify(toJson(value));
    } catch {
      return undefined; // it is no fault of the job's
    }
  }

  restore(error: unknown): void {
    if (error instanceof ExecutionError) restoreFields(error, this.#codec);
  }

  #valueOf(result: Payload): unknown {
    if (typeof result === "string") throw new EncodingError(`the result of \`${this.#task}\` is text and no value`);
    return this.#codec.decode(result);
  }
}

/**
 * The form for workers that have these labels.
 *
 * @param exportName - What was typed behind the `#` of the module, or `default`.
 * @param shown - The module, as it was typed.
 * @throws CommandError (usage) when it is not clear which task is meant.
 */
export function lineForm(labels: Iterable<string>, exportName: string, shown: string, isText: boolean): LineForm {
  const tasks = Array.from(labels, taskOf).filter((task) => task !== undefined);
  const [only] = tasks;
  if (only === undefined) return PLAIN_FORM;
  if (tasks.includes(exportName)) return new TaskForm(exportName, isText);
  if (tasks.length === 1) return new TaskForm(only, isText);
  const path = shown.slice(0, shown.length - (exportName === "default" ? 0 : exportName.length + 1));
  throw new CommandError(`${path} has the tasks ${tasks.join(", ")}; name one, as in ${path}#${only}`, EXIT.usage);
}
