/** P5: the queue of deadlines is a list that is searched for the earliest, whatever is set, moved and dropped, and when. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { MAX_DURATION } from "../../src/core/time/clock.ts";
import { CallbackEntry, TimerQueue } from "../../src/core/time/timer-queue.ts";
import { HandClock } from "./hand-clock.ts";
import type { Statement, Tally } from "./statement.ts";

/** Many more than there are lanes: those with a delay of their own fill a heap of several floors. */
const ALARMS = 48;

/** Setting or dropping an alarm, from outside or by one that rings. */
interface Change {
  readonly op: "set" | "drop" | "drop elsewhere";
  readonly n: number;
  readonly ms: number;
}

type Step = Change | { readonly op: "pass"; readonly ms: number } | { readonly op: "jump"; readonly ms: number };

interface Entry {
  readonly n: number;
  readonly due: number;
  readonly turn: number;
}

/** A list of what waits. `rings` says what the one that rings does. */
class DeadlineModel {
  readonly log: string[] = [];
  #list: Entry[] = [];
  #turn = 0;
  readonly #clock: HandClock;
  readonly #rings: readonly Change[];

  constructor(clock: HandClock, rings: readonly Change[]) {
    this.#clock = clock;
    this.#rings = rings;
  }

  get size(): number {
    return this.#list.length;
  }

  change({ op, n, ms }: Change): void {
    if (op === "drop elsewhere") return;
    this.#list = this.#list.filter((entry) => entry.n !== n);
    if (op === "set" && ms !== Number.POSITIVE_INFINITY)
      this.#list.push({ n, due: this.#clock.now() + ms, turn: this.#turn++ });
  }

  /** Everything that is due at the times on the way; what is set while others ring, to now, rings after them. */
  pass(ms: number): void {
    const end = this.#clock.now() + ms;
    for (let first = this.#first(); first !== undefined && first.due <= end; first = this.#first()) {
      const late = Math.max(0, this.#clock.now() - first.due);
      this.#clock.jump(Math.max(0, first.due - this.#clock.now()));
      this.#list = this.#list.filter((entry) => entry !== first);
      this.log.push(`${first.n} at ${this.#clock.now()}, ${late} late`);
      for (const change of this.#rings.slice(first.n, first.n + 1)) this.change(change);
    }
    this.#clock.jump(end - this.#clock.now());
  }

  #first(): Entry | undefined {
    return this.#list.reduce<Entry | undefined>(
      (a, b) => (a === undefined || b.due < a.due || (b.due === a.due && b.turn < a.turn) ? b : a),
      undefined,
    );
  }
}

/** A clock that notes how long the longest timer was. */
class MeteredClock extends HandClock {
  longest = 0;

  override set(delay: number, fn: () => void): unknown {
    this.longest = Math.max(this.longest, delay);
    return super.set(delay, fn);
  }
}

class RealDeadlines {
  readonly log: string[] = [];
  readonly clock: MeteredClock = new MeteredClock();
  readonly queue: TimerQueue = new TimerQueue(this.clock, true);
  /** Another queue, which has none of the alarms. */
  readonly #other = new TimerQueue(new HandClock(), true);
  readonly #alarms: readonly CallbackEntry[];

  constructor(rings: readonly Change[]) {
    this.#alarms = rings.map(
      (change, n) =>
        new CallbackEntry((late) => {
          this.log.push(`${n} at ${this.clock.now()}, ${late} late`);
          this.change(change);
        }),
    );
  }

  change({ op, n, ms }: Change): void {
    for (const alarm of this.#alarms.slice(n, n + 1)) {
      if (op === "set") this.queue.set(alarm, ms);
      else (op === "drop" ? this.queue : this.#other).drop(alarm);
    }
  }
}

const n = fc.nat({ max: ALARMS - 1 });
const ms = fc.oneof(
  { weight: 20, arbitrary: fc.nat({ max: 400 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, Number.POSITIVE_INFINITY, MAX_DURATION, 2 ** 33) },
);
const change: fc.Arbitrary<Change> = fc.record({
  op: fc.constantFrom("set", "set", "set", "drop", "drop elsewhere"),
  n,
  ms,
});
/** What an alarm does when it rings. Not to itself at once, for ever: it may only set itself to later. */
const ring: fc.Arbitrary<Change> = change.map((each) => ({ ...each, ms: Math.max(1, each.ms) }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: change },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("pass" as const), ms: fc.nat({ max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("jump" as const), ms: fc.nat({ max: 60 }) }) },
);

function play(steps: readonly Step[], rings: readonly Change[], tally: Tally): void {
  const real = new RealDeadlines(rings);
  const modelClock = new HandClock();
  const model = new DeadlineModel(modelClock, rings);
  for (const each of steps) {
    if (each.op === "pass") {
      model.pass(each.ms);
      real.clock.pass(each.ms);
    } else if (each.op === "jump") {
      modelClock.jump(each.ms);
      real.clock.jump(each.ms);
    } else {
      model.change(each);
      real.change(each);
    }
    assert.deepEqual(real.log, model.log);
    assert.equal(real.queue.size, model.size);
    assert.equal(real.clock.pending, model.size > 0 ? 1 : 0, "one host timer while any waits");
  }
  assert(real.clock.longest <= MAX_DURATION, "a timer no host can set");
  assert.deepEqual(real.clock.faults, []);
  tally.add("rang", real.log.length);
  tally.add("rang late", real.log.filter((line) => !line.endsWith(", 0 late")).length);
}

/** P5, of the queue of deadlines. */
export const deadlines: readonly Statement[] = [
  {
    name: "P5: a queue of deadlines is a list searched for the earliest, also while alarms ring and after a stall",
    runs: 2_000,
    fullRuns: 200_000,
    meets: ["rang", "rang late"],
    property: (tally) =>
      fc.property(
        fc.array(step, { maxLength: 120, size: "max" }),
        fc.array(ring, { minLength: ALARMS, maxLength: ALARMS }),
        (steps, rings) => {
          play(steps, rings, tally);
        },
      ),
  },
];
