/**
 * The progress bar: its text, and how it fits into the line. See terminal.ts for drawing it beside other output.
 */
import { counted, grouped, showClock, threeDigits } from "./format.ts";

/** What the bar shows. */
export interface ProgressView {
  readonly done: number;
  readonly failed: number;
  /** Jobs to expect in all, if that is known. */
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

const MAX_BAR_WIDTH = 40;
const MIN_BAR_WIDTH = 8;
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

/** The parts of the text, the most important first: what does not fit is left out from the end. */
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
  const shown = parts(view);
  // The last column stays free: some terminals begin a new line there.
  const room = Math.max(0, columns - 1);
  while (shown.length > 1 && shown.join("  ").length > room) shown.pop();
  const text = shown.join("  ").slice(0, room);
  const width = Math.min(MAX_BAR_WIDTH, room - text.length - 4);
  if (view.expected === undefined || width < MIN_BAR_WIDTH) return coloured(text, style);
  const fraction = Math.min(1, view.done / Math.max(1, view.expected));
  return coloured(`${bar(fraction, width, style.blocks)}  ${text}`, style);
}
