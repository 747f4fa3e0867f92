/** Virtual time: what fires when and in which order, what a step waits for, and what may move it. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

/** Writes down names and when they were called. */
class Diary {
  readonly clock: VirtualClock;
  readonly lines: string[] = [];

  constructor(clock: VirtualClock = new VirtualClock()) {
    this.clock = clock;
  }

  note(name: string): () => void {
    return () => void this.lines.push(`${name}@${this.clock.now()}`);
  }
}

describe("timers", () => {
  it("fire at their time, each with the time that is due, and not beyond the end", async () => {
    const { clock, lines, note } = bound();
    for (const delay of [30, 10, 20, 0, 31]) clock.set(delay, note(`t${delay}`));
    await clock.advance(30);
    expect(lines).toEqual(["t0@0", "t10@10", "t20@20", "t30@30"]);
    expect([clock.now(), clock.pending, clock.next]).toEqual([30, 1, 31]);
  });

  it("that are due together fire in the order they were set", async () => {
    const { clock, lines, note } = bound();
    for (let i = 0; i < 20; i++) clock.set(5, note(`t${i}`));
    await clock.advance(5);
    expect(lines).toEqual(Array.from({ length: 20 }, (_, i) => `t${i}@5`));
  });

  it("that are due together fire in an order the seed decides, if asked to", async () => {
    const order = async (seed: number): Promise<string> => {
      const { clock, lines, note } = bound(new VirtualClock({ shuffle: new SeededRandom(seed) }));
      for (let i = 0; i < 10; i++) clock.set(5, note(String(i)));
      clock.set(4, note("first"));
      await clock.advance(5);
      expect(lines).toHaveLength(11);
      expect(lines[0]).toBe("first@4");
      return lines.join();
    };
    expect(await order(1)).toBe(await order(1));
    expect(await order(1)).not.toBe(await order(2));
  });

  it("keep their order among thousands, cleared ones left out", async () => {
    const { clock } = bound();
    const chance = new SeededRandom(9);
    const due: number[] = [];
    const fired: number[] = [];
    for (let i = 0; i < 3_000; i++) {
      const delay = chance.below(1_000);
      const timer = clock.set(delay, () => fired.push(delay));
      if (chance.below(3) === 0) clock.clear(timer);
      else due.push(delay);
    }
    expect(clock.pending).toBe(due.length);
    await clock.advance(1_000);
    expect(fired).toEqual(due.toSorted((a, b) => a - b));
    expect(clock.pending).toBe(0);
  });

  it("may be cleared twice, after they fired, and by each other", async () => {
    const { clock, lines, note } = bound();
    const victim = clock.set(10, note("victim"));
    const killer = clock.set(10, () => clock.clear(victim));
    clock.clear(undefined);
    clock.set(5, () => clock.clear(victim));
    await clock.advance(20);
    clock.clear(killer);
    clock.clear(victim);
    expect([lines, clock.pending]).toEqual([[], 0]);
  });

  it("refuse a delay that is none", () => {
    const { clock } = bound();
    for (const delay of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => clock.set(delay, () => undefined)).toThrow(RangeError);
    }
  });

  it("set by a timer for now fire in the same advance", async () => {
    const { clock, lines, note } = bound();
    clock.set(5, () => clock.set(0, note("child")));
    await clock.advance(5);
    expect(lines).toEqual(["child@5"]);
  });

  it("come late after a jump, and see the later time", async () => {
    const { clock, lines, note } = bound();
    clock.set(5, note("late"));
    clock.jump(100);
    expect(lines).toEqual([]);
    await clock.settle();
    expect(lines).toEqual(["late@100"]);
    expect(() => clock.jump(-1)).toThrow(RangeError);
    await expect(clock.advance(-1)).rejects.toThrow(RangeError);
    await expect(clock.advance(Number.NaN)).rejects.toThrow(RangeError);
  });
});

describe("an event", () => {
  it("is over when every promise callback it leads to has run, however deep", async () => {
    const { clock, lines, note } = bound();
    const deep = async (depth: number): Promise<void> => {
      if (depth > 0) return deep(depth - 1);
      lines.push("deep");
    };
    clock.set(1, () => void deep(200));
    clock.set(1, note("next"));
    await clock.advance(1);
    expect(lines).toEqual(["deep", "next@1"]);
  });

  it("ends with what was left for its end, before other turns, before timers", async () => {
    const { clock, lines, note } = bound();
    clock.set(0, note("timer"));
    clock.nextTurn(note("turn"));
    clock.endOfTurn(note("end"));
    expect(clock.busy).toBe(true);
    await clock.settle();
    expect(lines).toEqual(["end@0", "turn@0", "timer@0"]);
    expect(clock.busy).toBe(false);
  });

  it("that throws ends the advance, not the clock", async () => {
    const { clock, lines, note } = bound();
    clock.set(1, () => {
      throw new Error("bad event");
    });
    clock.set(2, note("after"));
    await expect(clock.advance(5)).rejects.toThrow("bad event");
    await clock.advance(5);
    expect(lines).toEqual(["after@2"]);
  });

  it("is followed by a look at the world, and one last one", async () => {
    const looks: number[] = [];
    const clock = new VirtualClock({ betweenEvents: () => looks.push(clock.now()) });
    clock.set(1, () => undefined);
    clock.set(2, () => undefined);
    await clock.advance(3);
    expect(looks[0]).toBe(0);
    expect(looks.filter((at) => at === 1)).toHaveLength(2);
    expect(looks.at(-1)).toBe(2);
  });
});

describe("moving it", () => {
  it("does so one after the other", async () => {
    const { clock, lines, note } = bound();
    clock.set(5, note("a"));
    clock.set(15, note("b"));
    await Promise.all([clock.advance(10), clock.advance(10), clock.settle()]);
    expect([lines, clock.now()]).toEqual([["a@5", "b@15"], 20]);
  });

  it("is itself, while it runs", async () => {
    const { clock } = bound();
    const refused: unknown[] = [];
    clock.set(5, () => {
      for (const move of [clock.advance(1), clock.settle()]) move.catch((error: unknown) => refused.push(error));
    });
    await clock.run(() => clock.now() >= 5 && !clock.busy && clock.pending === 0);
    expect(refused.map(String)).toEqual([
      expect.stringContaining("wait with `sleep`"),
      expect.stringContaining("wait with `sleep`"),
    ]);
    await clock.advance(1); // and afterwards it may be moved again
    expect(clock.now()).toBe(6);
  });

  it("runs until it is done, and asks before it lets time pass", async () => {
    const { clock } = bound();
    const asked: (number | undefined)[] = [];
    clock.set(5, () => undefined);
    const run = clock.run(
      () => false,
      (next) => {
        asked.push(next);
        if (next === undefined) throw new Error("nothing left");
      },
    );
    await expect(run).rejects.toThrow("nothing left");
    expect(asked).toEqual([5, undefined]);
  });
});

function bound(clock?: VirtualClock): { clock: VirtualClock; lines: string[]; note: (name: string) => () => void } {
  const diary = new Diary(clock);
  return { clock: diary.clock, lines: diary.lines, note: (name) => diary.note(name) };
}
