/** The options that every pool of threads has, on any host, with their defaults and checks; and the plan of each place. */
import { isIdentity, labelList } from "../core/identifiers.ts";
import {
  duration,
  finiteDuration,
  integer,
  integerOrInfinity,
  isString,
  MAX_PAYLOAD,
  type OptionDeclarations,
  type Validator,
  type WithDefaults,
} from "../core/options.ts";
import type { ListenerContext } from "../core/transport/listener.ts";
import type { RestartOptions } from "./restart-policy.ts";
import type { HostedEvents, HostedThread, ThreadPlan } from "./thread-instance.ts";

/** Options of the threads of one listener. All durations in ms. */
export interface PoolOptions extends RestartOptions {
  /** The name of the module's export that is the handler; default `default`. */
  readonly export?: string | undefined;
  /** Jobs a thread runs at a time, 1 to 65,535; above 1 makes sense for handlers that wait; default 1. */
  readonly capacity?: number | undefined;
  /** What the threads are called, 1 to 100 of `A-Z a-z 0-9 . _ : -`: `thread-1`, `thread-2` and so on; default `thread`, of Web Workers `web-worker`. Listeners of one runner that share a name count on: the second has `thread-5` if the first has four. */
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
   * How long a stop waits for the `close` of tasks, in ms, and as long again for the threads to end; default 5,000. Half of it is for
   * tasks that ignore their abort. A thread in a call of the system that does not return, such as `execSync`, cannot be ended: a
   * `listener-error` tells of it, and `stop` returns.
   */
  readonly stopTimeout?: number | undefined;
}

/** The options of a pool that have a default. */
export type PoolDefaults = WithDefaults<Omit<PoolOptions, "maxAgeJitter">>;

/** The options with everything filled in. */
export type PoolSettings = PoolOptions & PoolDefaults & { readonly size: number };

/** With its number behind it, it names a worker. */
const threadName: Validator = (value) =>
  typeof value === "string" && value.length <= 100 && isIdentity(value)
    ? undefined
    : "1 to 100 characters of A-Z a-z 0-9 . _ : -";

/**
 * The declarations of a pool's options.
 * @param name - What its threads are called by default.
 */
export function poolOptions(name: string): OptionDeclarations<PoolOptions, keyof PoolDefaults> {
  return {
    export: [isString, "default"],
    capacity: [integer(1, 65_535), 1],
    name: [threadName, name],
    labels: [labelList, Object.freeze([])],
    maxJobs: [integerOrInfinity(1), Number.POSITIVE_INFINITY],
    maxAge: [duration, Number.POSITIVE_INFINITY],
    maxAgeJitter: [duration],
    maxCrashes: [integerOrInfinity(1), 10],
    restartMin: [finiteDuration, 100],
    restartMax: [finiteDuration, 30_000],
    startTimeout: [finiteDuration, 30_000],
    stopTimeout: [finiteDuration, 5_000],
  };
}

/**
 * One plan for each place of a pool.
 * @param module - The URL of the module; empty where the thread's script brings the handler along.
 * @param spawn - Starts the thread of that name.
 */
export function poolPlans(
  module: string,
  settings: PoolSettings,
  context: ListenerContext,
  spawn: (identity: string, events: HostedEvents) => HostedThread,
): readonly ThreadPlan[] {
  const { name, size, capacity, labels: told, maxJobs, maxAge, maxAgeJitter, startTimeout, stopTimeout } = settings;
  const { maxFrameBytes } = context;
  const first = context.reserveNumbers?.(name, size) ?? 1;
  return Array.from({ length: size }, (_, index): ThreadPlan => {
    const identity = `${name}-${first + index}`;
    return {
      title: `${name} ${first + index}`,
      init: {
        module,
        exportName: settings.export,
        identity,
        capacity,
        labels: told,
        maxJobs,
        maxAge,
        ...(maxAgeJitter === undefined ? {} : { maxAgeJitter }),
        drainTimeout: stopTimeout / 2,
        // The runner's own limit, which is smaller, is told when a thread registers.
        maxPayload: Math.min(maxFrameBytes, MAX_PAYLOAD),
      },
      startTimeout,
      maxFrameBytes,
      spawn: (events) => spawn(identity, events),
    };
  });
}
