/** What the lab's two processes say to each other. */
import type { RunnerOptions } from "../../../src/core/runner/runner-options.ts";
import type { WebSocketListenerOptions } from "../../../src/transports/websocket/node/options.ts";

/** How a runner to be attacked is set up. */
export interface VictimOptions {
  readonly listen?: WebSocketListenerOptions;
  readonly runner?: RunnerOptions;
}

/** What is asked of the process. */
export type LabRequest =
  | { readonly do: "open"; readonly id: number; readonly options: VictimOptions }
  | { readonly do: "figures"; readonly id: number }
  | { readonly do: "run"; readonly id: number; readonly count: number }
  | { readonly do: "stop"; readonly id: number };

/** What it answers. */
export interface LabAnswer {
  readonly number: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** What a runner and its process look like now, after a garbage collection. */
export interface Figures {
  /** Bytes in use on the heap and beside it, of the whole process. */
  readonly heap: number;
  /** Bytes of memory the process has. */
  readonly rss: number;
  /** Milliseconds of CPU the process has used. */
  readonly cpu: number;
  /** TCP connections the process holds. */
  readonly connections: number;
  /** Workers that are registered. */
  readonly workers: number;
  /** Connections that have not said HELLO. */
  readonly pending: number;
  /** Registrations so far. */
  readonly registered: number;
  /** Refusals so far, by the runner. */
  readonly refused: number;
  /** Jobs that failed so far. */
  readonly failed: number;
  /** Sessions that have ended, by reason. */
  readonly gone: Readonly<Record<string, number>>;
}
