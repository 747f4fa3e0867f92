import { getEventListeners } from "node:events";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Abortable, AbortListeners } from "../../../src/core/async/abort-listeners.ts";

class Waiter implements Abortable {
  readonly reasons: unknown[] = [];
  next: () => void = () => undefined;

  aborted(reason: unknown): void {
    this.reasons.push(reason);
    this.next();
  }
}

/** A signal that counts who listens. */
class Counted {
  readonly aborter = new AbortController();
  readonly signal: AbortSignal = this.aborter.signal;
  listeners = 0;

  constructor() {
    const { signal } = this;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    const listening = new Set<unknown>();
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      this.listeners = listening.add(args[1]).size;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening.delete(args[1]);
      this.listeners = listening.size;
      remove(...args);
    };
  }
}

describe("an index of signals", () => {
  it("tells everybody who waits, once, with the reason", () => {
    const index = new AbortListeners();
    const { aborter, signal } = new Counted();
    const waiters = [new Waiter(), new Waiter()];
    for (const waiter of waiters) index.watch(signal, waiter);
    aborter.abort("why");
    expect(waiters.map((waiter) => waiter.reasons)).toEqual([["why"], ["why"]]);
    expect(index.size).toBe(0);
  });

  it("listens once to a signal however many wait, and no longer than somebody does", () => {
    const index = new AbortListeners();
    const counted = new Counted();
    const waiters = Array.from({ length: 100 }, () => new Waiter());
    for (const waiter of waiters) index.watch(counted.signal, waiter);
    expect([counted.listeners, index.size]).toEqual([1, 1]);
    const [last = new Waiter(), ...others] = waiters;
    for (const waiter of others) index.forget(counted.signal, waiter);
    expect([counted.listeners, index.size]).toEqual([1, 1]);
    index.forget(counted.signal, last);
    expect([counted.listeners, index.size]).toEqual([0, 0]);
    counted.aborter.abort();
    expect(waiters.flatMap((waiter) => waiter.reasons)).toEqual([]);
  });

  it("keeps signals apart", () => {
    const index = new AbortListeners();
    const [one, other] = [new Counted(), new Counted()];
    const waiter = new Waiter();
    index.watch(one.signal, waiter);
    index.watch(other.signal, waiter);
    expect(index.size).toBe(2);
    index.forget(one.signal, waiter);
    one.aborter.abort("one");
    other.aborter.abort("other");
    expect([waiter.reasons, index.size, other.listeners]).toEqual([["other"], 0, 0]);
  });

  it("does not mind forgetting whom it does not know", () => {
    const index = new AbortListeners();
    const { aborter, signal } = new Counted();
    const waiter = new Waiter();
    index.forget(signal, waiter);
    index.watch(signal, waiter);
    index.forget(signal, new Waiter());
    index.watch(signal, waiter);
    aborter.abort("why");
    index.forget(signal, waiter);
    expect(waiter.reasons).toEqual(["why"]);
  });

  it("does not tell one whom another forgets as it is told", () => {
    const index = new AbortListeners();
    const { aborter, signal } = new Counted();
    const [first, second, third] = [new Waiter(), new Waiter(), new Waiter()];
    first.next = () => index.forget(signal, second);
    for (const waiter of [first, second, third]) index.watch(signal, waiter);
    aborter.abort("why");
    expect([first.reasons, second.reasons, third.reasons]).toEqual([["why"], [], ["why"]]);
  });

  it("tells one who comes while it tells the others", () => {
    const index = new AbortListeners();
    const counted = new Counted();
    const [first, late] = [new Waiter(), new Waiter()];
    first.next = () => index.watch(counted.signal, late);
    index.watch(counted.signal, first);
    counted.aborter.abort("why");
    expect(late.reasons).toEqual(["why"]);
    expect([index.size, counted.listeners]).toEqual([0, 0]);
  });

  it("leaves no listener on the signal", () => {
    const index = new AbortListeners();
    const { signal } = new AbortController();
    const waiter = new Waiter();
    index.watch(signal, waiter);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    index.forget(signal, waiter);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});

describe("an index of signals beside a list of who waits", () => {
  interface Change {
    readonly op: "watch" | "forget" | "abort";
    readonly signal: number;
    readonly waiter: number;
  }
  const change: fc.Arbitrary<Change> = fc.record({
    op: fc.constantFrom("watch", "watch", "forget", "abort"),
    signal: fc.nat(2),
    waiter: fc.nat(5),
  });

  it("tells whom the list says, in its order, also while others are told", () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 60, size: "max" }),
        fc.array(fc.option(change), { minLength: 6, maxLength: 6 }),
        (steps, told) => {
          const index = new AbortListeners();
          const signals = Array.from({ length: 3 }, () => new Counted());
          const seen: string[] = [];
          const expected: string[] = [];
          /** Each signal's waiters in the order they came; absent once it has aborted. */
          const model = signals.map((): number[] => []);
          const aborted = new Set<number>();
          const waiters = told.map((next, n): Abortable => ({
            aborted: (reason) => {
              seen.push(`${n} ${String(reason)}`);
              if (next !== null) real(next);
            },
          }));
          const real = ({ op, signal, waiter }: Change): void => {
            const counted = signals[signal];
            const one = waiters[waiter];
            if (counted === undefined || one === undefined) return;
            if (op === "abort") counted.aborter.abort(signal);
            else if (op === "forget") index.forget(counted.signal, one);
            else if (!counted.signal.aborted) index.watch(counted.signal, one);
          };
          const play = ({ op, signal, waiter }: Change): void => {
            const all = model[signal] ?? [];
            if (op === "forget") model[signal] = all.filter((one) => one !== waiter);
            if (op === "watch" && !aborted.has(signal) && !all.includes(waiter)) all.push(waiter);
            if (op !== "abort" || aborted.has(signal)) return;
            aborted.add(signal);
            const done = new Set<number>();
            for (
              let next = model[signal]?.[0];
              next !== undefined;
              next = model[signal]?.find((one) => !done.has(one))
            ) {
              done.add(next);
              expected.push(`${next} ${signal}`);
              const then = told[next];
              if (then !== null && then !== undefined) play(then);
            }
            model[signal] = [];
          };
          for (const each of steps) {
            real(each);
            play(each);
            expect(seen).toEqual(expected);
            expect(index.size).toBe(model.filter((all) => all.length > 0).length);
            expect(signals.map(({ listeners }) => listeners)).toEqual(model.map((all) => Number(all.length > 0)));
          }
        },
      ),
    );
  });
});
