/** What runners, workers and peers of a simulation share: the seam between them and simulation.ts. */
import type { Random } from "../../core/time/clock.ts";
import type { HandlerMonitor } from "./handler-monitor.ts";
import type { Machine, MachineRole } from "./machine.ts";
import type { FaultyNetwork } from "../network/network.ts";
import type { Observed } from "../history/observation.ts";

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
  /** Says what was seen. */
  record(observed: Observed): void;
}
