/** What a rule of the network can say about a frame, and whether what it said is one of these. */
import type { Message } from "../../core/protocol/message.ts";
import { isBytes } from "../../core/job/utf8.ts";
import { describeValue } from "../history/format.ts";

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
  /** The frame, or rather a copy: what is written here changes nothing. To send other bytes return {@link tamper}. */
  readonly bytes: Uint8Array;
  /** What it says, to be read only; `undefined` when it is malformed. */
  readonly messages: readonly Message[] | undefined;
}

/** What becomes of a frame; made by {@link pass}, {@link cut}, {@link drop}, {@link delay} and {@link tamper}. */
export type Verdict = PlainVerdict | DelayVerdict | TamperVerdict;

/** A frame goes on, is lost with its connection, or is lost alone. */
export interface PlainVerdict {
  /** Which. */
  readonly kind: "pass" | "cut" | "drop";
}

/** A frame is late. */
export interface DelayVerdict {
  /** Which verdict this is. */
  readonly kind: "delay";
  /** By how much. */
  readonly ms: number;
}

/** Another frame arrives in its place. */
export interface TamperVerdict {
  /** Which verdict this is. */
  readonly kind: "tamper";
  /** The other frame. */
  readonly bytes: Uint8Array;
}

/** Decides about each frame. The first rule that does not let it pass decides; nothing, too, lets it pass. */
export type Rule = (frame: FrameOnItsWay) => Verdict | undefined;

/** The frame goes on. */
export function pass(): Verdict {
  return { kind: "pass" };
}

/** The connection is cut before the frame has left: it is lost with all behind it, and both ends learn of it, each in its time. */
export function cut(): Verdict {
  return { kind: "cut" };
}

/** The frame alone is lost. Only on a `lossy` network: a stream does not lose single frames. */
export function drop(): Verdict {
  return { kind: "drop" };
}

/** The frame, and so all behind it, arrives `ms` later. @throws RangeError when `ms` is negative or no finite number. */
export function delay(ms: number): Verdict {
  if (!isDelay(ms)) throw new RangeError(`a delay is a number of ms from 0, not ${describeValue(ms)}`);
  return { kind: "delay", ms };
}

/** Other bytes arrive in its place. @throws TypeError when they are no Uint8Array. */
export function tamper(bytes: Uint8Array): Verdict {
  if (!isBytes(bytes)) throw new TypeError(`tamper takes the bytes to send instead, not ${describeValue(bytes)}`);
  return { kind: "tamper", bytes };
}

/**
 * What a rule returned, when it is a verdict: rules are written in JavaScript, too.
 * @throws TypeError when it is something else: `true`, a promise, `sim.cut` without a call.
 */
export function checkedVerdict(given: unknown): Verdict {
  if (given === undefined) return pass();
  if (isVerdict(given)) return given;
  throw new TypeError(
    `a rule returns sim.pass(), sim.cut(), sim.delay(ms), sim.drop() or sim.tamper(bytes), not ${describeValue(given)}`,
  );
}

function isVerdict(given: unknown): given is Verdict {
  if (typeof given !== "object" || given === null || !("kind" in given)) return false;
  const { kind } = given;
  if (kind === "delay") return "ms" in given && isDelay(given.ms);
  if (kind === "tamper") return "bytes" in given && isBytes(given.bytes);
  return kind === "pass" || kind === "cut" || kind === "drop";
}

function isDelay(ms: unknown): boolean {
  return typeof ms === "number" && ms >= 0 && ms < Number.POSITIVE_INFINITY;
}
