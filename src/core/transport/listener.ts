/** What opens sockets for a runner and for workers, and what a listener is given of its runner. The socket itself is in socket.ts. */
import type { RunnerEvent } from "../events.ts";
import type { Socket, SocketLimits } from "./socket.ts";
import type { RunnerStats } from "../stats.ts";

/** What a listener may see of the runner it serves: numbers and events, nothing to change anything with. */
export interface RunnerView {
  /** The numbers of this moment. */
  stats(): RunnerStats;
  /** Calls `listener` for every event; the returned function ends that. Events of single jobs cost each of them a little. */
  on(listener: (event: RunnerEvent) => void): () => void;
}

/** What a listener may ask of the runner it serves, for a client that has the right to. */
export interface RunnerControls {
  /**
   * Removes a worker; `false` when none of that name is registered. With `drain` it gets no more jobs, finishes those it
   * has and does not come back for a minute; else it is cut off, and the attempts it has in hand are lost.
   */
  removeWorker(identity: string, options: { readonly drain: boolean }): boolean;
  /** Takes no new jobs, finishes those there are, then stops the runner. May be called twice. */
  drain(): void;
}

/** What a listener is given when it starts. */
export interface ListenerContext extends SocketLimits {
  /** The runner, to look at. Absent when it is not a runner that listens. */
  readonly runner?: RunnerView;
  /** The same, to act on. */
  readonly controls?: RunnerControls;
  /**
   * Reserves `count` numbers for workers called `name`, and returns the first: 1, unless another listener of this runner has
   * taken some of that name. Absent when it is not a runner that listens.
   */
  reserveNumbers?(name: string, count: number): number;
  /** Reports trouble that fails no call: a server error, a thread that cannot be kept alive. */
  report(error: Error): void;
}

/** Accepts sockets. May be started again after `stop`. */
export interface Listener {
  /**
   * Resolves once sockets can arrive; rejects, with a `PowerhoseError` or the host's error, when they never will. Settles,
   * one way or the other, once `stop` is called.
   */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void>;
  /** Closes every socket it accepted and gives back the address. May be called twice. */
  stop(): Promise<void>;
  /** Where it listens, for people to read, and to dial where that makes sense: `ws://127.0.0.1:7070/`. */
  readonly address: string;
}

/** Opens sockets. */
export interface Dialer {
  /** Set when the other end lives in this process: waiting for it to come back is then no reason for the process to stay. */
  readonly sameProcess?: boolean;
  /** Opens one socket. Rejects with the signal's reason, an {@link AuthError} when refused, or another error. */
  dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket>;
}
