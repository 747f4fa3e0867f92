/** `simulate` as a user meets it: options, seeds, the report, and how a failure is told and seen again. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Job } from "../../../src/core/job/job.ts";
import { simulate, SimulationError, type SimulateOptions } from "../../../src/testing/simulation/simulate.ts";
import { InvariantError, StuckError } from "../../../src/testing/simulation/simulation-errors.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";

const kept = process.env["POWERHOSE_SEED"];
beforeEach(() => void delete process.env["POWERHOSE_SEED"]);
afterEach(() => {
  if (kept === undefined) delete process.env["POWERHOSE_SEED"];
  else process.env["POWERHOSE_SEED"] = kept;
});

async function oneJob(sim: Simulation): Promise<void> {
  sim.worker("w1", (job) => `${String(job.data)}!`);
  expect(await sim.runner().execute("hello")).toBe("hello!");
}

async function failureOf(run: Promise<unknown>): Promise<SimulationError> {
  const error: unknown = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SimulationError)) throw new Error("it did not fail as a simulation does", { cause: error });
  return error;
}

async function seedsPlayed(options: SimulateOptions): Promise<number[]> {
  const seeds: number[] = [];
  await simulate(options, (sim) => void seeds.push(sim.seed));
  return seeds;
}

describe("options", () => {
  it.each([
    [{ seeds: 0 }, RangeError],
    [{ seeds: -1 }, RangeError],
    [{ seeds: 1.5 }, RangeError],
    [{ seeds: Number.POSITIVE_INFINITY }, RangeError],
    [{ from: -1 }, RangeError],
    [{ from: 2 ** 53 }, RangeError],
    [{ verify: -1 }, RangeError],
    [{ logLines: -1 }, RangeError],
    [{ stuckAfter: 0 }, RangeError],
    [{ stuckAfter: Number.NaN }, RangeError],
    [{ seeds: 1, seed: 7 }, TypeError],
    [{ seeds: 1, network: { latency: [5, 1] as const } }, RangeError],
    [{ seeds: 1, network: { window: -1 } }, RangeError],
    [{ from: 2 ** 53 - 2, seeds: 3 }, RangeError],
    [{ seeds: 1, network: { faults: "lossy" as const } }, TypeError],
  ])("%j are refused before anything is played", async (options, error) => {
    let played = 0;
    await expect(simulate(options, () => void played++)).rejects.toThrow(error);
    expect(played).toBe(0);
  });

  it("without a scenario are refused", async () => {
    const nothing = (): never => undefined as never;
    await expect(simulate({}, nothing())).rejects.toThrow("expected a function");
    await expect(simulate(nothing(), oneJob)).rejects.toThrow("expected an options object");
  });
});

describe("the seeds", () => {
  it("are a hundred from 1, the first played twice", async () => {
    const seeds = await seedsPlayed({});
    expect(seeds).toEqual([1, ...Array.from({ length: 100 }, (_, i) => i + 1)]);
  });

  it("are so many from so far, so many of them played twice", async () => {
    expect(await seedsPlayed({ from: 7, seeds: 3, verify: 2 })).toEqual([7, 7, 8, 8, 9]);
    expect(await seedsPlayed({ from: 7, seeds: 2, verify: 0 })).toEqual([7, 8]);
    expect(await seedsPlayed({ from: 0, seeds: 1, verify: 9 })).toEqual([0, 0]);
  });

  it("are the environment's one when that names one", async () => {
    process.env["POWERHOSE_SEED"] = "42";
    expect(await seedsPlayed({ from: 7, seeds: 3 })).toEqual([42, 42]);
    process.env["POWERHOSE_SEED"] = "";
    expect(await seedsPlayed({ from: 7, seeds: 1, verify: 0 })).toEqual([7]);
    for (const wrong of ["abc", "-1", "1.5", "1e3", " 1", "1234567890123456"]) {
      process.env["POWERHOSE_SEED"] = wrong;
      await expect(seedsPlayed({})).rejects.toThrow(
        `POWERHOSE_SEED is a whole number of at most 15 digits, not ${JSON.stringify(wrong)}`,
      );
    }
  });

  it("may be very large, and neighbours are still different worlds", async () => {
    const { hashes } = await simulate({ from: 2 ** 53 - 3, seeds: 3 }, oneJob);
    const { hashes: small } = await simulate({ from: 0, seeds: 3 }, oneJob);
    expect(new Set([...hashes.values(), ...small.values()]).size).toBe(6);
  });

  it("are each a world of their own", async () => {
    const worlds = new Set<Simulation>();
    const first: number[] = [];
    await simulate({ seeds: 10, verify: 0 }, (sim) => {
      worlds.add(sim);
      expect([sim.now(), sim.runners, sim.workers]).toEqual([0, [], []]);
      first.push(sim.random());
    });
    expect([worlds.size, new Set(first).size]).toEqual([10, 10]);
  });
});

describe("the report", () => {
  it("sums up what was played, each seed once", async () => {
    const report = await simulate({ seeds: 5, verify: 5 }, async (sim) => {
      await oneJob(sim);
      await sim.sleep(1_000);
      await expect(sim.runners[0]?.execute("x", { signal: AbortSignal.abort("no") })).rejects.toBe("no");
    });
    expect(report.seeds).toBe(5);
    expect([...report.hashes.keys()]).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(report.hashes.values()).size).toBe(5);
    for (const hash of report.hashes.values()) expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(report.jobs).toBeGreaterThanOrEqual(5);
    expect(report.jobs).toBeLessThanOrEqual(10);
    expect(report.virtualTime).toBeGreaterThan(5_000);
    expect(report.observations).toBeGreaterThan(50);
  });

  it("tells which rare things happened, and which did not", async () => {
    const { sometimes } = await simulate({ seeds: 3 }, async (sim) => {
      const runner = sim.runner();
      const worker = sim.worker("w1", (_job, { signal }) => sim.forever(signal));
      await expect(runner.execute("job", { timeout: 50, attempts: 1 })).rejects.toThrow("50 ms");
      worker.restart();
      await sim.sleep(100);
    });
    expect(sometimes.get("error: TIMEOUT attempt")).toBe(3);
    expect(sometimes.get("worker restarted")).toBe(3);
    expect([...sometimes.values()].filter((count) => count === 0).length).toBeGreaterThan(5);
  });
});

describe("a failure", () => {
  it("says which seed, how to see it again, and what happened last", async () => {
    const error = await failureOf(
      simulate({ seeds: 3, logLines: 9 }, async (sim) => {
        const runner = sim.runner();
        const worker = sim.worker("w1", (job) => `${String(job.data)}!`);
        await runner.execute("hello \u001b[31m\u202e there\nand here");
        sim.note("now \u001b[2J it is\nenough");
        worker.crash("fin");
        if (sim.seed === 2) throw new TypeError("two is one too many");
      }),
    );
    expect(error.message.replace(/( at ).*(simulate\.test\.ts):\d+:\d+/, "$1$2")).toMatchSnapshot();
    expect([error.name, error.seed, error.log.length]).toEqual(["SimulationError", 2, 9]);
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(error.log.filter((line) => /[\p{Cc}\p{Cf}]/u.test(line))).toEqual([]);
  });

  it("is the same again with the seed it names", async () => {
    const scenario = async (sim: Simulation): Promise<void> => {
      await oneJob(sim);
      if (sim.random() < 0.2) throw new Error(`unlucky at ${sim.now()}`);
    };
    const first = await failureOf(simulate({}, scenario));
    process.env["POWERHOSE_SEED"] = String(first.seed);
    const again = await failureOf(simulate({}, scenario));
    expect([again.seed, again.log, String(again.cause)]).toEqual([first.seed, first.log, String(first.cause)]);
    expect(first.message).not.toContain("another way");
  });

  it("shows as many lines as asked for", async () => {
    const fail = async (sim: Simulation): Promise<never> => {
      await oneJob(sim);
      throw new Error("stop");
    };
    expect((await failureOf(simulate({ logLines: 0 }, fail))).log).toEqual([]);
    expect((await failureOf(simulate({ logLines: 3 }, fail))).log).toHaveLength(3);
    const long = async (sim: Simulation): Promise<never> => {
      for (let i = 0; i < 1_000; i++) sim.note(`line ${i}`);
      return fail(sim);
    };
    expect((await failureOf(simulate({}, long))).log).toHaveLength(40);
  });

  it("may be thrown as anything, at once or later", async () => {
    expect((await failureOf(simulate({ seeds: 1 }, () => Promise.reject("a word")))).message).toContain("a word");
    expect((await failureOf(simulate({ seeds: 1 }, () => Promise.reject(undefined)))).message).toContain("undefined");
    const listener = await failureOf(
      simulate({ seeds: 1 }, async (sim) => {
        sim.runner().on(() => {
          throw new Error("a bad listener");
        });
        await sim.sleep(10);
      }),
    );
    expect(listener.message).toContain("Error: a bad listener");
  });

  it("by a broken promise of the library is told by its name", async () => {
    const error = await failureOf(
      simulate({ seeds: 1 }, async (sim) => {
        await oneJob(sim);
        // What no runner does: the caller's promise is said to have settled once more.
        sim.record({ kind: "settled", machine: "runner", jobId: 1, outcome: { ok: true, value: "hello!" } });
        await sim.sleep(1);
      }),
    );
    expect(error.cause).toBeInstanceOf(InvariantError);
    expect(error.message).toMatch(/^seed 1 failed at .* ms\. .*\n {2}InvariantError: [a-z-]+: /);
  });

  it("ends the world: nothing of it goes on", async () => {
    const after: number[] = [];
    const error = await failureOf(
      simulate({ seeds: 1 }, async (sim) => {
        void (async () => {
          for (;;) {
            await sim.sleep(10);
            after.push(sim.now());
          }
        })();
        await sim.sleep(25);
        throw new Error("stop");
      }),
    );
    expect(error.seed).toBe(1);
    expect(after).toEqual([10, 20, 10, 20]); // it was played twice
  });
});

describe("the words of a failure", () => {
  async function wordsOf(thrown: unknown, options: SimulateOptions = { seeds: 1 }): Promise<string> {
    const error = await failureOf(simulate(options, () => Promise.reject(thrown)));
    return error.message;
  }

  it("begin with the seed and how to play it again, then what was thrown and where, then the log", async () => {
    const [headline, why, more, where, log] = (await wordsOf(new RangeError("one\n\n\t\u001b[31mtwo\u001b[0m"))).split(
      "\n",
    );
    expect(headline).toBe(
      "seed 1 failed at 0.0 ms. Again: POWERHOSE_SEED=1 <your test command>, or simulate({ from: 1, seeds: 1 }, …)",
    );
    expect([why, more]).toEqual(["  RangeError: one", "      two"]);
    expect(where).toMatch(/^ {6}at .*test\/testing\/simulation\/simulate\.test\.ts:\d+:\d+\)?$/);
    expect(log).toBe("  The last that happened (virtual time, who, what):");
  });

  it("say of how many seeds it is", async () => {
    expect(await wordsOf("x", { seeds: 3 })).toMatch(/^seed 1 of 3 failed/);
    expect(await wordsOf("x", { from: 7, seeds: 3 })).toMatch(/^seed 7 of 7 to 9 failed/);
  });

  it("do not let what was thrown begin a line, move a cursor or go on for ever", async () => {
    const words = await wordsOf(new Error(`\u001b[2J\r\nseed 99 of 5 failed\u2028forged ${"x".repeat(20_000)}`));
    expect(words.slice(0, -1)).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(words.split("\n").filter((line) => line.startsWith("seed "))).toHaveLength(1);
    expect(words.length).toBeLessThan(3_000);
  });

  it("show no frame of a message that looks like one", async () => {
    const error = new Error("one\n    at forged (forged.js:1:1)");
    expect((await wordsOf(error)).match(/^ {6}at .*$/gm)).toEqual([expect.stringContaining("simulate.test.ts")]);
    const ours = await failureOf(simulate({ seeds: 1 }, (sim) => sim.network.cut("w7")));
    expect(ours.message.match(/^ {6}at .*$/gm)).toEqual([expect.stringContaining("simulate.test.ts")]);
  });

  it.each([
    ["an object without a prototype", Object.create(null), "something of type object"],
    ["an object", { code: 5 }, '{"code":5}'],
    ["a symbol", Symbol("why"), "Symbol(why)"],
    ["nothing", undefined, "undefined"],
    ["an error of another realm", { name: "AssertionError", message: "2 !== 1" }, "AssertionError: 2 !== 1"],
    ["an error without words", new TypeError(), "TypeError"],
    [
      "what cannot be made a text",
      {
        toString: () => {
          throw new Error("no");
        },
      },
      "something of type object",
    ],
    ["what has no text", { toJSON: () => undefined }, "undefined"],
    [
      "an error whose name throws",
      new Proxy(new Error("x"), {
        get: () => {
          throw new Error("no");
        },
      }),
      "something of type object",
    ],
  ])("of %s are found without throwing", async (_what, thrown, words) => {
    expect((await wordsOf(thrown)).split("\n")[1]).toBe(`  ${words}`);
  });

  it("say so when nothing happened, and nothing of a log that is switched off", async () => {
    expect(await wordsOf("x")).toMatch(/who, what\):\n {2}\(nothing happened\)\n$/);
    expect(await wordsOf("x", { seeds: 1, logLines: 0 })).not.toContain("happened");
  });

  it("are all that a test runner prints: the log is no property of its own, and the stack begins at the caller", async () => {
    const error = await failureOf(simulate({ seeds: 1 }, oneJobTooMany));
    expect([Object.keys(error).sort(), error.log.length > 5]).toEqual([["name", "seed"], true]);
    const frames = (error.stack ?? "").slice((error.stack ?? "").lastIndexOf(error.message) + error.message.length);
    expect(frames.trim().split("\n")[0]).toContain("simulate.test.ts");
  });
});

async function oneJobTooMany(sim: Simulation): Promise<void> {
  await oneJob(sim);
  throw new Error("stop");
}

describe("what is not decided by the seed", () => {
  const chance: readonly [string, () => number][] = [
    ["Math.random", () => Math.floor(Math.random() * 1e9)],
    ["a counter outside", counter()],
  ];

  it.each(chance)("is found out in a handler: %s", async (_name, draw) => {
    const error = await failureOf(
      simulate({ seeds: 1 }, async (sim) => {
        sim.worker("w1", async (_job, { signal }) => {
          await sim.sleep(draw() % 1_000_000, signal);
          return "done";
        });
        await sim.runner().execute("job", { timeout: Number.POSITIVE_INFINITY });
      }),
    );
    expect(error.message).toContain("was played twice, and the second time other things happened");
    expect(error.message).toContain("Something other than the seed decides");
  });

  it.each([
    ["a job", /101.*102/, (sim: Simulation, words: string) => sim.runners[0]?.execute(words)],
    [
      "a header",
      /they carry what a line does not show/,
      (sim: Simulation, words: string) => sim.runners[0]?.execute(new Job("x", { words })),
    ],
    ["a result, as text", /101.*102/, (sim: Simulation) => sim.runners[0]?.execute("text")],
    [
      "a result, as bytes",
      /they carry what a line does not show/,
      (sim: Simulation) => sim.runners[0]?.execute("bytes"),
    ],
    ["the name of an error", /101.*102/, (sim: Simulation) => sim.runners[0]?.execute("error").catch(() => undefined)],
  ])("is found out in %s of the same length, and shown where it begins", async (_what, shown, call) => {
    const count = counter();
    const run = simulate({ seeds: 1, logLines: 0 }, async (sim) => {
      const words = String(100 + count());
      sim.runner();
      sim.worker("w1", (job) => {
        if (job.data === "error") throw Object.assign(new Error("x"), { name: `E${words}` });
        return job.data === "bytes" ? new TextEncoder().encode(words) : job.data === "text" ? words : "done";
      });
      await call(sim, words);
    });
    const { message } = await failureOf(run);
    const [, , heading, once, again] = message.split("\n");
    expect(heading).toBe("  First difference:");
    expect(once).toMatch(/^ {4}once {3}\d+\.\d ms {2}\w+/);
    expect(again).toMatch(/^ {4}again {2}\d+\.\d ms {2}\w+/);
    expect(message.replaceAll("\n", " ")).toMatch(shown);
  });

  it("is shown where it begins, however much follows", async () => {
    const count = counter();
    const run = simulate({ seeds: 1, logLines: 0 }, (sim) => {
      for (let i = 0; i < 2_000; i++) sim.note(i === 7 ? `drawn ${count()}` : "the same");
    });
    expect((await failureOf(run)).message).toMatch(/once .*drawn 1\n.*again .*drawn 2\n/);
  });

  it("is shown where it begins in a seed that was not to be played twice", async () => {
    const count = counter();
    const run = simulate({ seeds: 3, verify: 0, logLines: 0 }, async (sim) => {
      if (sim.seed < 3) return;
      for (let i = 0; i < 300; i++) sim.note(i === 7 ? `drawn ${count()}` : "the same");
      throw new Error("stop");
    });
    const { message } = await failureOf(run);
    expect(message).toMatch(/once .*drawn 1\n.*again .*drawn 2\n {2}Error: stop/);
  });

  it("is found out when only the second time fails", async () => {
    const count = counter();
    const run = simulate({ seeds: 1 }, async (sim) => {
      await oneJob(sim);
      if (count() > 1) throw new Error("the state of the last world");
    });
    const error = await failureOf(run);
    expect(error.message).toContain("was played twice, and the second time it failed");
    expect(error.message).toContain("\n  Error: the state of the last world");
  });

  it("is said when only the first time fails", async () => {
    const count = counter();
    const run = simulate({ seeds: 1 }, async (sim) => {
      await oneJob(sim);
      if (count() === 1) throw new Error("once");
    });
    expect((await failureOf(run)).message).toContain("Played again, the same seed went another way");
  });

  it("is looked for in as many seeds as asked for", async () => {
    const scenario = (sim: Simulation): void => (sim.seed === 3 ? sim.note(String(Math.random())) : undefined);
    await simulate({ seeds: 3 }, scenario);
    expect((await failureOf(simulate({ seeds: 3, verify: 3 }, scenario))).seed).toBe(3);
  });
});

describe("several simulations", () => {
  const faulty = (sim: Simulation): Promise<void> => {
    sim.injectFaults({ until: 3_000, every: 100 });
    return oneJob(sim);
  };

  it("may be played at once, and are what they are alone", async () => {
    const play = (from: number): Promise<ReadonlyMap<number, string>> =>
      simulate({ from, seeds: 5 }, faulty).then(({ hashes }) => hashes);
    const together = await Promise.all([play(1), play(6), play(1)]);
    expect(together).toEqual([await play(1), await play(6), await play(1)]);
  });

  it("do not go one inside of the other, and say so instead of hanging", async () => {
    const error = await failureOf(simulate({ seeds: 1 }, () => simulate({ seeds: 1 }, oneJob)));
    expect(error.cause).toBeInstanceOf(StuckError);
  });
});

function counter(): () => number {
  let count = 0;
  return () => ++count;
}

describe("what is planned for after the scenario's end", () => {
  const ends = (sim: Simulation): void => {
    sim.at(10, () => undefined);
    sim.at(20, () => sim.note("never"));
    sim.injectFaults({ until: 1_000, every: 1e9 });
  };

  it("is counted in the report", async () => {
    const { unreached } = await simulate({ seeds: 3 }, async (sim) => {
      ends(sim);
      await sim.sleep(15);
    });
    expect(unreached).toBe(6); // what was to come at 20 ms, and the fault schedule's end
    const all = await simulate({ seeds: 1 }, async (sim) => {
      ends(sim);
      await sim.sleep(1_001);
    });
    expect(all.unreached).toBe(0);
  });

  it.each([
    [15, "2 planned steps were not reached"],
    [25, "1 planned step was not reached"],
  ])("is told of when the run fails, after %s ms", async (ms, words) => {
    const failing = simulate({ seeds: 1 }, async (sim) => {
      ends(sim);
      await sim.sleep(ms);
      throw new Error("as asked");
    });
    await expect(failing).rejects.toThrow(words);
  });
});

describe("a `simulate` in a scenario", () => {
  it("is named as what it may be stuck on", async () => {
    let inner: Promise<unknown> | undefined;
    const outer = simulate({ seeds: 1 }, async () => {
      inner = simulate({ seeds: 1 }, (sim) => sim.sleep(10_000));
      await inner;
    });
    await expect(outer).rejects.toThrow("a `simulate` of its own");
    await inner;
  });
});
