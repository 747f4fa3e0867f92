/** One simulated process: its time, its stalls, jumps and end, and the count of its timers. */
import { describe, expect, it } from "vitest";
import { Machine, type ActiveMachine } from "../../../src/testing/simulation/machine.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

function set(): {
  clock: VirtualClock;
  active: ActiveMachine;
  machine: Machine;
  seen: string[];
  note: (name: string) => () => void;
} {
  const clock = new VirtualClock();
  const active: ActiveMachine = { actor: undefined };
  const machine = new Machine("w1", "worker", 1, clock, active);
  const seen: string[] = [];
  const note = (name: string) => (): void => void seen.push(`${name}@${clock.now()}`);
  return { clock, active, machine, seen, note };
}

describe("a machine that is up", () => {
  it("runs what it is given at once, as the active machine", async () => {
    const { clock, active, machine } = set();
    const actors: unknown[] = [];
    machine.run(() => actors.push(active.actor));
    active.actor = undefined;
    machine.set(5, () => actors.push(active.actor), true);
    machine.endOfTurn(() => actors.push(active.actor));
    machine.nextTurn(() => actors.push(active.actor));
    await clock.advance(5);
    expect(actors).toEqual([machine, machine, machine, machine]);
  });

  it("counts its timers, and those that would keep its process alive", async () => {
    const { clock, machine } = set();
    const one = machine.set(5, () => undefined, true);
    machine.set(10, () => undefined, false);
    machine.set(15, () => undefined, true);
    expect([machine.timers, machine.keepAliveTimers]).toEqual([3, 2]);
    machine.clear(one);
    machine.clear(one);
    expect([machine.timers, machine.keepAliveTimers]).toEqual([2, 1]);
    await clock.advance(10);
    expect([machine.timers, machine.keepAliveTimers]).toEqual([1, 1]);
    await clock.advance(5);
    expect([machine.timers, machine.keepAliveTimers, clock.pending]).toEqual([0, 0, 0]);
  });
});

describe("a machine that stands still", () => {
  it("does nothing until it wakes, and then everything in its order", async () => {
    const { clock, machine, seen, note } = set();
    machine.set(5, note("timer 5"), true);
    machine.set(8, note("timer 8"), true);
    machine.set(200, note("timer 200"), true);
    machine.stall(100, note("woke"));
    machine.run(note("run"));
    machine.nextTurn(note("turn"));
    await clock.advance(99);
    expect([seen, machine.state]).toEqual([[], "stalled"]);
    await clock.advance(200);
    expect(seen).toEqual(["woke@100", "run@100", "turn@100", "timer 5@100", "timer 8@100", "timer 200@200"]);
    expect([machine.state, machine.stoodStill]).toEqual(["up", 100]);
  });

  it.each([
    [true, ["end", "timer 5", "timer 8", "run", "asked", "turn"]],
    [false, ["end", "run", "asked", "turn", "timer 5", "timer 8"]],
  ])(
    "runs its due timers before its input, or after it, and what is left of its turn before both: %s",
    async (first, order) => {
      const clock = new VirtualClock();
      const active: ActiveMachine = { actor: undefined };
      const asked: number[] = [];
      const machine = new Machine("w1", "worker", 1, clock, active, () => (asked.push(clock.now()), first));
      const seen: string[] = [];
      const note = (name: string) => (): void => void seen.push(name);
      for (const ms of [5, 8, 200]) machine.set(ms, note(`timer ${ms}`), true);
      machine.endOfTurn(note("end"));
      machine.stall(100);
      await clock.advance(6);
      machine.run(note("run"));
      machine.endOfTurn(note("asked")); // from outside
      machine.nextTurn(note("turn"));
      await clock.advance(100);
      expect([seen, asked]).toEqual([order, [100]]);
      machine.stall(10);
      machine.run(note("alone"));
      await clock.advance(10);
      expect(asked).toEqual([100]); // nothing to choose from
    },
  );

  it("does not run a timer that is cleared while it waits for the wake", async () => {
    const { clock, machine, seen, note } = set();
    const timer = machine.set(5, note("timer"), true);
    machine.stall(100);
    await clock.advance(50);
    machine.clear(timer);
    await clock.advance(100);
    expect([seen, machine.timers]).toEqual([[], 0]);
  });

  it("stands still until the last of its stalls is over, and counts none of it twice", async () => {
    const { clock, machine, seen, note } = set();
    machine.stall(100, note("first"));
    await clock.advance(60);
    machine.stall(100, note("second"));
    machine.stall(10, note("third"));
    await clock.advance(99);
    expect(machine.state).toBe("stalled");
    await clock.advance(1);
    expect([machine.state, seen, machine.stoodStill]).toEqual(["up", ["second@160"], 160]);
  });
});

describe("a machine whose clock jumps", () => {
  it("sees a later time; what was due meanwhile by its own clock is due at once, the rest so much earlier", async () => {
    const { clock, machine, seen, note } = set();
    machine.set(50, note("late"), true);
    machine.set(1_050, note("later"), true);
    machine.jump(1_000);
    expect([machine.now(), clock.now(), machine.stoodStill]).toEqual([1_000, 0, 1_000]);
    await clock.settle();
    expect(seen).toEqual(["late@0"]);
    await clock.advance(50);
    expect([seen, machine.now()]).toEqual([["late@0", "later@50"], 1_050]);
    expect([machine.timers, clock.pending]).toEqual([0, 0]);
  });

  it("still fires each timer once when it stood still before", async () => {
    const { clock, machine, seen, note } = set();
    machine.set(5, note("timer"), true);
    machine.stall(100);
    await clock.advance(10);
    machine.jump(50);
    await clock.advance(200);
    expect([seen, machine.timers, clock.pending]).toEqual([["timer@100"], 0, 0]);
  });

  it("does not jump back, nor for ever", () => {
    const { machine } = set();
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => machine.jump(ms)).toThrow(RangeError);
  });
});

describe("a machine that has crashed", () => {
  it("does nothing any more, and leaves no timer behind", async () => {
    const { clock, machine, seen, note } = set();
    machine.set(5, note("timer"), true);
    machine.nextTurn(note("turn"));
    machine.endOfTurn(note("end"));
    machine.crash();
    machine.set(5, note("late timer"), true);
    machine.run(note("run"));
    machine.nextTurn(note("late turn"));
    machine.stall(5, note("woke"));
    await clock.advance(100);
    expect(seen).toEqual([]);
    expect([machine.state, machine.timers, machine.keepAliveTimers, clock.pending]).toEqual(["down", 0, 0, 0]);
  });

  it("does not wake when it crashed in its stall", async () => {
    const { clock, machine, seen, note } = set();
    machine.stall(50, note("woke"));
    machine.run(note("held"));
    await clock.advance(10);
    machine.crash();
    await clock.advance(100);
    expect([machine.state, seen]).toEqual(["down", []]);
  });
});
