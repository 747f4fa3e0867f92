/**
 * The progress bar: its text, and how it fits into the line. See terminal.ts for drawing it beside other output.
 */
import { counted, grouped, safeText, showClock, threeDigits } from "./format.ts";

/** What the bar shows. */
export interface ProgressView {
  readonly done: number;
  readonly failed: number;
  /** Jobs to expect in all, if that is known. */
  readonly expected: number | undefined;
  /** Jobs a second, lately. */
  readonly perSecond: number;
  readonly workers: number;
  /** Items of streams so far. */
  readonly items: number;
  /** How far one of the jobs is, as it says itself. */
  readonly report: string | undefined;
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
/** The frame of the bar, and the space behind it. */
const BAR_FRAME = 4;
/** With less room a report is left out. */
const MIN_REPORT_WIDTH = 12;
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
  const { done, failed, items, expected, perSecond, workers, ending } = view;
  const percent = expected === undefined ? "" : `${Math.floor((100 * done) / Math.max(1, expected))}%`;
  return [
    ending ?? "",
    percent,
    `${grouped(done)} done`,
    items > 0 ? counted(items, "item") : "",
    failed > 0 ? `${grouped(failed)} failed` : "",
    eta(view),
    perSecond > 0 ? `${threeDigits(perSecond)}/s` : "",
    counted(workers, "worker"),
  ].filter((part) => part !== "");
}

/** A report comes last, cut to the room that a small bar leaves, or to all there is when that is too little. */
function withReport(text: string, { report, expected }: ProgressView, room: number): string {
  if (report === undefined) return text;
  const left = room - text.length - 2;
  const beside = expected === undefined ? left : left - MIN_BAR_WIDTH - BAR_FRAME;
  const width = beside < MIN_REPORT_WIDTH ? left : beside;
  return width < MIN_REPORT_WIDTH ? text : `${text}  ${safeText(report, width - 1).slice(0, width)}`;
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
  const text = withReport(shown.join("  ").slice(0, room), view, room);
  const width = Math.min(MAX_BAR_WIDTH, room - text.length - BAR_FRAME);
  if (view.expected === undefined || width < MIN_BAR_WIDTH) return coloured(text, style);
  const fraction = Math.min(1, view.done / Math.max(1, view.expected));
  return coloured(`${bar(fraction, width, style.blocks)}  ${text}`, style);
}
