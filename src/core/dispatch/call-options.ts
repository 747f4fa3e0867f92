/**
 * The options of one call, resolved once: what `execute` was given, over what the runner was given, over the defaults of
 * job/execute-options.ts.
 */
import { WorkerSelector, selectorFor } from "../pool/worker-selector.ts";
import { taskLabel } from "../identifiers.ts";
import { EXECUTE_DEFAULTS, type ExecuteDefaults, type ExecuteOptions } from "../job/execute-options.ts";
import type { InputSource } from "../job/input-source.ts";
import type { WithDefaults } from "../options.ts";
import type { Payload } from "../peer.ts";

const MAX_KEPT = 1_024;

/** {@link ExecuteOptions} with every default filled in. */
export interface CallOptions extends WithDefaults<ExecuteDefaults> {
  readonly signal?: AbortSignal | undefined;
  readonly onJobId?: ((jobId: string) => void) | undefined;
  readonly onProgress?: ((value: Payload) => void) | undefined;
  readonly input?: InputSource | undefined;
  /** @internal The selector of `require`. */
  readonly selector?: WorkerSelector | undefined;
}

/** The selectors of tasks whose calls ask for nothing else, so that a call makes none of its own. */
export class TaskSelectors {
  readonly #base: CallOptions;
  readonly #byTask = new Map<string, CallOptions>();

  /** @param base - The runner's defaults. */
  constructor(base: CallOptions) {
    this.#base = base;
  }

  /** The options of a call of that task. */
  optionsFor(task: string, options: CallOptions): CallOptions {
    if (options !== this.#base) return withTask(task, options);
    const known = this.#byTask.get(task);
    if (known !== undefined) return known;
    const made = withTask(task, options);
    // Names come from callers: what is kept of them is bounded.
    if (this.#byTask.size === MAX_KEPT) this.#byTask.clear();
    this.#byTask.set(task, made);
    return made;
  }
}

function withTask(task: string, options: CallOptions): CallOptions {
  const selector = new WorkerSelector([...(options.selector?.labels ?? []), taskLabel(task)]);
  return { ...options, selector };
}

/** @internal Completes the options of one call; they have been checked. */
export function resolveCall(options: ExecuteOptions, defaults: CallOptions): CallOptions {
  const { signal, require, onJobId, onProgress, input } = options;
  const selector = require === undefined ? defaults.selector : selectorFor(require);
  return {
    attempts: options.attempts ?? defaults.attempts,
    timeout: options.timeout ?? defaults.timeout,
    acquireTimeout: options.acquireTimeout ?? defaults.acquireTimeout,
    queueTimeout: options.queueTimeout ?? defaults.queueTimeout,
    deadline: options.deadline ?? defaults.deadline,
    retryOnTimeout: options.retryOnTimeout ?? defaults.retryOnTimeout,
    maxRetryAfter: options.maxRetryAfter ?? defaults.maxRetryAfter,
    maxLost: options.maxLost ?? defaults.maxLost,
    failFast: options.failFast ?? defaults.failFast,
    require: selector?.labels ?? EXECUTE_DEFAULTS.require,
    verify: options.verify ?? defaults.verify,
    streamWindow: options.streamWindow ?? defaults.streamWindow,
    resume: options.resume ?? defaults.resume,
    selector,
    ...(signal === undefined ? {} : { signal }),
    ...(onJobId === undefined ? {} : { onJobId }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(input === undefined ? {} : { input }),
  };
}
