import { describe, expect, it, vi } from "vitest";
import type { Clock, Random } from "../../../src/core/time/clock.ts";
import { systemClock, systemRandom } from "../../../src/core/time/system.ts";

/** Resolves after so many rounds of microtasks. */
async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}

describe("the host's end of turn", () => {
  it("comes after all that the promises of the turn lead to, however deep, and before the next turn", async () => {
    const seen: string[] = [];
    const done = new Promise<void>((resolve) => {
      systemClock.nextTurn(() => {
        systemClock.nextTurn(() => {
          seen.push("next turn");
          resolve();
        });
        systemClock.endOfTurn(() => seen.push("end of turn"));
        for (const depth of [0, 1, 5, 50]) void rounds(depth).then(() => seen.push(`${depth} deep`));
        seen.push("the code that ran");
      });
    });
    await done;
    expect(seen).toEqual(["the code that ran", "0 deep", "1 deep", "5 deep", "50 deep", "end of turn", "next turn"]);
  });

  it("calls in the order asked for, and never inside the asking", async () => {
    const seen: number[] = [];
    for (const i of [1, 2, 3]) systemClock.endOfTurn(() => seen.push(i));
    expect(seen).toEqual([]);
    await new Promise<void>((resolve) => systemClock.nextTurn(resolve));
    expect(seen).toEqual([1, 2, 3]);
  });
});

interface Host {
  readonly systemClock: Clock;
  readonly systemRandom: Random;
}

let loads = 0;

describe("fake timers that are installed before the clock is first used", () => {
  it("do not stop it", async () => {
    const { systemClock: clock } = await on("unused", {}, false);
    const never = (): void => undefined;
    const faked = ["setTimeout", "clearTimeout", "setImmediate", "queueMicrotask"].map(
      (key) => [globalThis, key] as const,
    );
    const places: readonly (readonly [object, string])[] = [...faked, [globalThis.performance, "now"]];
    const before = places.map(([object, key]) => Object.getOwnPropertyDescriptor(object, key));
    for (const [object, key] of places)
      Object.defineProperty(object, key, { value: never, configurable: true, writable: true });
    try {
      const start = clock.now();
      await new Promise<void>((resolve) => clock.nextTurn(resolve));
      await new Promise<void>((resolve) => clock.endOfTurn(resolve));
      await new Promise<void>((resolve) => void clock.set(2, resolve, true));
      expect(clock.now()).toBeGreaterThan(start);
    } finally {
      for (const [index, [object, key]] of places.entries()) {
        const descriptor = before[index];
        if (descriptor === undefined) Reflect.deleteProperty(object, key);
        else Object.defineProperty(object, key, descriptor);
      }
    }
  });
});

/** Loads the file anew, on a host that has these globals instead. */
async function on(name: string, globals: Record<string, unknown>, isUsed = true): Promise<Host> {
  const before = Object.keys(globals).map((key) => [key, Object.getOwnPropertyDescriptor(globalThis, key)] as const);
  for (const [key, value] of Object.entries(globals))
    Object.defineProperty(globalThis, key, { value, configurable: true, writable: true });
  try {
    const loaded = (await import(
      /* @vite-ignore */ `../../../src/core/time/system.ts?host=${name}-${loads++}`
    )) as Host;
    // Looked at when first used.
    if (isUsed) loaded.systemClock.nextTurn(() => undefined);
    return loaded;
  } finally {
    for (const [key, descriptor] of before)
      if (descriptor !== undefined) Object.defineProperty(globalThis, key, descriptor);
  }
}

describe("the end of a turn on a host without ticks", () => {
  // What bundlers put into web pages for `process`; whoever loads the file meanwhile still has use for the rest of it.
  it.each([
    ["no-version", {}],
    ["no-versions", undefined],
  ])("comes a few rounds of microtasks later (%s)", async (name, versions) => {
    const standIn: unknown = Object.create(process, { versions: { value: versions } });
    const host = await on(name, { process: standIn });
    const seen: string[] = [];
    host.systemClock.endOfTurn(() => seen.push("end of turn"));
    for (const depth of [0, 5, 30]) void rounds(depth).then(() => seen.push(`${depth} deep`));
    await new Promise<void>((resolve) => systemClock.nextTurn(resolve));
    expect(seen).toEqual(["0 deep", "5 deep", "end of turn", "30 deep"]);
  });
});

describe("a later turn on a host without immediates", () => {
  it("is a message to oneself for each, in order", async () => {
    const messages: (() => void)[] = [];
    class Channel {
      readonly port1: { onmessage: () => void } = { onmessage: () => undefined };
      readonly port2 = { postMessage: (): void => void messages.push(() => this.port1.onmessage()) };
    }
    const { systemClock: clock } = await on("messages", { setImmediate: undefined, MessageChannel: Channel });
    messages.splice(0).forEach((deliver) => deliver());
    const seen: number[] = [];
    for (const i of [1, 2]) clock.nextTurn(() => seen.push(i));
    expect([seen, messages.length]).toEqual([[], 2]);
    for (const deliver of messages) deliver();
    messages[0]?.(); // one too many
    expect(seen).toEqual([1, 2]);
  });
});

describe("the host's timers", () => {
  /** Hosts differ in what a timer is. */
  const kinds: [string, () => unknown][] = [
    ["number", () => 7],
    ["nothing", () => null],
    ["plain", () => ({})],
    ["odd", () => ({ unref: "no" })],
  ];

  it.each(kinds)("may be what they like: %s", async (name, make) => {
    const timer = make();
    const cleared: unknown[] = [];
    const host = await on(`timer-${name}`, {
      setTimeout: () => timer,
      clearTimeout: (handle: unknown) => cleared.push(handle),
    });
    const handle = host.systemClock.set(10, () => undefined, false);
    expect(handle).toBe(timer);
    host.systemClock.clear(handle);
    expect(cleared).toEqual([timer]);
  });

  it("do not keep the process alive unless they are told to", async () => {
    const asked: unknown[] = [];
    let released = 0;
    const host = await on("timer-unref", {
      setTimeout: (...args: unknown[]) => {
        asked.push(args);
        return { unref: () => released++ };
      },
    });
    const ring = (): void => undefined;
    host.systemClock.set(10, ring, true);
    expect(released).toBe(0);
    host.systemClock.set(20, ring, false);
    expect(released).toBe(1);
    expect(asked).toEqual([
      [ring, 10],
      [ring, 20],
    ]);
  });

  it("go by the host's monotonic time", () => {
    const before = performance.now();
    const now = systemClock.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(performance.now());
  });
});

describe("the host's chance", () => {
  it("is drawn from its generator, 64 numbers at a time, each used once", async () => {
    let drawn = 0;
    const host = await on("chance", {});
    const source = vi.spyOn(crypto, "getRandomValues").mockImplementation((into) => {
      if (into instanceof Uint32Array) for (let i = 0; i < into.length; i++) into[i] = drawn++;
      return into;
    });
    try {
      const numbers = Array.from({ length: 130 }, () => host.systemRandom.u32());
      expect(numbers).toEqual(Array.from({ length: 130 }, (_, i) => i));
      expect(source).toHaveBeenCalledTimes(3);
      drawn = 0xff;
      for (let i = 130; i < 192; i++) host.systemRandom.u32();
      expect(host.systemRandom.id()).toBe("000000ff000001000000010100000102");
    } finally {
      source.mockRestore();
    }
  });

  it("makes names of 32 digits that differ", () => {
    const names = Array.from({ length: 50 }, () => systemRandom.id());
    for (const name of names) expect(name).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(names).size).toBe(50);
  });
});
