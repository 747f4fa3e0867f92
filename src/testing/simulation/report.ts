/**
 * What a simulation that failed says: with which seed, how to see it again, what was thrown and where, and what happened
 * last. Which runs failed is for simulate.ts to find out. Making these words does not throw, whatever was thrown.
 */
import { formatThrown, printable, textProperty } from "../history/format.ts";
import type { Trace } from "../history/trace.ts";

/** The most of what was thrown that is shown, in characters: a difference between two large objects has no end. */
const MAX_ERROR_LENGTH = 1_000;
/** The most of a stack frame. */
const MAX_FRAME_LENGTH = 300;

/** Colours, as some assertion libraries paint their messages: they would come out as rubbish. */
const COLOUR = /\p{Cc}\[[\d;]*m/gu;
/** A stack frame with a place, as V8 writes it and as others do. */
const FRAME = /^\s*at \S.*:\d+:\d+\)?$|^[^@]*@.+:\d+:\d+$/;
/** Frames that tell a reader nothing: the host's own, and those of packages. */
const FOREIGN = /node:|[/\\]node_modules[/\\]/;
/** The folder above this package's modules, where they have one: not in a bundle. */
const PACKAGE = /^(?:file:\/\/)?(.*\/)testing\/simulation\/report\.\w+$/.exec(import.meta.url)?.[1];

/** What the words are made of. */
export interface FailureDetails {
  /** `seed 7 of 100 failed at 12.0 ms`. */
  readonly headline: string;
  /** The seed that fails. */
  readonly seed: number;
  /** Lines about how sure that is. */
  readonly doubts: readonly string[];
  /** What was thrown; `undefined`: nothing was. */
  readonly thrown: { readonly error: unknown } | undefined;
  /** How much of what was planned never happened: because of the failure, or as the scenario ended before it. */
  readonly unreached: number;
  /** The last that happened; `undefined`: no log is shown. */
  readonly log: readonly string[] | undefined;
}

/** All of it, in lines. */
export function failureReport({ headline, seed, doubts, thrown, unreached, log }: FailureDetails): string {
  const again = `Again: POWERHOSE_SEED=${seed} <your test command>, or simulate({ from: ${seed}, seeds: 1 }, …)`;
  const lines = [`${headline}. ${again}`, ...doubts.map((doubt) => `  ${doubt}`)];
  if (thrown !== undefined) lines.push(...thrownLines(thrown.error));
  if (unreached > 0) lines.push(`  ${unreached} planned ${unreached === 1 ? "step was" : "steps were"} not reached.`);
  if (log !== undefined) lines.push("  The last that happened (virtual time, who, what):", ...shown(log));
  return `${lines.join("\n")}\n`;
}

/** Where two runs of one seed part, and what happened there in each. */
export function partingLines(once: Trace, again: Trace): readonly string[] {
  const place = once.partsFrom(again);
  if (place === undefined) return [];
  const [first, second] = [once, again].map((trace) =>
    place < trace.count ? (trace.lineAt(place)?.trimStart() ?? "(not kept)") : "(nothing more happened)",
  );
  const same = first === second ? ["  (they carry what a line does not show)"] : [];
  return ["First difference:", `  once   ${first}`, `  again  ${second}`, ...same];
}

function shown(log: readonly string[]): readonly string[] {
  return log.length === 0 ? ["  (nothing happened)"] : log;
}

/** The name and the message, its further lines indented so that none of them begins a line; and where it was thrown. */
function thrownLines(error: unknown): readonly string[] {
  const words = formatThrown(error).replace(COLOUR, "");
  const cut = words.length > MAX_ERROR_LENGTH ? `${words.slice(0, MAX_ERROR_LENGTH)}…` : words;
  const [first = "", ...others] = cut
    .split(/\r\n|[\n\r]/)
    .map((line) => printable(line.replaceAll("\t", "  ")).trimEnd())
    .filter((line) => line !== "");
  const frame = frameOf(error);
  const where = frame === undefined ? [] : [`      ${printable(frame.trim()).slice(0, MAX_FRAME_LENGTH)}`];
  return [`  ${first}`, ...others.map((line) => `    ${line}`), ...where];
}

/** The first stack frame in code of the user's own. */
function frameOf(error: unknown): string | undefined {
  const stack = textProperty(error, "stack") ?? "";
  const message = textProperty(error, "message") ?? "";
  // A message may have lines that look like frames.
  const begin = stack.indexOf(message) + message.length;
  return stack
    .slice(begin)
    .split("\n")
    .find((line) => FRAME.test(line) && !FOREIGN.test(line) && !isOurs(line));
}

function isOurs(frame: string): boolean {
  return PACKAGE !== undefined && ["testing/", "core/"].some((folder) => frame.includes(PACKAGE + folder));
}
