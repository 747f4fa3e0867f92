/**
 * A worker that does not read is detected: the bytes that wait for it are bounded. Its session ends when they are too many, or
 * when none of them is read for too long. The network says how many bytes wait.
 */
import { frameLimit } from "../../core/protocol/codec.ts";
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { CheckerContext } from "./checker-context.ts";
import { BACKPRESSURE_POLL_MS, type WireConnection } from "./wire.ts";

/** Timers are rounded up to whole milliseconds. */
const TICK_MS = 1;

/** What waits at one connection. */
interface UnsentBytes {
  bytes: number;
  /** Since when it has not become less. */
  since: number;
  /** Since when it is over the hard limit; `undefined` while it is not. */
  overSince: number | undefined;
}

/** Checks within-bounds for unsent bytes. */
export class BackpressureChecker implements Checker {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  readonly #unsent = new WeakMap<WireConnection, UnsentBytes>();

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
  }

  /** Asks only the sockets of congested connections. Why: asking is slow, and at most the unread bytes wait at a socket. */
  betweenEvents(now: number, runners: readonly ObservedRunner[]): void {
    for (const view of runners) {
      const wire = this.#context.wire.runner(view.machine);
      if (wire === undefined || wire.stalled) continue;
      for (const connection of wire.congested) this.#check(view, connection, now);
    }
  }

  #check(view: ObservedRunner, connection: WireConnection, now: number): void {
    const { machine, limits } = view;
    const bytes = view.buffered(connection.number);
    const unsent = this.#unsentOf(connection, bytes, now);
    if (!connection.mustRead) {
      // Here bytes only hold back new work.
      unsent.overSince = undefined;
      unsent.since = now;
    }
    const bound = limits.maxBuffered + frameLimit(limits.maxPayload);
    if (bytes > bound) this.#violation("within-bounds", `${machine}: ${bytes} bytes wait, ${bound} may`);
    if (bytes <= limits.maxBuffered) unsent.overSince = undefined;
    else this.#claim(machine, connection, bytes, (unsent.overSince ??= now), now - BACKPRESSURE_POLL_MS);
    if (bytes <= limits.highWater) unsent.since = now;
    // The runner's first check after the bytes became less still sees that.
    else this.#claim(machine, connection, bytes, unsent.since, now - limits.stallTimeout - 2 * BACKPRESSURE_POLL_MS);
  }

  #unsentOf(connection: WireConnection, bytes: number, now: number): UnsentBytes {
    let unsent = this.#unsent.get(connection);
    if (unsent === undefined) this.#unsent.set(connection, (unsent = { bytes, since: now, overSince: undefined }));
    else if (bytes < unsent.bytes || unsent.since < (connection.congestedSince ?? now)) unsent.since = now;
    unsent.bytes = bytes;
    return unsent;
  }

  #claim(machine: string, { identity }: WireConnection, bytes: number, from: number, due: number): void {
    const what = `${identity} has not read ${bytes} bytes that wait since ${from} ms, and is still there`;
    this.#context.allowance.claim({ machine, from, late: due - from - TICK_MS, promise: "within-bounds", what });
  }
}
