/** The options of a JobRunner, with their defaults. What the runner does with them is in runner.ts. */
import { QUEUE_DEFAULTS } from "../dispatch/dispatcher.ts";
import { EXECUTE_DEFAULT_RULES, type ExecuteDefaults } from "../job/execute-options.ts";
import type { JobHeaders } from "../job/job.ts";
import type { Dialer, Listener } from "../transport/listener.ts";
import {
  defineOptions,
  duration,
  type WithDefaults,
  integer,
  integerOrInfinity,
  isFunction,
  oneOrMore,
  type Validators,
  hasMethods,
} from "../options.ts";
import type { Prefetch } from "../session/prefetch.ts";
import { LISTENERS, REGISTRATION_RULES, type RegistrationLimits } from "./registration.ts";

/** Options of {@link JobRunner}; the ones of {@link ExecuteOptions} are the defaults of its calls. All durations in ms. */
export interface RunnerOptions extends RegistrationLimits, ExecuteDefaults {
  /** Where workers dial in. In-process workers can always dial the runner itself. */
  readonly listen?: Listener | readonly Listener[] | undefined;
  /** Workers that listen: the runner connects to each and keeps the connection up. */
  readonly dial?: Dialer | readonly Dialer[] | undefined;
  /**
   * Jobs that may wait, queued, prefetched or in backoff; more are refused with QueueFullError; default 100,000. 0: none waits,
   * a job is accepted only while a slot is free for it. A retry is never refused.
   */
  readonly maxQueue?: number | undefined;
  /**
   * Bytes of jobs that may wait, likewise: data and headers, a text at two bytes a UTF-16 unit. A job that is larger may
   * wait alone. Default 256 MiB; `Infinity`: no limit.
   */
  readonly maxQueueBytes?: number | undefined;
  /**
   * Bytes of items that all streams whose calls run may hold unread together. Where none are left, a stream has one item at a time. Default
   * 256 MiB; `Infinity`: no limit but each stream's `streamWindow`.
   */
  readonly maxStreamBytes?: number | undefined;
  /** How long `drain` waits before it aborts what is left; default 30,000. */
  readonly drainTimeout?: number | undefined;
  /**
   * Jobs that each worker may be prefetched, while more wait than there are slots: 0 to 256, or `"auto"`
   * (default), as many as are measured to take less than a round trip. A job that may be lost but once is never prefetched,
   * and a worker that listens, which several runners may share, accepts no prefetched jobs.
   */
  readonly prefetch?: Prefetch | undefined;
  /**
   * Returns headers for a job that `execute` or `map` is given, or nothing: a `traceparent`, say. Called once a job, before it is
   * queued, in the async context of the caller; the job's own headers win. What it throws fails that job.
   */
  readonly headers?: (() => JobHeaders | undefined) | undefined;
}

/** Options of {@link JobRunner.drain}. */
export interface DrainOptions {
  /** How long to wait before what is left is aborted, in ms; default the runner's `drainTimeout`. */
  readonly timeout?: number | undefined;
  /** What becomes of jobs that have not started: `run` (default) or `reject` them with RunnerStoppedError. */
  readonly queued?: "run" | "reject" | undefined;
}

type OwnOptions = Omit<RunnerOptions, keyof RegistrationLimits | keyof ExecuteDefaults>;
type OwnDefaults = "maxQueue" | "maxQueueBytes" | "maxStreamBytes" | "drainTimeout" | "prefetch";

const OWN = defineOptions<OwnOptions, OwnDefaults>({
  listen: [LISTENERS],
  dial: [oneOrMore(hasMethods("a Dialer", "dial"))],
  maxQueue: [integer(0), QUEUE_DEFAULTS.maxQueue],
  maxQueueBytes: [integerOrInfinity(1), QUEUE_DEFAULTS.maxQueueBytes],
  maxStreamBytes: [integerOrInfinity(1), QUEUE_DEFAULTS.maxStreamBytes],
  drainTimeout: [duration, 30_000],
  prefetch: [
    (value) =>
      value === "auto" || integer(0, 256)(value) === undefined ? undefined : '"auto" or an integer from 0 to 256',
    "auto",
  ],
  headers: [isFunction],
});

/** The runner's own defaults; see {@link EXECUTE_DEFAULTS} and {@link REGISTRATION_DEFAULTS} for the others. */
export const RUNNER_DEFAULTS: WithDefaults<
  Pick<RunnerOptions, "maxQueue" | "maxQueueBytes" | "maxStreamBytes" | "drainTimeout" | "prefetch">
> = OWN.defaults;

/** @internal */
export const RUNNER_RULES: Validators<RunnerOptions> = Object.freeze({
  ...REGISTRATION_RULES,
  ...EXECUTE_DEFAULT_RULES,
  ...OWN.rules,
});
