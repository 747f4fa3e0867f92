/**
 * The progress bar: what it says and how it fits into the line. Drawing it without getting into the way of other output is
 * terminal.ts.
 */
import { counted, grouped, showClock, threeDigits } from "./format.ts";

/** What there is to tell. */
export interface ProgressView {
  readonly done: number;
  readonly failed: number;
  /** Jobs to expect in all, or nobody knows. */
  readonly expected: number | undefined;
  /** Jobs a second, lately. */
  readonly perSecond: number;
  readonly workers: number;
  /** What the run is about to do instead of going on, such as `draining`. */
  readonly ending: string | undefined;
}

/** How it may look. */
export interface ProgressStyle {
  readonly colour: boolean;
  /** Whether block characters can be shown. */
  readonly blocks: boolean;
}

const LONGEST_BAR = 40;
const SHORTEST_BAR = 8;
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

function bar(fraction: number, width: number, blocks: boolean): string {
  const filled = fraction * width;
  const whole = Math.floor(filled);
  if (!blocks) return `[${"#".repeat(whole).padEnd(width, "-")}]`;
  const part = EIGHTHS[Math.floor((filled - whole) * 8)] ?? "";
  return `▕${`${"█".repeat(whole)}${part}`.padEnd(width, " ")}▏`;
}

function eta({ done, expected, perSecond, ending }: ProgressView): string {
  if (expected === undefined || perSecond <= 0 || done === 0 || ending !== undefined) return "";
  return `ETA ${showClock(((expected - done) / perSecond) * 1_000)}`;
}

/** What is told, the most important first: what does not fit is left out from the end. */
function parts(view: ProgressView): string[] {
  const { done, failed, expected, perSecond, workers, ending } = view;
  const percent = expected === undefined ? "" : `${Math.floor((100 * done) / Math.max(1, expected))}%`;
  return [
    ending ?? "",
    percent,
    `${grouped(done)} done`,
    failed > 0 ? `${grouped(failed)} failed` : "",
    eta(view),
    perSecond > 0 ? `${threeDigits(perSecond)}/s` : "",
    counted(workers, "worker"),
  ].filter((part) => part !== "");
}

function coloured(text: string, { colour }: ProgressStyle): string {
  if (!colour) return text;
  return text.replace(/\d[\d,]* failed/, "\u001b[31m$&\u001b[39m").replace(/[█▏▎▍▌▋▊▉#]+/, "\u001b[36m$&\u001b[39m");
}

/** One line of at most `columns` characters that tells how far a run is. */
export function progressLine(view: ProgressView, columns: number, style: ProgressStyle): string {
  const told = parts(view);
  // The last column stays free: some terminals begin a new line there.
  const room = Math.max(0, columns - 1);
  while (told.length > 1 && told.join("  ").length > room) told.pop();
  const text = told.join("  ").slice(0, room);
  const width = Math.min(LONGEST_BAR, room - text.length - 4);
  if (view.expected === undefined || width < SHORTEST_BAR) return coloured(text, style);
  const fraction = Math.min(1, view.done / Math.max(1, view.expected));
  return coloured(`${bar(fraction, width, style.blocks)}  ${text}`, style);
}
