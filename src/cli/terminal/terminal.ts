/**
 * The output of a command for its user, on stderr: lines, and a progress bar that makes way for them. Owns the bottom line of
 * the terminal. See progress.ts for the text of the bar.
 */
import type { Environment } from "./flags.ts";
import type { ProgressStyle } from "./progress.ts";
import { safeText } from "./format.ts";

/** The part of a stream that is used. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string | Uint8Array): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

const REDRAW_INTERVAL_MS = 100;
const ERASE = "\r\u001b[2K";

/** Whether the environment promises UTF-8, as POSIX ranks its variables. */
function speaksUtf8(environment: Environment): boolean {
  const locale = environment["LC_ALL"] || environment["LC_CTYPE"] || environment["LANG"] || "";
  return /utf-?8/i.test(locale);
}

/** Streams hand over bytes or text, whatever the type says. */
function isWholeLines(output: string | Uint8Array): boolean {
  return typeof output === "string" ? output.endsWith("\n") : output.at(-1) === 10;
}

/** Prints to the user. */
export class Terminal {
  readonly #screen: Screen;
  /** The screen's own `write`, before #watch replaces it. */
  readonly #write: (text: string) => boolean;
  readonly #quiet: boolean;
  readonly #live: boolean;
  readonly #style: ProgressStyle;
  #draw: ((columns: number, style: ProgressStyle) => string) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #shown = "";
  /** Whether other output ends in an unfinished line. */
  #foreign = false;
  /** Gives the screen its own `write` back. */
  #release: (() => void) | undefined;

  /** @param quiet - Whether only errors are printed. */
  constructor(screen: Screen, environment: Environment, quiet: boolean) {
    this.#screen = screen;
    this.#write = screen.write.bind(screen);
    this.#quiet = quiet;
    this.#live = !quiet && screen.isTTY === true && environment["TERM"] !== "dumb";
    this.#style = { colour: (environment["NO_COLOR"] ?? "") === "", blocks: speaksUtf8(environment) };
    // A closed screen does not end the command.
    screen.on("error", () => undefined);
  }

  /** Whether there is a terminal to draw on. */
  get isLive(): boolean {
    return this.#live;
  }

  /** One line, made harmless, with the program's name before it. */
  info(line: string): void {
    if (!this.#quiet) this.#line(`powerhose: ${safeText(line)}`);
  }

  /** One line for the user to copy: indented, and not cut. */
  hint(line: string): void {
    if (!this.#quiet) this.#line(`    ${safeText(line, Number.POSITIVE_INFINITY)}`);
  }

  /** An error: printed even when quiet. */
  error(line: string): void {
    this.#line(`powerhose: ${safeText(line)}`);
  }

  /** Keeps a line at the bottom, redrawn ten times a second, if there is a terminal to draw on. */
  showProgress(draw: (columns: number, style: ProgressStyle) => string): void {
    if (!this.#live || this.#timer !== undefined) return;
    this.#draw = draw;
    this.#timer = setInterval(() => this.#redraw(), REDRAW_INTERVAL_MS);
    this.#timer.unref();
    this.#watch();
  }

  /** Takes the bar off the screen until it is drawn next. */
  clear(): void {
    if (this.#shown !== "") this.#write(ERASE);
    this.#shown = "";
  }

  /** Takes the bar off the screen for good. May be called twice. */
  endProgress(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.clear();
    this.#release?.();
    this.#release = undefined;
  }

  /** Clears the bar before other output: what handlers print reaches the same screen. */
  #watch(): void {
    const screen = this.#screen;
    const write = screen.write.bind(screen);
    screen.write = (...args): boolean => {
      this.clear();
      this.#foreign = !isWholeLines(args[0]);
      return write(...args);
    };
    this.#release = (): void => {
      screen.write = write;
    };
  }

  #line(text: string): void {
    this.clear();
    this.#write(`${text}\n`);
  }

  #redraw(): void {
    const text = this.#draw?.(this.#screen.columns || 80, this.#style) ?? "";
    if (text === this.#shown || this.#foreign) return;
    this.#write(`${ERASE}${text}`);
    this.#shown = text;
  }
}
