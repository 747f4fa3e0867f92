/**
 * A worker that does not read what it is sent is found out: what waits for it is bounded, and when that is too much, or nothing
 * of it is read for too long, its session ends. Judged by what the network says is waiting.
 */
import { frameLimit } from "../../core/protocol/codec.ts";
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { CheckerContext } from "./checker-context.ts";
import { BACKLOG_POLL, type WireConnection } from "./wire.ts";

/** Timers are rounded up to whole milliseconds. */
const TICK = 1;

/** What waits at one connection. */
interface Pile {
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
  readonly #piles = new WeakMap<WireConnection, Pile>();

  /** @param violation - Is told of what is wrong. @param context - Is shown everything before this checker is. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
  }

  /** What was sent and not read is at least what waits at the socket: only where that is much, the socket is asked, which is dear. */
  betweenEvents(now: number, runners: readonly ObservedRunner[]): void {
    for (const view of runners) {
      const wire = this.#context.wire.runner(view.machine);
      if (wire === undefined || wire.stalled) continue;
      for (const connection of wire.congested) this.#look(view, connection, now);
    }
  }

  #look(view: ObservedRunner, connection: WireConnection, now: number): void {
    const { machine, limits } = view;
    const bytes = view.buffered(connection.number);
    const pile = this.#pile(connection, bytes, now);
    if (!connection.mustRead) {
      // Then bytes hold back new work, and no more than that.
      pile.overSince = undefined;
      pile.since = now;
    }
    const bound = limits.maxBuffered + frameLimit(limits.maxPayload);
    if (bytes > bound) this.#violation("within-bounds", `${machine}: ${bytes} bytes wait, ${bound} may`);
    if (bytes <= limits.maxBuffered) pile.overSince = undefined;
    else this.#claim(machine, connection, bytes, (pile.overSince ??= now), now - BACKLOG_POLL);
    if (bytes <= limits.highWater) pile.since = now;
    // The first look after it became less still sees that.
    else this.#claim(machine, connection, bytes, pile.since, now - limits.stallTimeout - 2 * BACKLOG_POLL);
  }

  #pile(connection: WireConnection, bytes: number, now: number): Pile {
    let pile = this.#piles.get(connection);
    if (pile === undefined) this.#piles.set(connection, (pile = { bytes, since: now, overSince: undefined }));
    else if (bytes < pile.bytes || pile.since < (connection.congestedSince ?? now)) pile.since = now;
    pile.bytes = bytes;
    return pile;
  }

  #claim(machine: string, { identity }: WireConnection, bytes: number, from: number, due: number): void {
    const what = `${identity} has not read ${bytes} bytes that wait since ${from} ms, and is still there`;
    this.#context.allowance.claim({ machine, from, late: due - from - TICK, promise: "within-bounds", what });
  }
}
