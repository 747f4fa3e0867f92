/** A transport as the laws of sockets see it. What they ask of it is in socket-conformance.ts. */
import type { Dialer, FaultProfile, Listener } from "../../index.ts";
import type { TestTime } from "./test-time.ts";

/** One transport, set up for one law: a listener, dialers that reach it, and a way to wait. */
export interface Rig extends TestTime {
  /** Accepts what the dialers dial. The law starts it. */
  readonly listener: Listener;
  /** A dialer that reaches the listener. Asked for each socket, as it may be good for only one. */
  readonly dialer: () => Dialer;
  /** What the sockets declare. */
  readonly faults: FaultProfile;
  /**
   * Whether a dial is a meeting: it takes until the listener has answered, and fails when nobody listens. Not so for a port,
   * which is there at once and waits.
   */
  readonly dialMeetsListener: boolean;
  /** Stops the listener and gives back whatever else the rig took. The law closes the sockets it opened by itself. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Sets a rig up; called once for each law, so that no law sees what another did. */
export type RigFactory = () => Promise<Rig>;
