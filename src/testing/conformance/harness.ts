/** A transport as the conformance cases of sockets see it. What they ask of it is in socket-conformance.ts. */
import type { Dialer, FaultProfile, JobRunner, Listener } from "../../index.ts";
import type { TestTime } from "./test-time.ts";

/** One transport, set up for one case: a listener, dialers that reach it, and a way to wait. */
export interface Harness extends TestTime {
  /** Accepts what the dialers dial. The case starts it. */
  readonly listener: Listener;
  /** A dialer that reaches the listener. Asked for each socket, as it may be good for only one. */
  readonly dialer: () => Dialer;
  /** What the sockets declare. */
  readonly faults: FaultProfile;
  /**
   * Whether a dial is a meeting: it takes until the listener has answered, and fails when nothing listens. Not so for a port,
   * which is there at once and waits.
   */
  readonly dialMeetsListener: boolean;
  /** Stops the listener and gives back whatever else the harness took. The case closes the sockets it opened by itself. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Sets a harness up; called once for each case, so that no case sees what another did. */
export type HarnessFactory = () => Promise<Harness>;

/** One thing that must hold, as a check that can be run any number of times, by itself. */
export interface ConformanceCase {
  /** What must hold, in words; unique within its suite. */
  readonly name: string;
  /** Sets up what the case is about, checks it, and takes it down. Rejects with an `Error` that says what was expected and what was seen. */
  readonly run: () => Promise<void>;
}

/** A listener, and workers that run the handler of conformance-handler.ts and come to it; set up for one case. */
export interface FleetHarness extends TestTime {
  /** What the runner listens on. The case's runner starts and stops it. */
  readonly listener: Listener;
  /** Brings that many workers of that capacity to the started runner; those of a listener that starts its own have come already. */
  readonly join: (count: number, capacity: number, runner: JobRunner) => Promise<void>;
  /** Cuts one worker's connection without a word. The worker comes back by itself. */
  readonly lose: () => Promise<void>;
  /** Stops the workers and whatever else the harness took; the runner is stopped by then. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Sets a fleet up, once for each case. Told how many workers will join, for listeners that start their workers themselves. */
export type FleetHarnessFactory = (count: number, capacity: number) => Promise<FleetHarness>;
