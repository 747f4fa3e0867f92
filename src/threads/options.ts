/** The options of `threads`, with their defaults and checks. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type ResourceLimits, SHARE_ENV } from "node:worker_threads";
import {
  type WithDefaults,
  checkOptions,
  defineOptions,
  duration,
  finiteDuration,
  isBoolean,
  integer,
  integerOrInfinity,
  type Validator,
  isString,
  withDefaults,
} from "../core/options.ts";
import type { RestartOptions } from "../supervisor/restart-policy.ts";

/** Options of {@link threads}. All durations in ms. */
export interface ThreadsOptions extends RestartOptions {
  /** How many threads; default as many as the machine runs at once (`os.availableParallelism()`). */
  readonly size?: number | undefined;
  /**
   * What each thread runs, for a bundled program: a URL, or a path as the module's, of `powerhose/threads/entry` built as an entry
   * of its own. Default: that script in this package. See docs/bundlers.md.
   */
  readonly script?: URL | string | undefined;
  /** The name of the module's export that is the handler; default `default`. */
  readonly export?: string | undefined;
  /** Jobs a thread runs at a time, 1 to 65,535; above 1 makes sense for handlers that wait; default 1. */
  readonly capacity?: number | undefined;
  /** What the threads are called, 1 to 100 of `A-Z a-z 0-9 . _ : -`: `thread-1`, `thread-2` and so on; default `thread`. Listeners of one runner that share a name count on: the second has `thread-5` if the first has four. */
  readonly name?: string | undefined;
  /** What the threads can do, for people and for routing: at most 32, each 1 to 128 of the same characters. */
  readonly labels?: readonly string[] | undefined;
  /** A thread is replaced after so many jobs; default none. */
  readonly maxJobs?: number | undefined;
  /** A thread is replaced after so long; default none. */
  readonly maxAge?: number | undefined;
  /** At most so much is added to `maxAge` by chance, so that not all go at once; default a tenth of it. */
  readonly maxAgeJitter?: number | undefined;
  /**
   * How long a stop waits for the threads to end, in ms; default 5,000. A thread in a call of the system that does not return, such
   * as `execSync`, cannot be ended: a `listener-error` tells of it, and `stop` returns.
   */
  readonly stopTimeout?: number | undefined;
  /** Handed to the threads as `workerData` of `node:worker_threads`, cloned for each; share memory to share. */
  readonly workerData?: unknown;
  /** The threads' `process.env`, or `SHARE_ENV`; default a copy of this process's. */
  readonly env?: NodeJS.Dict<string> | typeof SHARE_ENV | undefined;
  /** Node's options for the threads; default this process's. */
  readonly execArgv?: readonly string[] | undefined;
  /** Appended to the threads' `process.argv`. */
  readonly argv?: readonly unknown[] | undefined;
  /** Limits of the threads' memory. A thread that reaches one is replaced. */
  readonly resourceLimits?: ResourceLimits | undefined;
  /** True keeps what the threads write to `stdout` out of this process's; default false. */
  readonly stdout?: boolean | undefined;
  /** True keeps what the threads write to `stderr` out of this process's; default false. */
  readonly stderr?: boolean | undefined;
}

/** What holds when nothing is said. */
export type ThreadsDefaults = WithDefaults<
  Omit<
    ThreadsOptions,
    | "size"
    | "script"
    | "maxAgeJitter"
    | "workerData"
    | "env"
    | "execArgv"
    | "argv"
    | "resourceLimits"
    | "stdout"
    | "stderr"
  >
>;

/** The options with everything filled in. */
export type ThreadsSettings = ThreadsOptions & ThreadsDefaults & { readonly size: number };

function word(longest: number): Validator {
  const pattern = new RegExp(`^[A-Za-z0-9._:-]{1,${longest}}$`);
  return (value) =>
    typeof value === "string" && pattern.test(value) ? undefined : `1 to ${longest} characters of A-Z a-z 0-9 . _ : -`;
}

const label = word(128);
const labels: Validator = (value) =>
  Array.isArray(value) && value.length <= 32 && value.every((one) => label(one) === undefined)
    ? undefined
    : "at most 32 labels of A-Z a-z 0-9 . _ : -";
const list: Validator = (value) => (Array.isArray(value) ? undefined : "an array");
const location: Validator = (value) =>
  value instanceof URL || (typeof value === "string" && value !== "") ? undefined : "a URL or a path";
const record: Validator = (value) => (typeof value === "object" && value !== null ? undefined : "an object");

const OPTIONS = defineOptions<ThreadsOptions, keyof ThreadsDefaults>({
  size: [integer(1, 10_000)],
  script: [location],
  export: [isString, "default"],
  capacity: [integer(1, 65_535), 1],
  name: [word(100), "thread"],
  labels: [labels, Object.freeze([])],
  maxJobs: [integerOrInfinity(1), Number.POSITIVE_INFINITY],
  maxAge: [duration, Number.POSITIVE_INFINITY],
  maxAgeJitter: [duration],
  maxCrashes: [integerOrInfinity(1), 10],
  restartMin: [finiteDuration, 100],
  restartMax: [finiteDuration, 30_000],
  startTimeout: [finiteDuration, 30_000],
  stopTimeout: [finiteDuration, 5_000],
  workerData: [() => undefined],
  env: [(value) => (value === SHARE_ENV ? undefined : record(value))],
  execArgv: [list],
  argv: [list],
  resourceLimits: [record],
  stdout: [isBoolean],
  stderr: [isBoolean],
});

/** The defaults of {@link ThreadsOptions}; `size` is the machine's and not listed. */
export const THREADS_DEFAULTS: ThreadsDefaults = OPTIONS.defaults;

/** Checks the options and fills in the defaults. Throws a TypeError or RangeError. */
export function threadsSettings(options: ThreadsOptions): ThreadsSettings {
  checkOptions("threads", options, OPTIONS.rules);
  return withDefaults({ size: availableParallelism(), ...THREADS_DEFAULTS }, options);
}

/** What `import()` is given for a module. Throws a TypeError. */
export function moduleUrl(module: unknown): string {
  if (module instanceof URL) return module.href;
  if (typeof module !== "string" || module === "")
    throw new TypeError("threads: expected the module to be a URL or a path");
  return /^(?:file|data|node):/.test(module) ? module : pathToFileURL(resolve(module)).href;
}
