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

test("with a network it dials, whatever comes of it", async () => {
  const dialer = new OnlineDialer(new Refusal());
  await expect(dialer.dial(new AbortController().signal, limits)).rejects.toThrow("refused 1");
});

test("without a network it dials once the network is back, once for each waiting dial", async () => {
  const inner = new Refusal();
  const dialer = new OnlineDialer(inner);
  dialer.setOnline(false);
  expect(dialer.isOnline).toBe(false);
  const dials = [1, 2].map(() => dialer.dial(new AbortController().signal, limits).catch(String));
  await null;
  expect(inner.dials).toBe(0);
  dialer.setOnline(true);
  expect(await Promise.all(dials)).toEqual(["Error: refused 1", "Error: refused 2"]);
});

test("a network that is gone again at once lets no dial through", async () => {
  const inner = new Refusal();
  const dialer = new OnlineDialer(inner);
  dialer.setOnline(false);
  const dial = dialer.dial(new AbortController().signal, limits).catch(String);
  dialer.setOnline(true);
  dialer.setOnline(false);
  await null;
  expect(inner.dials).toBe(0);
  dialer.setOnline(true);
  expect(await dial).toBe("Error: refused 1");
});

test("who is called off while waiting never dials", async () => {
  const inner = new Refusal();
  const dialer = new OnlineDialer(inner);
  dialer.setOnline(false);
  const waiting = new AbortController();
  const dial = dialer.dial(waiting.signal, limits);
  waiting.abort(new Error("called off"));
  await expect(dial).rejects.toThrow("called off");
  await expect(dialer.dial(waiting.signal, limits)).rejects.toThrow("called off");
  dialer.setOnline(true);
  await null;
  expect(inner.dials).toBe(0);
});
