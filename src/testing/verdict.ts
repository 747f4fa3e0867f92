/** What a rule of the network can say about a frame. */
import type { Message } from "../core/message.ts";

/** A frame about to leave, as a rule sees it. */
export interface FrameOnItsWay {
  /** The machine that sends it. */
  readonly from: string;
  /** The machine it is for. */
  readonly to: string;
  /** The connection's number, from 1. */
  readonly connection: number;
  /** Which frame of this direction of the connection it is, from 1. */
  readonly index: number;
  /** The frame. */
  readonly bytes: Uint8Array;
  /** What it says; `undefined` when it is malformed. */
  readonly messages: readonly Message[] | undefined;
}

/** What becomes of a frame; made by {@link pass}, {@link cut}, {@link drop}, {@link delay} and {@link tamper}. */
export type Verdict =
  | { readonly kind: "pass" }
  | { readonly kind: "cut" }
  | { readonly kind: "drop" }
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "tamper"; readonly bytes: Uint8Array };

/** Decides about each frame. The first rule that does not let it pass decides; nothing, too, lets it pass. */
export type Rule = (frame: FrameOnItsWay) => Verdict | undefined;

/** The frame goes on. */
export function pass(): Verdict {
  return { kind: "pass" };
}

/** The connection is cut before the frame has left: it is lost with all behind it, and both ends are told, each in its time. */
export function cut(): Verdict {
  return { kind: "cut" };
}

/** The frame alone is lost. Only on a `lossy` network: a stream does not lose single frames. */
export function drop(): Verdict {
  return { kind: "drop" };
}

/** The frame, and so all behind it, arrives `ms` later. @throws RangeError when `ms` is negative or no finite number. */
export function delay(ms: number): Verdict {
  if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) throw new RangeError(`a delay is a number of ms from 0, not ${ms}`);
  return { kind: "delay", ms };
}

/** Other bytes arrive in its place. */
export function tamper(bytes: Uint8Array): Verdict {
  return { kind: "tamper", bytes };
}
