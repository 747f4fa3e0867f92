/** A transport with workers behind it, as the runner's laws see it. What they ask of it is in runner-conformance.ts. */
import type { Listener } from "../../index.ts";
import type { TestTime } from "./test-time.ts";

/** A listener, and workers that run the handler of conformance-handler.ts and come to it; set up for one law. */
export interface FleetRig extends TestTime {
  /** What the runner listens on. The law's runner starts and stops it. */
  readonly listener: Listener;
  /** Brings that many workers of that capacity to the started runner; those of a listener that starts its own have come already. */
  readonly join: (count: number, capacity: number) => Promise<void>;
  /** Cuts one worker's connection without a word. The worker comes back by itself. */
  readonly lose: () => Promise<void>;
  /** Stops the workers and whatever else the rig took; the runner is stopped by then. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Sets a fleet up, once for each law. Told how many workers will join, for listeners that start their workers themselves. */
export type FleetFactory = (count: number, capacity: number) => Promise<FleetRig>;
