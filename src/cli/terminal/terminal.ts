/**
 * What a command says to its user, on stderr: lines, and a progress bar that keeps out of their way. Owns the bottom line
 * of the terminal; what the bar says is progress.ts.
 */
import type { Environment } from "./flags.ts";
import type { ProgressStyle } from "./progress.ts";
import { safeText } from "./format.ts";

/** The part of a stream that is needed to talk to a person. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string | Uint8Array): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

const REDRAW = 100; // ms
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

/** Talks to the user. */
export class Terminal {
  readonly #screen: Screen;
  /** The screen's own, whoever watches it. */
  readonly #write: (text: string) => boolean;
  readonly #quiet: boolean;
  readonly #live: boolean;
  readonly #style: ProgressStyle;
  #draw: ((columns: number, style: ProgressStyle) => string) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #shown = "";
  /** Whether somebody else's line at the bottom is not finished. */
  #foreign = false;
  /** Gives the screen its own `write` back. */
  #release: (() => void) | undefined;

  /** @param quiet - Whether nothing but the reason of a failed command is said. */
  constructor(screen: Screen, environment: Environment, quiet: boolean) {
    this.#screen = screen;
    this.#write = screen.write.bind(screen);
    this.#quiet = quiet;
    this.#live = !quiet && screen.isTTY === true && environment["TERM"] !== "dumb";
    this.#style = { colour: (environment["NO_COLOR"] ?? "") === "", blocks: speaksUtf8(environment) };
    // Nobody to talk to is no reason to end.
    screen.on("error", () => undefined);
  }

  /** One line, made harmless, with the program's name before it. */
  info(line: string): void {
    if (!this.#quiet) this.#line(`powerhose: ${safeText(line)}`);
  }

  /** One line for the user to copy: indented, and not cut. */
  hint(line: string): void {
    if (!this.#quiet) this.#line(`    ${safeText(line, Number.POSITIVE_INFINITY)}`);
  }

  /** What is wrong: also said when quiet. */
  error(line: string): void {
    this.#line(`powerhose: ${safeText(line)}`);
  }

  /** Keeps a line at the bottom, redrawn ten times a second, if there is a terminal to draw on. */
  showProgress(draw: (columns: number, style: ProgressStyle) => string): void {
    if (!this.#live || this.#timer !== undefined) return;
    this.#draw = draw;
    this.#timer = setInterval(() => this.#redraw(), REDRAW);
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

  /** What handlers print comes to the same screen by way of their threads' streams: the bar makes way for it. */
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
