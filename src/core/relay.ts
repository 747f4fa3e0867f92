/**
 * A fleet in a worker's place, so that runners can be stacked. A process whose connection lives on the main thread and whose
 * handlers run in threads is a Worker with a relay to a runner over threads. A broker is the same with remote workers. The outermost
 * runner alone owns a job: its id, its attempts, its retries. See dispatch/relayed-call.ts for a job's way in the fleet.
 */
import { type AbortReason, EncodingError, QueueFullError, RunnerStoppedError } from "./errors.ts";
import type { RunnerEvent } from "./events.ts";
import { type RelayedCallOwner, type RelayedOutcome, relayFailure } from "./dispatch/relayed-call.ts";
import type { CancelReason, JobMessage, JobRoute } from "./protocol/message.ts";
import type { JobRunner } from "./runner/runner.ts";
import type { JobRelay, RelayedExecution, RelayOrigin, RelayResult, RelaySink } from "./worker/job-relay.ts";

/** Events after which the fleet may have other slots or labels. */
const CHANGES: ReadonlySet<RunnerEvent["type"]> = new Set<RunnerEvent["type"]>([
  "runner-state",
  "worker-joined",
  "worker-resized",
  "worker-suspect",
  "worker-recovered",
  "worker-draining",
  "worker-gone",
]);

const NOTHING: RelayedExecution = {
  cancel: () => undefined,
  grant: () => undefined,
  onInput: () => undefined,
  endInput: () => undefined,
};

/** Why the handler's signal says what it says: a worker that leaves or has lost its runner stops its jobs. */
function cancelReason(reason: AbortReason): CancelReason {
  return reason === "disconnected" || reason === "draining" ? "stopped" : reason;
}

/** The way of a job, with what the outer runner left out. Labels that the relay itself came with need no worker behind it. */
function routeOf({ route }: JobMessage, { runnerId, labels: own, waited }: RelayOrigin): JobRoute {
  if (route === undefined)
    return { origin: runnerId, deadline: Number.POSITIVE_INFINITY, priority: 0, labels: [], avoid: [] };
  const labels = route.labels.filter((label) => !own.includes(label));
  return { ...route, deadline: Math.max(1, route.deadline - waited), labels };
}

function resultOf(outcome: RelayedOutcome): RelayResult {
  switch (outcome.kind) {
    case "value": {
      const { value, path, endsStream } = outcome;
      return { ok: true, value, path, endsStream };
    }
    case "error": {
      const { error, retryable, retryAfter } = outcome.message;
      return { ok: false, error, retryable, retryAfter, path: outcome.path };
    }
    case "failed":
      return { ok: false, failure: outcome.failure };
    case "unfit":
    case "cancelled":
      return { ok: false, reject: "unfit" };
  }
}

/** What a job that was not taken in ends with. @throws what is no limit of the fleet. */
function refusal(error: unknown): RelayResult {
  if (error instanceof RunnerStoppedError) return { ok: false, reject: "unfit" };
  if (error instanceof EncodingError) return { ok: false, failure: relayFailure("encoding", error.message) };
  if (!(error instanceof QueueFullError)) throw error;
  const { limit, max, queued, queuedBytes, message } = error;
  return { ok: false, failure: relayFailure(limit, message, { limit: max, queued, queuedBytes }) };
}

class Relay implements JobRelay {
  readonly #runner: JobRunner;

  constructor(runner: JobRunner) {
    this.#runner = runner;
  }

  get capacity(): number {
    return this.#runner.fleet.capacity;
  }

  get labels(): Iterable<string> {
    return this.#runner.fleet.labels;
  }

  get stacked(): number {
    return this.#runner.fleet.relays + 1;
  }

  onChange(listener: () => void): () => void {
    const endEvents = this.#runner.onWorkerEvent((event) => {
      if (CHANGES.has(event.type)) listener();
    });
    const endShrinking = this.#runner.fleet.onShrunk(listener);
    return () => {
      endEvents();
      endShrinking();
    };
  }

  forward(message: JobMessage, from: RelayOrigin, sink: RelaySink): RelayedExecution {
    const route = routeOf(message, from);
    // A job of this very runner: the relays are a ring.
    if (route.origin === this.#runner.fleet.runnerId) {
      sink.onRelayed({ ok: false, reject: "unfit" });
      return NOTHING;
    }
    const owner: RelayedCallOwner = {
      onItem: (value) => sink.onRelayedItem(value),
      onCredit: (bytes) => sink.onRelayedCredit(bytes),
      onProgress: (value) => sink.onRelayedProgress(value),
      onEnded: (outcome) => sink.onRelayed(resultOf(outcome)),
    };
    try {
      const call = this.#runner.fleet.relay({ message, route, asyncContext: from.asyncContext }, owner);
      return {
        cancel: (reason) => call.cancel(cancelReason(reason)),
        grant: (bytes) => call.grant(bytes),
        onInput: (value) => call.onInput(value),
        endInput: () => call.endInput(),
      };
    } catch (error) {
      sink.onRelayed(refusal(error));
      return NOTHING;
    }
  }
}

/**
 * Makes a Worker's `handler` of a runner: `new Worker({ dial, handler: relay(runner) })`. The Worker announces the slots and the
 * labels that the runner's fleet has at the moment. What happens there means what it means without a relay: the caller's runner
 * decides about retries, `jobId` and `attempt` of a handler's context are that runner's, and limits keep their codes.
 */
export function relay(runner: JobRunner): JobRelay {
  return new Relay(runner);
}
