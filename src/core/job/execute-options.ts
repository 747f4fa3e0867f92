/**
 * The options of `execute`, with their defaults and checks. How they are resolved for one call is in dispatch/call-options.ts.
 */
import { labelList } from "../identifiers.ts";
import { type InputSource, isInputSource } from "./input-source.ts";
import type { Payload } from "../peer.ts";
import {
  abortSignal,
  defineOptions,
  duration,
  type WithDefaults,
  isBoolean,
  isFunction,
  integer,
  type Validators,
} from "../options.ts";

/** How one job is run. All durations in ms; `Infinity` means no limit. */
export interface ExecuteOptions {
  /** Aborts the call: it rejects at once with the signal's reason, and the handler's signal aborts. */
  readonly signal?: AbortSignal | undefined;
  /** How often the job may be started in all, the first included; default 3. 1: at most once. */
  readonly attempts?: number | undefined;
  /** One attempt's limit, from hand-over to answer; default 30,000. */
  readonly timeout?: number | undefined;
  /** How long one stay in the queue may last while no worker is registered that could take it; default 5,000. */
  readonly acquireTimeout?: number | undefined;
  /** How long one stay in the queue may last, whatever it waits for; default none. */
  readonly queueTimeout?: number | undefined;
  /** The whole call's limit, with waiting, backoff and all attempts; default none. */
  readonly deadline?: number | undefined;
  /**
   * Whether a timed-out attempt is followed by another although it may still run; default true, as after a loss. For effects
   * that must not be repeated say `attempts: 1`.
   */
  readonly retryOnTimeout?: boolean | undefined;
  /** The longest pause before a retry that a handler may ask for by `retryAfter`; a longer one is cut; default 60,000. */
  readonly maxRetryAfter?: number | undefined;
  /**
   * How often the job may be lost with its worker before it is given up; default 2. A worker that was given up because another
   * job ignored its abort is not counted.
   */
  readonly maxLost?: number | undefined;
  /** Rejects with NoWorkerError at once when no worker is registered that could take it; default false. */
  readonly failFast?: boolean | undefined;
  /** Labels that the worker must have come with, all of them: at most 32; default none. */
  readonly require?: readonly string[] | undefined;
  /**
   * Runs the job on so many workers of as many principals, 1 to 16, one after the other, and settles with the value only when
   * all gave the same; rejects with VerificationError when they did not. Default 1. The other limits hold for each run, but
   * `deadline` for all of them together.
   */
  readonly verify?: number | undefined;
  /** Bytes of items that a stream may hold unread, an item at its length and 64 more; 1 to 2^30, default 65,536. */
  readonly streamWindow?: number | undefined;
  /**
   * Whether a stream that breaks off after items were read goes on in another attempt, as long as there are any: its handler finds
   * in `context.delivered` how many items were read, and begins after them. Default false: the reader gets the error.
   */
  readonly resume?: boolean | undefined;
  /**
   * A stream that goes into the job: its handler reads it as `context.input`, and items are pulled as fast as it does. An iterable
   * is read once: when it was begun, the job has no other attempt. A function is called for each attempt. What it throws rejects
   * the call. Not with `verify`.
   */
  readonly input?: InputSource | undefined;
  /**
   * Called with what the handler says of its progress: the latest, at most ten times a second, and before the result. What it
   * throws is an uncaught error of the host.
   */
  readonly onProgress?: ((value: Payload) => void) | undefined;
  /**
   * Called with the job's id before the job is queued, and before `execute` returns: the id that its handler, its events and
   * its errors have. What it throws rejects the call.
   */
  readonly onJobId?: ((jobId: string) => void) | undefined;
}

/** The options that a runner has for all its calls; the others are of one call. */
export type ExecuteDefaults = Omit<ExecuteOptions, "signal" | "onJobId" | "onProgress" | "input">;

const OPTIONS = defineOptions<ExecuteDefaults, keyof ExecuteDefaults>({
  attempts: [integer(1), 3],
  timeout: [duration, 30_000],
  acquireTimeout: [duration, 5_000],
  queueTimeout: [duration, Number.POSITIVE_INFINITY],
  deadline: [duration, Number.POSITIVE_INFINITY],
  retryOnTimeout: [isBoolean, true],
  maxRetryAfter: [duration, 60_000],
  maxLost: [integer(1), 2],
  failFast: [isBoolean, false],
  require: [labelList, Object.freeze([])],
  verify: [integer(1, 16), 1],
  streamWindow: [integer(1, 0x4000_0000), 65_536],
  resume: [isBoolean, false],
});

/** What `execute` does when nothing else is asked for. */
export const EXECUTE_DEFAULTS: WithDefaults<ExecuteDefaults> = OPTIONS.defaults;

/** @internal */
export const EXECUTE_DEFAULT_RULES: Validators<ExecuteDefaults> = OPTIONS.rules;

/** @internal */
export const EXECUTE_RULES: Validators<ExecuteOptions> = Object.freeze({
  ...EXECUTE_DEFAULT_RULES,
  signal: abortSignal,
  onJobId: isFunction,
  onProgress: isFunction,
  input: isInputSource,
});
