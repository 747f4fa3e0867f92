/** Reads a command's options and their environment twins. What they mean is each command's business. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { codeOf, usage, wordsOf } from "./faults.ts";

/** One option of a command. */
export interface FlagRule {
  readonly type: "string" | "boolean";
  readonly short?: string;
  /** Whether it may be given several times. */
  readonly multiple?: boolean;
}

/** The options of one command, as `parseArgs` takes them. */
export type FlagRules = Readonly<Record<string, FlagRule>>;

/** The part of the environment a command reads. */
export type Environment = Readonly<Record<string, string | undefined>>;

function nearest(name: string, known: readonly string[]): string {
  const found = known.find(
    (option) => name.length > 2 && (option.startsWith(name.slice(0, 3)) || distance(name, option) <= 2),
  );
  return found === undefined ? "" : ` (did you mean --${found}?)`;
}

/** How many letters to change, add or drop to get from one word to the other. */
function distance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const here = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1] ? 0 : 1;
      const [left = 0, up = 0, corner = 0] = [here[column - 1], above[column], above[column - 1]];
      here.push(Math.min(left + 1, up + 1, corner + same));
    }
    above = here;
  }
  return above[to.length] ?? 0;
}

/** One command's options, read. */
export class Flags {
  /** What is not an option, in order. */
  readonly operands: readonly string[];
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #environment: Environment;

  /** @throws CommandError (usage) for an unknown option, or one without its value. */
  constructor(args: readonly string[], rules: FlagRules, environment: Environment) {
    const config: ParseArgsConfig = { args: [...args], options: { ...rules }, allowPositionals: true, strict: true };
    try {
      const { values, positionals } = parseArgs(config);
      this.#values = values;
      this.operands = positionals;
    } catch (error) {
      throw wrongOption(error, Object.keys(rules));
    }
    this.#environment = environment;
  }

  /** Whether an option without value was given. */
  has(name: string): boolean {
    return this.#values[name] === true;
  }

  /** The value of an option, else of the environment variable, else nothing. An empty variable counts as unset. */
  text(name: string, variable?: string): string | undefined {
    const value = this.#values[name];
    if (typeof value === "string") return value;
    const twin = variable === undefined ? undefined : this.#environment[variable];
    return twin === "" ? undefined : twin;
  }

  /** All values of an option that may be given several times. */
  texts(name: string): readonly string[] {
    const values = this.#values[name];
    return Array.isArray(values) ? values.map(String) : [];
  }

  /**
   * A whole number from `least` to `most`.
   * @throws CommandError (usage) when it is anything else.
   */
  integer(name: string, least: number, most: number, variable?: string): number | undefined {
    const text = this.text(name, variable);
    if (text === undefined) return undefined;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const source = typeof this.#values[name] === "string" ? `--${name}` : variable;
    throw usage(`${source}: expected a whole number from ${least} to ${most}, got "${text}"`);
  }
}

function wrongOption(error: unknown, known: readonly string[]): Error {
  const words = wordsOf(error);
  if (codeOf(error) === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const name = /'(-+)([^']*)'/.exec(words);
    return usage(`unknown option ${name?.[1] ?? ""}${name?.[2] ?? ""}${nearest(name?.[2] ?? "", known)}`, error);
  }
  if (!codeOf(error).startsWith("ERR_PARSE_ARGS")) return error instanceof Error ? error : new Error(words);
  const needs = /^Option '(?:-\w, )?(--[\w-]+) <value>' argument missing/.exec(words);
  if (needs !== null) return usage(`option ${needs[1]} needs a value`, error);
  const ambiguous = /^Option '(--?[\w-]+)[^']*' argument is ambiguous/.exec(words);
  if (ambiguous !== null) return usage(`option ${ambiguous[1]} needs a value, one that does not begin with a dash`);
  const [first = words] = words.split(/\.? *\n|\. /, 1);
  return usage(first, error);
}
