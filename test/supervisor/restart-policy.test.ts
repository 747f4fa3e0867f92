import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Restart, RestartPolicy } from "../../src/supervisor/restart-policy.ts";
import { scarcityOf, withCode } from "../../src/supervisor/scarcity.ts";
import { VirtualClock } from "../../src/testing/time/virtual-clock.ts";

const USELESS = { lived: 0, begun: false, scarce: false };
const SCARCE = { ...USELESS, scarce: true };
const limits = { restartMin: 100, restartMax: 1_000, maxCrashes: 6 };

/** Chance at its highest: the pauses are as long as they get. */
function longest(over: Partial<typeof limits> = {}): RestartPolicy {
  return new RestartPolicy({ ...limits, ...over }, { u32: () => 0xffff_ffff, id: () => "" });
}

const pauses = (restarts: RestartPolicy, times: number): (number | undefined)[] =>
  Array.from({ length: times }, () => restarts.onCrash(USELESS)).map(({ after, isGivenUp }) =>
    isGivenUp ? undefined : Math.round(after),
  );

test("the pause doubles up to its bound, and then the place is given up", () => {
  expect(pauses(longest(), 6)).toEqual([100, 200, 400, 800, 1_000, undefined]);
});

test.each([
  [0, 1_000, 30_000],
  [0xffff_ffff, 1_000, 60_000],
  [0xffff_ffff, 600_000, 600_000],
])("a place that is given up is tried at a slow pace (chance %i, restartMax %i)", (chance, restartMax, pause) => {
  const restarts = new RestartPolicy({ ...limits, maxCrashes: 1, restartMax }, { u32: () => chance, id: () => "" });
  for (let crash = 0; crash < 100; crash++) {
    const { after, isGivenUp } = restarts.onCrash(USELESS);
    expect([Math.round(after), isGivenUp]).toEqual([pause, true]);
  }
  const { after, isGivenUp } = restarts.onCrash({ ...USELESS, begun: true });
  expect([after <= limits.restartMin, isGivenUp]).toEqual([true, false]);
});

test.each([
  ["begun a job", { lived: 0, begun: true, scarce: false }],
  ["lived 10 s", { lived: 10_000, begun: false, scarce: false }],
])("a thread that has %s begins the count anew", (_what, life) => {
  const restarts = longest({ maxCrashes: 3 });
  expect(pauses(restarts, 2)).toEqual([100, 200]);
  expect(Math.round(restarts.onCrash(life).after)).toBe(100);
  expect(restarts.inARow).toBe(0);
  expect(pauses(restarts, 3)).toEqual([100, 200, undefined]);
});

test("with a limit of one, a thread that was of use may crash all the same", () => {
  const restarts = longest({ maxCrashes: 1 });
  expect(restarts.onCrash({ ...USELESS, begun: true }).isGivenUp).toBe(false);
  expect(restarts.onCrash(USELESS).isGivenUp).toBe(true);
});

test("a pause is anything from nothing to the bound", () => {
  const number = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(fc.array(number, { minLength: 1, maxLength: 60 }), (chances) => {
      let next = 0;
      const random = { u32: () => chances[next++ % chances.length] ?? 0, id: () => "" };
      const restarts = new RestartPolicy({ ...limits, maxCrashes: Number.POSITIVE_INFINITY }, random);
      chances.forEach((chance, index) => {
        const bound = Math.min(limits.restartMax, limits.restartMin * 2 ** index);
        expect(restarts.onCrash(USELESS).after).toBeCloseTo((chance / 2 ** 32) * bound, 6);
      });
    }),
  );
});

test("where something has run out it is tried for ever, at longer and longer pauses, and told once", () => {
  const restarts = longest();
  const all = Array.from({ length: 1_000 }, () => restarts.onCrash(SCARCE));
  expect(all.slice(0, 6).map(({ after }) => Math.round(after))).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  expect(all.slice(6).every(({ after }) => Math.round(after) === 1_000)).toBe(true);
  expect(all.filter(({ isScarce }) => isScarce)).toEqual([all[0]]);
});

test("what crashes in other words in between is not counted, and the pauses do not begin anew", () => {
  const restarts = longest();
  const all: Restart[] = [];
  for (let round = 0; round < 50; round++) {
    for (let crash = 0; crash < limits.maxCrashes - 1; crash++) all.push(restarts.onCrash(USELESS));
    all.push(restarts.onCrash(SCARCE));
  }
  expect(all.every(({ isGivenUp }) => !isGivenUp)).toBe(true);
  expect(all.slice(5).every(({ after }) => Math.round(after) === 1_000)).toBe(true);
  expect(all.filter(({ isScarce }) => isScarce)).toHaveLength(1);
  // A module that is broken is given up all the same, once nothing is said of scarcity any more.
  expect(pauses(restarts, limits.maxCrashes).at(-1)).toBeUndefined();
});

test("a thread of use ends it: the next time is told again, and begins with short pauses", () => {
  const restarts = longest();
  for (let crash = 0; crash < 5; crash++) restarts.onCrash(SCARCE);
  const { after, isScarce } = restarts.onCrash({ lived: 10_000, begun: false, scarce: true });
  expect([Math.round(after), isScarce]).toEqual([100, true]);
});

/** Lives through a want that lasts so long, on virtual time: when threads were started, and how long a place was empty after it. */
async function famine(ms: number): Promise<{ readonly starts: number; readonly emptyAfter: number }> {
  const clock = new VirtualClock();
  const restarts = longest({ restartMax: 30_000 });
  let starts = 0;
  let back = -1;
  const start = (): void => {
    starts++;
    if (clock.now() >= ms) back = clock.now();
    else clock.set(restarts.onCrash(SCARCE).after, start);
  };
  start();
  await clock.advance(ms + 30_000);
  return { starts, emptyAfter: back - ms };
}

test("a day without is a start each half minute, and the place is filled within one of its end", async () => {
  const { starts, emptyAfter } = await famine(86_400_000);
  expect(starts).toBeLessThanOrEqual(10 + 86_400 / 30);
  expect(emptyAfter).toBeGreaterThanOrEqual(0);
  expect(emptyAfter).toBeLessThanOrEqual(30_000);
});

const coded = (code: string): Error => Object.assign(new Error("x"), { code });

test.each([
  ["a code", coded("ENFILE"), "ENFILE"],
  ["a thread that could not be initialized", coded("ERR_WORKER_INIT_FAILED"), "ERR_WORKER_INIT_FAILED"],
  ["a thread out of memory", coded("ERR_WORKER_OUT_OF_MEMORY"), "ERR_WORKER_OUT_OF_MEMORY"],
  ["a cause", new Error("could not be loaded", { cause: coded("EMFILE") }), "EMFILE"],
  ["words that were cloned", structuredClone(new Error("EMFILE: too many open files, open 'x'")), "EMFILE"],
  ["words in the middle, which may be anybody's", new Error("saw EMFILE: once"), undefined],
  ["another code", coded("ERR_MODULE_NOT_FOUND"), undefined],
  ["no error", "EMFILE: too many open files", undefined],
  ["nothing", undefined, undefined],
])("scarcity is known by %s", (_how, error, code) => {
  expect(scarcityOf(error)).toBe(code);
});

test("an error that is its own cause is looked at and no more", () => {
  const error = new Error("loop");
  error.cause = error;
  expect(scarcityOf(error)).toBeUndefined();
});

test("an error that cannot be read is none of scarcity", () => {
  const refuse = (): never => {
    throw new Error("not to be read");
  };
  const { proxy, revoke } = Proxy.revocable(new Error("x"), {});
  revoke();
  const unreadable: readonly unknown[] = [
    proxy,
    Object.assign(new Error("x"), { message: Symbol("x") }),
    ...["code", "message", "cause"].map((key) => Object.defineProperty(new Error("x"), key, { get: refuse })),
  ];
  for (const error of unreadable) expect(scarcityOf(error)).toBeUndefined();
});

test("an error gets back the code it has lost, and is made when there was none", () => {
  const error = new Error("x");
  expect(withCode(error, "message", undefined)).toBe(error);
  expect(withCode(error, "message", "EMFILE")).toBe(error);
  expect(error).toMatchObject({ code: "EMFILE" });
  expect(withCode("cannot be cloned", "message", "ENOMEM")).toMatchObject({ message: "message", code: "ENOMEM" });
});
