/**
 * What a command says to its user, on stderr: lines, and a progress bar that keeps out of their way. Owns the bottom line
 * of the terminal; what the bar says is progress.ts.
 */
import type { Environment } from "./flags.ts";
import type { ProgressStyle } from "./progress.ts";
import { plain } from "./terminal-text.ts";

/** The part of a stream that is needed to talk to a person. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

const REDRAW = 100; // ms
const ERASE = "\r\u001b[2K";

/** Whether the environment promises UTF-8, as POSIX ranks its variables. */
function speaksUtf8(environment: Environment): boolean {
  const locale = environment["LC_ALL"] || environment["LC_CTYPE"] || environment["LANG"] || "";
  return /utf-?8/i.test(locale);
}

/** Talks to the user. */
export class Notices {
  readonly #screen: Screen;
  readonly #quiet: boolean;
  readonly #live: boolean;
  readonly #style: ProgressStyle;
  #draw: ((columns: number, style: ProgressStyle) => string) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #shown = "";

  /** @param quiet - Whether nothing but the reason of a failed command is said. */
  constructor(screen: Screen, environment: Environment, quiet: boolean) {
    this.#screen = screen;
    this.#quiet = quiet;
    this.#live = !quiet && screen.isTTY === true && environment["TERM"] !== "dumb";
    this.#style = { colour: (environment["NO_COLOR"] ?? "") === "", blocks: speaksUtf8(environment) };
    // Nobody to talk to is no reason to end.
    screen.on("error", () => undefined);
  }

  /** One line, made harmless, with the program's name before it. */
  say(line: string): void {
    if (!this.#quiet) this.#line(`powerhose: ${plain(line)}`);
  }

  /** One line for the user to copy: indented, and not cut. */
  offer(line: string): void {
    if (!this.#quiet) this.#line(`    ${plain(line, Number.POSITIVE_INFINITY)}`);
  }

  /** What is wrong: also said when quiet. */
  complain(line: string): void {
    this.#line(`powerhose: ${plain(line)}`);
  }

  /** Keeps a line at the bottom, redrawn ten times a second, if there is a terminal to draw on. */
  showProgress(draw: (columns: number, style: ProgressStyle) => string): void {
    if (!this.#live || this.#timer !== undefined) return;
    this.#draw = draw;
    this.#timer = setInterval(() => this.#redraw(), REDRAW);
    this.#timer.unref();
  }

  /** Takes the bar off the screen until it is drawn next. */
  clear(): void {
    if (this.#shown !== "") this.#screen.write(ERASE);
    this.#shown = "";
  }

  /** Takes the bar off the screen for good. May be called twice. */
  endProgress(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.clear();
  }

  #line(text: string): void {
    this.clear();
    this.#screen.write(`${text}\n`);
  }

  #redraw(): void {
    const text = this.#draw?.(this.#screen.columns || 80, this.#style) ?? "";
    if (text === this.#shown) return;
    this.#screen.write(`${ERASE}${text}`);
    this.#shown = text;
  }
}
