/** What a checker is: it watches a simulated world and says when a promise is broken. Knows none of the promises. */
import type { FaultProfile } from "../../core/transport/socket.ts";
import type { RunnerStats } from "../../core/stats.ts";
import type { Observation } from "../history/observation.ts";

/** A runner as the checkers see it, between two events. */
export interface ObservedRunner {
  /** Its machine's name. */
  readonly machine: string;
  /** Its numbers now. */
  stats(): RunnerStats;
  /** Its limits. */
  readonly limits: {
    readonly heartbeat: number;
    readonly helloTimeout: number;
    readonly cancelGrace: number;
    readonly stallTimeout: number;
    readonly maxQueue: number;
    readonly maxQueueBytes: number;
    readonly maxPending: number;
    readonly maxWorkers: number;
    readonly maxStrikes: number;
    readonly highWater: number;
    readonly maxBuffered: number;
    readonly maxBufferedTotal: number;
    readonly maxPayload: number;
    readonly drainTimeout: number;
  };
  /** What can go wrong with its connections. */
  readonly faults: FaultProfile;
  /** Timers it has set that would keep its process alive. */
  readonly keepAliveTimers: number;
  /** All timers it has set. */
  readonly timers: number;
  /** Calls its callers wait for. */
  readonly waiting: number;
  /** Milliseconds it has stood still so far, by stalls and clock jumps: its judgements may come so much later. */
  readonly stoodStill: number;
  /** Connections whose end at this runner is open. */
  readonly openConnections: number;
  /** Bytes that wait at its end of a connection, as the network has it; 0 when that is closed. */
  buffered(connection: number): number;
  /** Waiters for a slot of the fleet, jobs and callers of `acquire`; absent: this world leases no workers. */
  readonly waiters?: number | undefined;
  /** What a relay comes with itself: its labels, and the most slots that it offers; absent: it is no relay's runner. */
  readonly relay?: { readonly labels: readonly string[]; readonly capacity: number } | undefined;
  /** Slots of the fleet that are leased, by `acquire` or `getContext`; absent: none. */
  readonly leased?: number | undefined;
}

/** Says that a promise is broken: its name (`within-capacity`), and what was seen. Ends the run. */
export type Violation = (promise: string, what: string) => void;

/** Watches one world from its beginning to its end. */
export interface Checker {
  /** Something happened. Called in the middle of an event: the world may not be consistent yet. */
  observe?(observation: Observation): void;
  /** An event and all it led to is over. `runners` are those that are up. Cheap: called for each event. */
  betweenEvents?(now: number, runners: readonly ObservedRunner[]): void;
  /** Everything was stopped, and nothing moves any more. */
  atEnd?(now: number, runners: readonly ObservedRunner[]): void;
}
