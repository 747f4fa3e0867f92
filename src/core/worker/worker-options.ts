/** The options of a Worker, with their defaults and checks. */
import type { Clock, Random } from "../time/clock.ts";
import { backlogLimits } from "../health/backpressure.ts";
import { identityName, labelList } from "../identifiers.ts";
import type { Dialer, Listener } from "../transport/listener.ts";
import {
  type WithDefaults,
  isFunction,
  checkOptions,
  DEFAULT_PAYLOAD,
  defineOptions,
  duration,
  finiteDuration,
  isBoolean,
  isClock,
  isRandom,
  integer,
  integerOrInfinity,
  oneOf,
  payloadLimit,
  isReporter,
  hasMethods,
  type Validator,
  withDefaults,
} from "../options.ts";
import type { Handler } from "./execution.ts";
import { isRelay, type JobRelay } from "./job-relay.ts";
import type { WarningReporter } from "./warnings.ts";

/** Options of {@link Worker}. All durations in ms. */
export interface WorkerOptions {
  /** How to reach the runner. A JobRunner of the same process is one. Give this or `listen`. */
  readonly dial?: Dialer | undefined;
  /** Where runners reach this worker. Give this or `dial`. */
  readonly listen?: Listener | undefined;
  /** Runs the jobs; or `relay(runner)`: another runner's fleet does. */
  readonly handler: Handler | JobRelay;
  /** The worker's stable name, `[A-Za-z0-9._:-]{1,128}`; default `worker-` and a random name. */
  readonly identity?: string | undefined;
  /** Jobs it runs at a time, 1 to 65,535; default 1. With a relay: at most so many, of those its fleet can run; default 65,535. */
  readonly capacity?: number | undefined;
  /**
   * Whether handlers run on this event loop and may block it; default true. Then the runner judges the worker by its
   * attempts' timeouts while it has any, not by its silence. Say false when handlers run in threads. False with a relay.
   */
  readonly blocking?: boolean | undefined;
  /** What it can do, for people and for routing: at most 32, of the identity's alphabet, none of the form `relays:8`. With a relay its fleet's come on top. */
  readonly labels?: readonly string[] | undefined;
  /** Retires after so many jobs, those of all its runners together; default none. */
  readonly maxJobs?: number | undefined;
  /** Retires so long after its start, or after its first connection since it retired; default none. */
  readonly maxAge?: number | undefined;
  /** At most so much is added to `maxAge` by chance, so that a fleet does not retire at once; default a tenth of it. */
  readonly maxAgeJitter?: number | undefined;
  /** What it does once retired: `rejoin` as a new instance (default), or `stop` so that a supervisor may start another. */
  readonly afterRetirement?: "rejoin" | "stop" | undefined;
  /** The first pause before it connects again is random up to this; it doubles with each failure; default 100. */
  readonly reconnectMin?: number | undefined;
  /** The pauses' upper bound; default 30,000. */
  readonly reconnectMax?: number | undefined;
  /** How long `drain` waits for running handlers; default 30,000. */
  readonly drainTimeout?: number | undefined;
  /**
   * The largest job it accepts, in bytes; default 1 MiB. The runner is told: a larger job that it would give to this worker fails
   * with an EncodingError, and is not sent.
   */
  readonly maxPayload?: number | undefined;
  /** Unsent bytes above which no job begins until the runner has read; default 1 MiB. */
  readonly highWater?: number | undefined;
  /**
   * Unsent bytes above which the worker leaves a runner that does not read; default 8 MiB, at least twice `maxPayload`. Results
   * of jobs that ran already do not count.
   */
  readonly maxBuffered?: number | undefined;
  /** Bytes of a stream that goes into a job which wait for its handler, an item at its length and 64 more; 1 to 2^30, default 65,536. */
  readonly inputWindow?: number | undefined;
  /** Whether stacks of handler errors are sent to the runner; default: to one of this process only. */
  readonly remoteStacks?: boolean | undefined;
  /**
   * Called with an `Error` that says what keeps the worker from its runner: a wrong port, a 404, a bad certificate, a refusal.
   * Once per cause, until it is registered again. Default: a line on the console, or nothing for a worker with a `clock` of its
   * own; `false`: nothing. Each single failure is an event (`disconnected`).
   */
  readonly onWarning?: WarningReporter | undefined;
  /** Whether `start` rejects at the first failure to register, instead of trying on; default false. */
  readonly failFast?: boolean | undefined;
  /** Where time comes from; the host's by default. */
  readonly clock?: Clock | undefined;
  /** Where chance comes from; the host's by default. */
  readonly random?: Random | undefined;
}

/** The options that have a default of their own. */
export type WorkerDefaults = WithDefaults<
  Omit<
    WorkerOptions,
    "dial" | "listen" | "handler" | "identity" | "maxAgeJitter" | "remoteStacks" | "onWarning" | "clock" | "random"
  >
>;

const hasForward = hasMethods("a function, or relay(…)", "forward");

const isHandler: Validator = (value) => (typeof value === "function" ? isFunction(value) : hasForward(value));

/** What differs with a relay: its own event loop is free, and its fleet says how much it takes. */
const RELAY_DEFAULTS = { capacity: 65_535, blocking: false };

const OPTIONS = defineOptions<WorkerOptions, keyof WorkerDefaults>({
  dial: [hasMethods("a Dialer, such as a JobRunner or dialWebSocket(…)", "dial")],
  listen: [hasMethods("a Listener", "start", "stop")],
  handler: [isHandler],
  identity: [identityName],
  capacity: [integer(1, 65_535), 1],
  blocking: [isBoolean, true],
  labels: [labelList, Object.freeze([])],
  maxJobs: [integerOrInfinity(1), Number.POSITIVE_INFINITY],
  maxAge: [duration, Number.POSITIVE_INFINITY],
  maxAgeJitter: [duration],
  afterRetirement: [oneOf("rejoin", "stop"), "rejoin"],
  reconnectMin: [finiteDuration, 100],
  reconnectMax: [finiteDuration, 30_000],
  drainTimeout: [duration, 30_000],
  maxPayload: [payloadLimit, DEFAULT_PAYLOAD],
  highWater: [integer(1), 1_048_576],
  maxBuffered: [integer(1), 8_388_608],
  inputWindow: [integer(1, 0x4000_0000), 65_536],
  remoteStacks: [isBoolean],
  onWarning: [isReporter],
  failFast: [isBoolean, false],
  clock: [isClock],
  random: [isRandom],
});

/** The worker's defaults. */
export const WORKER_DEFAULTS: WorkerDefaults = OPTIONS.defaults;

/** @internal The options with every default filled in. */
export type ResolvedWorkerOptions = WorkerOptions & WorkerDefaults;

/** @internal Checks the options and fills them in. */
export function resolveWorkerOptions(options: WorkerOptions): ResolvedWorkerOptions {
  checkOptions("Worker", options, OPTIONS.rules);
  if (options.handler === undefined) throw new TypeError("Worker: a `handler` is needed");
  if ((options.dial === undefined) === (options.listen === undefined)) {
    throw new TypeError("Worker: give either `dial` (how to reach the runner) or `listen`");
  }
  const defaults = isRelay(options.handler) ? { ...WORKER_DEFAULTS, ...RELAY_DEFAULTS } : WORKER_DEFAULTS;
  const filled = withDefaults(defaults, options);
  return { ...filled, ...backlogLimits(filled) };
}
