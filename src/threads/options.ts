/** The options of `threads`, with their defaults and checks. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type ResourceLimits, SHARE_ENV } from "node:worker_threads";
import {
  type WithDefaults,
  checkOptions,
  defineOptions,
  isBoolean,
  integer,
  type Validator,
  withDefaults,
} from "../core/options.ts";
import { type PoolOptions, poolOptions } from "../supervisor/pool-options.ts";

/** Options of {@link threads}. All durations in ms. */
export interface ThreadsOptions extends PoolOptions {
  /** How many threads; default as many as the machine runs at once (`os.availableParallelism()`). */
  readonly size?: number | undefined;
  /**
   * What each thread runs, for a bundled program: a URL, or a path as the module's, of `powerhose/threads/entry` built as an entry
   * of its own. Default: that script in this package. See docs/bundlers.md.
   */
  readonly script?: URL | string | undefined;
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

const list: Validator = (value) => (Array.isArray(value) ? undefined : "an array");
const location: Validator = (value) =>
  value instanceof URL || (typeof value === "string" && value !== "") ? undefined : "a URL or a path";
const record: Validator = (value) => (typeof value === "object" && value !== null ? undefined : "an object");

const OPTIONS = defineOptions<ThreadsOptions, keyof ThreadsDefaults>({
  ...poolOptions("thread"),
  size: [integer(1, 10_000)],
  script: [location],
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
