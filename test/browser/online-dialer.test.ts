import { expect, test } from "vitest";
import { OnlineDialer } from "../../src/browser/online-dialer.ts";
import type { Dialer } from "../../src/index.ts";

const limits = { maxFrameBytes: 1_000 };

/** Counts dials, and refuses each. */
class Refusal implements Dialer {
  dials = 0;

  dial(): Promise<never> {
    return Promise.reject(new Error(`refused ${++this.dials}`));
  }
}

test("an open gate dials, whatever comes of it", async () => {
  const gate = new OnlineDialer(new Refusal());
  await expect(gate.dial(new AbortController().signal, limits)).rejects.toThrow("refused 1");
});

test("a closed gate dials when it is opened, once for each who waits", async () => {
  const inner = new Refusal();
  const gate = new OnlineDialer(inner);
  gate.set(false);
  expect(gate.isOpen).toBe(false);
  const dials = [1, 2].map(() => gate.dial(new AbortController().signal, limits).catch(String));
  await null;
  expect(inner.dials).toBe(0);
  gate.set(true);
  expect(await Promise.all(dials)).toEqual(["Error: refused 1", "Error: refused 2"]);
});

test("a gate that closes again at once lets nobody through", async () => {
  const inner = new Refusal();
  const gate = new OnlineDialer(inner);
  gate.set(false);
  const dial = gate.dial(new AbortController().signal, limits).catch(String);
  gate.set(true);
  gate.set(false);
  await null;
  expect(inner.dials).toBe(0);
  gate.set(true);
  expect(await dial).toBe("Error: refused 1");
});

test("who is called off while waiting never dials", async () => {
  const inner = new Refusal();
  const gate = new OnlineDialer(inner);
  gate.set(false);
  const waiting = new AbortController();
  const dial = gate.dial(waiting.signal, limits);
  waiting.abort(new Error("called off"));
  await expect(dial).rejects.toThrow("called off");
  await expect(gate.dial(waiting.signal, limits)).rejects.toThrow("called off");
  gate.set(true);
  await null;
  expect(inner.dials).toBe(0);
});
