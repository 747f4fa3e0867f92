import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { type Abortable, AbortIndex } from "../../src/core/abort-index.ts";

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
    const index = new AbortIndex();
    const { aborter, signal } = new Counted();
    const waiters = [new Waiter(), new Waiter()];
    for (const waiter of waiters) index.watch(signal, waiter);
    aborter.abort("why");
    expect(waiters.map((waiter) => waiter.reasons)).toEqual([["why"], ["why"]]);
    expect(index.size).toBe(0);
  });

  it("listens once to a signal however many wait, and no longer than somebody does", () => {
    const index = new AbortIndex();
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
    const index = new AbortIndex();
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
    const index = new AbortIndex();
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
    const index = new AbortIndex();
    const { aborter, signal } = new Counted();
    const [first, second, third] = [new Waiter(), new Waiter(), new Waiter()];
    first.next = () => index.forget(signal, second);
    for (const waiter of [first, second, third]) index.watch(signal, waiter);
    aborter.abort("why");
    expect([first.reasons, second.reasons, third.reasons]).toEqual([["why"], [], ["why"]]);
  });

  it("tells one who comes while it tells the others", () => {
    const index = new AbortIndex();
    const counted = new Counted();
    const [first, late] = [new Waiter(), new Waiter()];
    first.next = () => index.watch(counted.signal, late);
    index.watch(counted.signal, first);
    counted.aborter.abort("why");
    expect(late.reasons).toEqual(["why"]);
    expect([index.size, counted.listeners]).toEqual([0, 0]);
  });

  it("leaves no listener on the signal", () => {
    const index = new AbortIndex();
    const { signal } = new AbortController();
    const waiter = new Waiter();
    index.watch(signal, waiter);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    index.forget(signal, waiter);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});
