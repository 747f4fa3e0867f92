/** What runners, workers and peers of a simulation share with simulation.ts, and what can be done to the process of each. */
import type { Random } from "../../core/time/clock.ts";
import type { HandlerMonitor } from "./handler-monitor.ts";
import type { Machine, MachineRole } from "./machine.ts";
import type { FaultyNetwork } from "../network/network.ts";
import type { Observed } from "../history/observation.ts";
import { describeValue, formatTime } from "../history/format.ts";

/** One simulated world. */
export interface World {
  readonly network: FaultyNetwork;
  readonly handlers: HandlerMonitor;
  /** A new machine, attached to the network in the place of an earlier one of that name. */
  machine(name: string, role: MachineRole): Machine;
  /** The chance of one machine's life. */
  randomOf(machine: Machine): Random;
  /** A machine has crashed: nothing that waits on it goes on. */
  forget(machine: Machine): void;
  /** A runner has taken the place of another. */
  runnersChanged(): void;
  /** Says what was seen. */
  record(observed: Observed): void;
}

/**
 * How a process ends: `fin`, its connections are closed in good order by its operating system; `rst`, they are reset and a
 * part of what it had sent is lost; `silent`, as when the plug is pulled: no peer learns of it.
 */
export type CrashKind = "fin" | "rst" | "silent";

const CRASH_KINDS: readonly unknown[] = ["fin", "rst", "silent"] satisfies readonly CrashKind[];

/** Stands still for `ms`: see {@link Machine.stall}. */
export function stall(machine: Machine, ms: number, world: World): void {
  if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) throw new RangeError(`a stall takes some ms, not ${ms}`);
  if (machine.state === "down") return;
  const { name, role, life } = machine;
  world.record({ kind: "fault", fault: "stall", target: `${name} for ${formatTime(ms)}` });
  world.record({ kind: "machine", machine: name, role, life, state: "stalled" });
  machine.stall(ms, () => world.record({ kind: "machine", machine: name, role, life, state: "up" }));
}

/** Its clock jumps: see {@link Machine.jump}. */
export function jumpClock(machine: Machine, ms: number, world: World): void {
  if (machine.state === "down") return;
  machine.jump(ms);
  world.record({ kind: "fault", fault: "clock-jump", target: `${machine.name} by ${formatTime(ms)}` });
}

/** Ends it, and its connections as `kind` says. @throws TypeError when that is no {@link CrashKind}. */
export function crash(machine: Machine, kind: CrashKind, world: World): void {
  if (!CRASH_KINDS.includes(kind))
    throw new TypeError(`a crash is "fin", "rst" or "silent", not ${describeValue(kind)}`);
  if (machine.state === "down") return;
  const { name, role, life } = machine;
  world.record({ kind: "fault", fault: "crash", target: `${name} (${kind})` });
  machine.crash();
  world.forget(machine);
  world.network.abandon(name, kind);
  world.record({ kind: "machine", machine: name, role, life, state: "down" });
}
