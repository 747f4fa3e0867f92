/**
 * One simulated process: its view of the time, which can stand still, jump and end. Code runs on it that has it as its clock.
 * See network.ts for its connections.
 */
import type { Clock, TimerHandle } from "../../core/time/clock.ts";
import type { VirtualClock } from "../time/virtual-clock.ts";

/** The machine whose code runs in the present event: what the event leads to belongs to that machine. */
export interface ActiveMachine {
  /** The machine, or `undefined` for the test itself. */
  actor: Machine | undefined;
}

/** What a machine is for. */
export type MachineRole = "runner" | "worker" | "relay" | "peer";

/** Where a machine stands. `down` is for ever: a restart is another machine of the same name. */
export type MachineState = "up" | "stalled" | "down";

interface MachineTimer {
  readonly fn: () => void;
  readonly keepAlive: boolean;
  /** When it is due, in the world's time. */
  due: number;
  handle: TimerHandle;
}

/** What waits while a process stands still. */
interface HeldBack {
  /** What the turn it was stopped in still had to do. */
  readonly ends: (() => void)[];
  /** Timers that have come due. */
  readonly timers: (() => void)[];
  /** Frames and all else that reached it from outside. */
  readonly input: (() => void)[];
}

/** A process on virtual time. */
export class Machine implements Clock {
  /** Its name. */
  readonly name: string;
  /** What it is for. */
  readonly role: MachineRole;
  /** Which start of it, from 1. */
  readonly life: number;
  readonly #clock: VirtualClock;
  readonly #active: ActiveMachine;
  readonly #timers = new Set<MachineTimer>();
  readonly #timersFirst: () => boolean;
  #heldBack: HeldBack = nothingHeld();
  #state: MachineState = "up";
  #offset = 0;
  #wakesAt = 0;
  #keepAlive = 0;
  #stoodStill = 0;

  /** @param timersFirst - Asked at each wake: whether its due timers run before the input that waits, or after it. */
  constructor(
    name: string,
    role: MachineRole,
    life: number,
    world: VirtualClock,
    active: ActiveMachine,
    timersFirst: () => boolean = (): boolean => false,
  ) {
    this.name = name;
    this.role = role;
    this.life = life;
    this.#clock = world;
    this.#active = active;
    this.#timersFirst = timersFirst;
  }

  /** Where it stands. */
  get state(): MachineState {
    return this.#state;
  }

  /** Timers set on it. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Those of its timers that would keep its process alive. */
  get keepAliveTimers(): number {
    return this.#keepAlive;
  }

  /** Milliseconds it has stood still so far, by stalls and by jumps of its clock. */
  get stoodStill(): number {
    return this.#stoodStill;
  }

  /** Its own time in ms. */
  now(): number {
    return this.#clock.now() + this.#offset;
  }

  /** Calls `fn` on this machine, `delay` ms from now: later when it stands still, never once it is down. */
  set(delay: number, fn: () => void, keepAlive: boolean): TimerHandle {
    const timer: MachineTimer = { fn, keepAlive, due: this.#clock.now() + delay, handle: undefined };
    if (this.#state === "down") return timer;
    this.#timers.add(timer);
    if (keepAlive) this.#keepAlive++;
    this.#arm(timer);
    return timer;
  }

  /** Forgets a timer. */
  clear(handle: TimerHandle): void {
    const timer = handle as MachineTimer | undefined;
    if (timer !== undefined && this.#forget(timer)) this.#clock.clear(timer.handle);
  }

  /** Calls `fn` on this machine at the end of the event. */
  endOfTurn(fn: () => void): void {
    // What is asked of it while it stands still, from outside, waits among the rest that does.
    const kind = this.#state === "stalled" ? "input" : "ends";
    this.#clock.endOfTurn(() => this.#run(fn, kind));
  }

  /** Calls `fn` on this machine as an event of its own. */
  nextTurn(fn: () => void): void {
    this.#clock.nextTurn(() => this.run(fn));
  }

  /** Runs something as this machine: at once, when it has woken, or never. */
  run(fn: () => void): void {
    this.#run(fn, "input");
  }

  /** Stands still for `ms`: nothing of it runs, and everything that came due meanwhile runs when it wakes: timers first, or input. */
  stall(ms: number, woke: () => void = (): void => undefined): void {
    if (this.#state === "down") return;
    const wakes = this.#clock.now() + ms;
    this.#stoodStill += Math.max(0, wakes - Math.max(this.#wakesAt, this.#clock.now()));
    this.#wakesAt = Math.max(this.#wakesAt, wakes);
    this.#state = "stalled";
    this.#clock.set(ms, () => {
      if (this.#state !== "stalled" || this.#clock.now() < this.#wakesAt) return;
      this.#wake();
      woke();
    });
  }

  /** Ends a stall before its time. `false` when it does not stand still. */
  wake(): boolean {
    if (this.#state !== "stalled") return false;
    this.#wake();
    return true;
  }

  /** Its clock jumps ahead, as after a sleep of the computer: what was due meanwhile by its own clock is due at once, and late. */
  jump(ms: number): void {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) throw new RangeError(`a clock jumps ahead by some ms, not ${ms}`);
    this.#offset += ms;
    this.#stoodStill += ms;
    for (const timer of this.#timers) {
      this.#clock.clear(timer.handle);
      timer.due = Math.max(this.#clock.now(), timer.due - ms);
      this.#arm(timer);
    }
  }

  /** It is gone, and with it all that it was going to do. */
  crash(): void {
    this.#state = "down";
    this.#heldBack = nothingHeld();
    for (const timer of this.#timers) this.#clock.clear(timer.handle);
    this.#timers.clear();
    this.#keepAlive = 0;
  }

  #arm(timer: MachineTimer): void {
    timer.handle = this.#clock.set(timer.due - this.#clock.now(), () => {
      this.#run(() => this.#fire(timer), "timers");
    });
  }

  #run(fn: () => void, kind: keyof HeldBack): void {
    if (this.#state === "down") return;
    if (this.#state === "stalled") {
      this.#heldBack[kind].push(fn);
      return;
    }
    this.#active.actor = this;
    fn();
  }

  #wake(): void {
    this.#state = "up";
    const { ends, timers, input } = this.#heldBack;
    this.#heldBack = nothingHeld();
    const both = timers.length > 0 && input.length > 0;
    const rest = both && this.#timersFirst() ? [...timers, ...input] : [...input, ...timers];
    for (const fn of [...ends, ...rest]) this.nextTurn(fn);
  }

  #fire(timer: MachineTimer): void {
    if (this.#forget(timer)) timer.fn();
  }

  #forget(timer: MachineTimer): boolean {
    if (!this.#timers.delete(timer)) return false;
    if (timer.keepAlive) this.#keepAlive--;
    return true;
  }
}

function nothingHeld(): HeldBack {
  return { ends: [], timers: [], input: [] };
}
