/**
 * What can be seen of a simulated world, as it happens: the only input of its checkers, its trace and its log. Says nothing
 * about what is right.
 */
import type { CallOptions } from "../../core/dispatch/call-options.ts";
import type { AttemptOutcome } from "../../core/errors.ts";
import type { RunnerEvent, WorkerEvent } from "../../core/events.ts";
import type { Message } from "../../core/protocol/message.ts";
import type { Payload } from "../../core/peer.ts";
import type { CloseReason } from "../../core/transport/socket.ts";

/** A frame was handed to the network, or reached the other end. */
export interface FrameObservation {
  /** Which observation this is. */
  readonly kind: "sent" | "delivered";
  /** The connection's number, from 1; one for its whole life. */
  readonly connection: number;
  /** The machine that sent it. */
  readonly from: string;
  /** The machine it is for. */
  readonly to: string;
  /** What it says; `undefined` when it is malformed. A frame that was tampered with on its way is delivered as it then is. */
  readonly messages: readonly Message[] | undefined;
  /** Its size. */
  readonly bytes: number;
}

/** A connection was made. */
export interface OpenedObservation {
  /** Which observation this is. */
  readonly kind: "opened";
  /** The connection's number, from 1. */
  readonly connection: number;
  /** The machine that dialled. */
  readonly from: string;
  /** The machine that accepted. */
  readonly to: string;
}

/** One end of a connection closed. */
export interface ClosedObservation {
  /** Which observation this is. */
  readonly kind: "closed";
  /** The connection's number. */
  readonly connection: number;
  /** The machine at that end. */
  readonly machine: string;
  /** `true`: this end called `close`; `false`: it learned of it. */
  readonly byItself: boolean;
  /** Why. */
  readonly reason: CloseReason;
}

/** An event in which a job has the number that its runner gave it, which a world's checkers go by. */
type Numbered<E> = E extends { readonly jobId: string } ? Omit<E, "jobId"> & { readonly jobId: number } : E;

/** An event of a simulated runner. */
export type NumberedEvent = Numbered<RunnerEvent>;

/** A runner took a prefetched job back in memory that it shares with its worker: no frame says so. */
export interface RecalledObservation {
  /** Which observation this is. */
  readonly kind: "recalled";
  /** The connection's number. */
  readonly connection: number;
  /** The runner's machine. */
  readonly from: string;
  /** The worker's machine. */
  readonly to: string;
  /** Names the attempt within its connection. */
  readonly attemptId: number;
}

/** An event of a runner. */
export interface RunnerObservation {
  /** Which observation this is. */
  readonly kind: "runner";
  /** The runner's machine. */
  readonly machine: string;
  /** The event. */
  readonly event: NumberedEvent;
}

/** An event of a worker. */
export interface WorkerObservation {
  /** Which observation this is. */
  readonly kind: "worker";
  /** The worker's machine. */
  readonly machine: string;
  /** The event. */
  readonly event: WorkerEvent;
}

/** A job was taken in by `execute`. Jobs of a `map` or for a leased worker are seen by the runner's own events only. */
export interface SubmittedObservation {
  /** Which observation this is. */
  readonly kind: "submitted";
  /** The runner's machine. */
  readonly machine: string;
  /** Names the job at this runner. */
  readonly jobId: number;
  /** How it is to be run, defaults filled in. */
  readonly options: CallOptions;
}

/** A relay's runner took in a job of another runner. */
export interface RelayedObservation {
  /** Which observation this is. */
  readonly kind: "relayed";
  /** The relay's machine. */
  readonly machine: string;
  /** Names the job at this runner. */
  readonly jobId: number;
  /** Names it everywhere: `<runnerId>:<number>`, of the outermost runner. */
  readonly name: string;
}

/** The promise of an `execute` settled, as its caller sees it. */
export interface SettledObservation {
  /** Which observation this is. */
  readonly kind: "settled";
  /** The runner's machine. */
  readonly machine: string;
  /** Names the job; `undefined` when it was refused before it was taken in. */
  readonly jobId: number | undefined;
  /** How it ended. */
  readonly outcome: { readonly ok: true; readonly value: Payload } | { readonly ok: false; readonly error: unknown };
}

/** A runner began to drain. */
export interface DrainObservation {
  /** Which observation this is. */
  readonly kind: "drain";
  /** The runner's machine. */
  readonly machine: string;
  /** What becomes of jobs that have not started. */
  readonly queued: "run" | "reject";
}

/** A `map` handed over an outcome. */
export interface YieldedObservation {
  /** Which observation this is. */
  readonly kind: "yielded";
  /** The runner's machine. */
  readonly machine: string;
  /** Which `map` of that runner, from 1. */
  readonly map: number;
  /** Whether it was asked for the order of the inputs. */
  readonly ordered: boolean;
  /** The input's place, from 0. */
  readonly index: number;
}

/** A handler was called. */
export interface HandlerStartedObservation {
  /** Which observation this is. */
  readonly kind: "handler-started";
  /** The worker's machine. */
  readonly machine: string;
  /** Which start of that machine, from 1. */
  readonly life: number;
  /** How many it may run at a time. */
  readonly capacity: number;
  /** Names the job, among all runners: `<runnerId>:<number>`. */
  readonly jobId: string;
  /** Which attempt, from 1. */
  readonly attempt: number;
  /** Numbers the handler's runs, from 1, over the whole simulation. */
  readonly run: number;
}

/** A handler returned or threw. */
export interface HandlerEndedObservation {
  /** Which observation this is. */
  readonly kind: "handler-ended";
  /** The run that ended. */
  readonly run: number;
  /** The worker's machine. */
  readonly machine: string;
  /** Which start of that machine. */
  readonly life: number;
  /** How it ended; `undefined`: it threw. */
  readonly value: Payload | undefined;
}

/** What a fault can be done to and by: the words of a log. */
export type FaultKind =
  | "cut"
  | "reset"
  | "half-open"
  | "partition"
  | "heal"
  | "throttle"
  | "stall"
  | "wake"
  | "crash"
  | "restart"
  | "clock-jump"
  | "duplicate"
  | "drop"
  | "tamper"
  | "delay";

/** Something was done to the world. */
export interface FaultObservation {
  /** Which observation this is. */
  readonly kind: "fault";
  /** What. */
  readonly fault: FaultKind;
  /** To which machines or connection, for people to read. */
  readonly target: string;
}

/** A machine came up or went down. A runner's or worker's process, as it were. */
export interface MachineObservation {
  /** Which observation this is. */
  readonly kind: "machine";
  /** Its name. */
  readonly machine: string;
  /** Which start of it, from 1. */
  readonly life: number;
  /** What it is. */
  readonly role: "runner" | "worker" | "relay" | "peer";
  /** Where it stands now. `down` is a crash: nothing of it goes on. */
  readonly state: "up" | "stalled" | "down";
}

/** Whether a runner is on that machine: a relay has one for its fleet. */
export function hasRunner({ role }: MachineObservation): boolean {
  return role === "runner" || role === "relay";
}

/** A text of the scenario's own. */
export interface NoteObservation {
  /** Which observation this is. */
  readonly kind: "note";
  /** The words. */
  readonly text: string;
}

/** Anything that is seen. */
export type Observed =
  | FrameObservation
  | OpenedObservation
  | ClosedObservation
  | RecalledObservation
  | RunnerObservation
  | WorkerObservation
  | SubmittedObservation
  | RelayedObservation
  | SettledObservation
  | DrainObservation
  | YieldedObservation
  | HandlerStartedObservation
  | HandlerEndedObservation
  | FaultObservation
  | MachineObservation
  | NoteObservation;

/** Anything that is seen, and when: in ms of virtual time. */
export type Observation = Observed & { readonly at: number };

/** The `outcome` of an attempt, for readers of records. */
export type { AttemptOutcome };
