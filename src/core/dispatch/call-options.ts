/**
 * The options of one call, resolved once: what `execute` was given, over what the runner was given, over the defaults of
 * job/execute-options.ts.
 */
import { type WorkerSelector, selectorFor } from "../pool/worker-selector.ts";
import { EXECUTE_DEFAULTS, type ExecuteDefaults, type ExecuteOptions } from "../job/execute-options.ts";
import type { WithDefaults } from "../options.ts";

/** {@link ExecuteOptions} with every default filled in. */
export interface CallOptions extends WithDefaults<ExecuteDefaults> {
  readonly signal?: AbortSignal | undefined;
  readonly onJobId?: ((jobId: string) => void) | undefined;
  /** @internal The selector of `require`. */
  readonly selector?: WorkerSelector | undefined;
}

/** @internal Completes the options of one call; they have been checked. */
export function resolveCall(options: ExecuteOptions, defaults: CallOptions): CallOptions {
  const { signal, require, onJobId } = options;
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
    selector,
    ...(signal === undefined ? {} : { signal }),
    ...(onJobId === undefined ? {} : { onJobId }),
  };
}
