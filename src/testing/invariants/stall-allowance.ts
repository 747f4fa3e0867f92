/**
 * When a runner stood still, and what that excuses. A checker that finds something late makes a claim here. The claim becomes
 * a violation unless the runner's own standing still explains it. The checkers know the limits.
 */
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import { hasRunner, type Observation } from "../history/observation.ts";
import { getOrCreate } from "./get-or-create.ts";

/** Something came too late. */
export interface Claim {
  /** The runner's machine. */
  readonly machine: string;
  /** When the limit began to run: standing still after that is an excuse. */
  readonly from: number;
  /** How late it came, in ms. */
  readonly late: number;
  /** Whether each ms of standing still excuses two: one for itself, one for what the runner grants others after it. */
  readonly twice?: boolean;
  /** Which promise is broken, if nothing excuses it. */
  readonly promise: string;
  /** What was seen. */
  readonly what: string;
}

/** A stall, or a jump of the clock: time that passed for this runner alone. */
interface Pause {
  readonly from: number;
  readonly ms: number;
  readonly jump: boolean;
}

interface Stillness {
  /** All ms so far, those of a stall that has only begun included. */
  all: number;
  /** The latest pauses, oldest first. */
  readonly pauses: Pause[];
  /** Of the time before this, no pause is known any more. */
  knownSince: number;
  /** Whether a stall was seen since the last look. */
  stalls: boolean;
  /** The last stall. */
  from: number;
  to: number;
}

/** Times that were added up may differ in their last digits. */
const EPSILON = 1e-6;
const PAUSES_KEPT = 256;
const NEVER = Number.NEGATIVE_INFINITY;

/** Turns claims of lateness into violations. */
export class StallAllowance implements Checker {
  readonly #violation: Violation;
  readonly #machines = new Map<string, Stillness>();
  #claims: Claim[] = [];

  /** @param violation - Called for what nothing excuses. */
  constructor(violation: Violation) {
    this.#violation = violation;
  }

  /** How far a runner's clock has jumped since then, in ms: by its own time, that much more has passed. */
  jumped(machine: string, from: number): number {
    let sum = 0;
    for (const pause of this.#machines.get(machine)?.pauses ?? [])
      if (pause.jump && pause.from >= from) sum += pause.ms;
    return sum;
  }

  /** A runner's last stall: from when to when. */
  lastStall(machine: string): { readonly from: number; readonly to: number } | undefined {
    return this.#machines.get(machine);
  }

  /** Something came late; a claim that is not late at all is dropped. Judged once the event is over. */
  claim(claim: Claim): void {
    if (claim.late > EPSILON) this.#claims.push(claim);
  }

  observe(seen: Observation): void {
    if (seen.kind !== "machine" || !hasRunner(seen)) return;
    if (seen.state === "stalled") this.#stillnessOf(seen.machine).stalls = true;
    if (seen.state !== "down") return;
    this.#machines.delete(seen.machine);
    this.#claims = this.#claims.filter(({ machine }) => machine !== seen.machine);
  }

  betweenEvents(now: number, runners: readonly ObservedRunner[]): void {
    for (const { machine, stoodStill } of runners) {
      const still = this.#stillnessOf(machine);
      if (stoodStill !== still.all) addPause(still, stoodStill, now);
      still.stalls = false; // a stall that ends before another does adds nothing
    }
    if (this.#claims.length > 0) this.#judge();
  }

  atEnd(now: number, runners: readonly ObservedRunner[]): void {
    this.betweenEvents(now, runners);
  }

  #stillnessOf(machine: string): Stillness {
    return getOrCreate(this.#machines, machine, () => ({
      all: 0,
      pauses: [],
      knownSince: NEVER,
      stalls: false,
      from: NEVER,
      to: NEVER,
    }));
  }

  #judge(): void {
    const claims = this.#claims;
    this.#claims = [];
    for (const { machine, from, late, twice, promise, what } of claims) {
      const still = this.#machines.get(machine);
      const excused = still === undefined ? 0 : (twice === true ? 2 : 1) * (still.all - stoodStillBefore(still, from));
      if (late > excused + EPSILON)
        this.#violation(promise, `${machine}: ${what}, ${(late - excused).toFixed(3)} ms later than it may`);
    }
  }
}

/** A stall counts from its beginning, with all of what is to come. */
function addPause(still: Stillness, all: number, now: number): void {
  const ms = all - still.all;
  const jump = !still.stalls;
  still.all = all;
  if (jump) still.pauses.push({ from: now, ms, jump });
  else {
    const from = Math.max(now, still.to);
    if (now > still.to) still.from = now;
    still.to = from + ms;
    still.pauses.push({ from, ms, jump });
  }
  if (still.pauses.length > PAUSES_KEPT) still.knownSince = still.pauses.shift()?.from ?? now;
}

/** What of its standing still was over at that time; the less, the more is excused. */
function stoodStillBefore({ all, pauses, knownSince }: Stillness, time: number): number {
  if (time <= knownSince) return 0;
  let after = 0;
  for (const { from, ms, jump } of pauses) {
    if (from >= time) after += ms;
    else if (!jump) after += Math.max(0, from + ms - time);
  }
  return all - after;
}
