/**
 * The seam between a Worker and the fleet it hands its jobs to instead of a handler: what `relay(runner)` makes. The other side is
 * ../relay.ts. Types, and the way to tell a relay from a handler.
 */
import type { AbortReason, RemoteError } from "../errors.ts";
import type { JobFailedMessage, JobMessage, RejectReason } from "../protocol/message.ts";
import type { Payload } from "../peer.ts";
import type { AsyncContext } from "../time/async-context.ts";

/** How a relayed job failed without an answer of a handler. */
export type RelayFailure = Omit<JobFailedMessage, "type" | "attemptId">;

/** What came of a relayed job. `path`: which worker of the fleet had it. */
export type RelayResult =
  | { readonly ok: true; readonly value: Payload; readonly path: string; readonly endsStream?: boolean }
  | {
      readonly ok: false;
      readonly error: RemoteError;
      readonly retryable: boolean;
      readonly retryAfter: number;
      readonly path: string;
    }
  | { readonly ok: false; readonly failure: RelayFailure }
  | { readonly ok: false; readonly reject: RejectReason }; // not started

/** A job at a relay. */
export interface RelayedExecution {
  /** Its result is not wanted any more. The end follows once its slot is free. */
  cancel(reason: AbortReason): void;
  /** The outer side takes so many bytes of items more. */
  grant(bytes: number): void;
  /** An item of the stream that goes in. */
  onInput(value: Payload): void;
  /** That stream has ended. */
  endInput(): void;
}

/** What is told of a job at a relay. */
export interface RelaySink {
  /** An item of a stream. */
  onRelayedItem(value: Payload): void;
  /** The fleet takes so many bytes more of the stream that goes in. */
  onRelayedCredit(bytes: number): void;
  /** How far the handler is. */
  onRelayedProgress(value: Payload): void;
  /** It is over. Called once, later or before `forward` returns. */
  onRelayed(result: RelayResult): void;
}

/** Where a relayed job comes from: the runner, the relay's own labels, the caller's async context, if that is in this process, and the ms it waited for a slot. */
export interface RelayOrigin {
  readonly runnerId: string;
  readonly labels: readonly string[];
  readonly asyncContext: AsyncContext | undefined;
  readonly waited: number;
}

/** A fleet in a worker's place: give it to a Worker as its `handler`. Made by `relay`. */
export interface JobRelay {
  /** Jobs the fleet takes at a time now. */
  readonly capacity: number;
  /** The labels of its workers now, each once. */
  readonly labels: Iterable<string>;
  /** How many relays are stacked now, this one included: 1 when none is behind it. */
  readonly stacked: number;
  /** Calls `listener` when these may have changed; the returned function ends that. @internal */
  onChange(listener: () => void): () => void;
  /** Hands a job to the fleet. @internal */
  forward(message: JobMessage, from: RelayOrigin, sink: RelaySink): RelayedExecution;
}

/** Whether a `handler` is a relay. */
export function isRelay(handler: unknown): handler is JobRelay {
  return typeof handler === "object" && handler !== null && "forward" in handler;
}
