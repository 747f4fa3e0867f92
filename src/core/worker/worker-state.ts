/**
 * What a worker is doing, as one value, and what follows from each thing that happens to it. Pure: worker.ts carries out the
 * actions. A worker that listens never gets `ended`, `sent-away` or `dial-failed`: its runners come and go while it listens.
 */

/** Exactly one of these holds at a time. `state` is what the worker tells of itself. */
export type WorkerPhase =
  | { readonly state: "created" }
  | WorkerConnecting
  | { readonly state: "registered" }
  | {
      readonly state: "draining";
      /** It retires: what runs has no limit of time. */
      readonly retired: boolean;
    }
  | { readonly state: "stopped" };

/** There is no connection, or none that gets jobs. `disconnected`: the last try failed. */
export interface WorkerConnecting {
  readonly state: "connecting" | "disconnected";
  /** No runner has let it in yet: `start` is waited for, and a refusal for good ends the worker. */
  readonly isNew: boolean;
  /** Every slot is taken by a handler of a lost session: nothing is dialed before one returns. */
  readonly awaitsSlot: boolean;
}

/** What happens to a worker. */
export type WorkerInput =
  | { readonly type: "start" }
  /** A runner has let it in, or its listener listens. */
  | { readonly type: "welcomed" }
  /** Its runner sent GOAWAY. */
  | { readonly type: "sent-away" }
  /** Its connection is over. `atOnce`: it left to come back, and the runner has not asked it to wait. */
  | { readonly type: "ended"; readonly fatal: boolean; readonly atOnce: boolean }
  | { readonly type: "dial-failed"; readonly fatal: boolean }
  /** It wants to dial, and has no slot to offer. */
  | { readonly type: "no-slot" }
  /** A handler of a lost session has returned. */
  | { readonly type: "slot-free" }
  | { readonly type: "hurry" }
  /** The instance has served long enough. `stop`: there is not to be another. */
  | { readonly type: "retire"; readonly stop: boolean }
  | { readonly type: "drain" }
  | { readonly type: "stop" };

/**
 * What is to be done about it. `open`: start to listen, or dial; `pause`: dial after a pause; `give-up`: fail the start;
 * `leave`: leave every runner after what runs; `limit`: limit a retirement that has none; `stop`: end everything.
 */
export type WorkerAction = "nothing" | "open" | "dial" | "pause" | "give-up" | "leave" | "limit" | "stop";

/** A transition. */
export interface WorkerStep {
  readonly phase: WorkerPhase;
  readonly action: WorkerAction;
}

function isConnecting(phase: WorkerPhase): phase is WorkerConnecting {
  return phase.state === "connecting" || phase.state === "disconnected";
}

function isLeaving({ state }: WorkerPhase): boolean {
  return state === "draining" || state === "stopped";
}

function connecting(state: WorkerConnecting["state"], from: WorkerPhase): WorkerConnecting {
  const isNew = isConnecting(from) ? from.isNew : from.state === "created";
  return { state, isNew, awaitsSlot: false };
}

/** What becomes of a worker in `phase`, and what it does. */
export function nextStep(phase: WorkerPhase, input: WorkerInput): WorkerStep {
  const same: WorkerStep = { phase, action: "nothing" };
  switch (input.type) {
    case "start":
      return phase.state === "created" ? { phase: connecting("connecting", phase), action: "open" } : same;
    case "stop":
      return phase.state === "stopped" ? same : { phase: { state: "stopped" }, action: "stop" };
    case "drain":
      return drained(phase);
    case "retire":
      if (phase.state === "created" || isLeaving(phase)) return same;
      return { phase: input.stop ? { state: "draining", retired: true } : phase, action: "leave" };
    case "sent-away":
      return phase.state === "registered" ? { ...same, phase: connecting("connecting", phase) } : same;
    case "ended":
    case "dial-failed":
      return withoutConnection(phase, input);
    default:
      return isConnecting(phase) ? whileConnecting(phase, input.type) : same;
  }
}

function drained(phase: WorkerPhase): WorkerStep {
  if (!isLeaving(phase)) return { phase: { state: "draining", retired: false }, action: "leave" };
  if (phase.state !== "draining" || !phase.retired) return { phase, action: "nothing" };
  return { phase: { state: "draining", retired: false }, action: "limit" };
}

function withoutConnection(
  phase: WorkerPhase,
  input: Extract<WorkerInput, { readonly type: "ended" | "dial-failed" }>,
): WorkerStep {
  if (phase.state === "created" || isLeaving(phase)) return { phase, action: "nothing" };
  if (input.fatal && isConnecting(phase) && phase.isNew) return { phase, action: "give-up" };
  if (input.type === "ended" && input.atOnce) return { phase: connecting("connecting", phase), action: "dial" };
  return { phase: connecting("disconnected", phase), action: "pause" };
}

function whileConnecting(
  phase: WorkerConnecting,
  type: Extract<WorkerInput["type"], "welcomed" | "no-slot" | "slot-free" | "hurry">,
): WorkerStep {
  switch (type) {
    case "welcomed":
      return { phase: { state: "registered" }, action: "nothing" };
    case "no-slot":
      return { phase: { ...phase, awaitsSlot: true }, action: "nothing" };
    case "slot-free":
      if (!phase.awaitsSlot) break;
      return { phase: connecting("connecting", phase), action: "dial" };
    case "hurry":
      if (phase.state !== "disconnected") break;
      return { phase: connecting("connecting", phase), action: "dial" };
    default:
      return type satisfies never;
  }
  return { phase, action: "nothing" };
}
