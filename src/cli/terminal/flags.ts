/**
 * How a command declares its options, and how they are read, with their environment twins. help.ts prints the same declaration.
 * The options themselves are declared by each command: run/options.ts, work/work.ts, status/status.ts.
 */
import { parseArgs } from "node:util";
import { usage } from "./errors.ts";

/** One option of a command. */
export interface FlagRule {
  /** One letter, for `-w`. */
  readonly short?: string;
  /** How the help names the value, such as `<n>`. An option without one takes no value. */
  readonly value?: string;
  /** Whether the option may be given several times. */
  readonly repeatable?: boolean;
  /** The environment variable that is read when the option is absent. */
  readonly variable?: string;
  /** What the help says. */
  readonly help: string;
}

/** Options by their long names. */
export type FlagRules = Readonly<Record<string, FlagRule>>;

/** The part of the environment a command reads. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What `--max-payload` is by default, in bytes. */
export const DEFAULT_MAX_PAYLOAD: number = 1_048_576;
/** A text of twice these bytes no longer fits in one string, and a few jobs fill the memory. */
const MAX_MAX_PAYLOAD = 256 * 1_048_576;

const UNITS_MS: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
/** The longest delay of a timer: 24 days. */
const MAX_DURATION_MS = 0x7fff_ffff;

/** What every command takes. */
export const HELP_FLAG: FlagRules = { help: { short: "h", help: "this text" } };

/** The candidate nearest to a misspelt word, as a hint for the message; empty when none is near. */
export function suggest(word: string, candidates: readonly string[], prefix = ""): string {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: editsTo(word, candidate) }))
    .sort((a, b) => a.edits - b.edits);
  const [best] = ranked;
  if (best === undefined || best.edits > Math.max(2, word.length / 3) || best.edits >= word.length) return "";
  return ` (did you mean ${prefix}${best.candidate}?)`;
}

/** A beginning of a long enough word counts as the word. */
function editsTo(word: string, candidate: string): number {
  return word.length > 2 && candidate.startsWith(word) ? 0 : distance(word, candidate);
}

/** Levenshtein's distance: letters to change, add or drop to get from one word to the other. */
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
  /** The arguments that are no options, in order. */
  readonly operands: readonly string[];
  readonly #rules: FlagRules;
  readonly #given = new Map<string, string[]>();
  readonly #environment: Environment;

  /** @throws CommandError (usage) for an unknown option, one without its value, and one with a value it does not take. */
  constructor(args: readonly string[], rules: FlagRules, environment: Environment) {
    this.#rules = rules;
    this.#environment = environment;
    const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
    for (const [name, { short, value }] of Object.entries(rules)) {
      options[name] = { type: value === undefined ? "boolean" : "string", ...(short === undefined ? {} : { short }) };
    }
    // Not strict: the host's own messages are made for developers of commands, not for their users.
    const { tokens } = parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true });
    const operands: string[] = [];
    for (const token of tokens) {
      if (token.kind === "positional") operands.push(token.value);
      else if (token.kind === "option") this.#add(token);
    }
    this.operands = operands;
  }

  /** Whether an option without value was given. */
  has(name: string): boolean {
    this.#rule(name);
    return this.#given.has(name);
  }

  /** The value of an option as it was typed, else nothing: its environment variable does not count. */
  typed(name: string): string | undefined {
    this.#rule(name);
    return this.#given.get(name)?.at(-1);
  }

  /** The value of an option, else of its environment variable, else nothing. An empty variable counts as unset. */
  text(name: string): string | undefined {
    const { variable } = this.#rule(name);
    const twin = variable === undefined ? undefined : this.#environment[variable];
    return this.typed(name) ?? (twin === "" ? undefined : twin);
  }

  /** All values of an option that may be given several times. */
  texts(name: string): readonly string[] {
    this.#rule(name);
    return this.#given.get(name) ?? [];
  }

  /**
   * A whole number from `min` to `max`.
   * @throws CommandError (usage) when it is anything else.
   */
  integer(name: string, min: number, max: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    const source = this.typed(name) === undefined ? this.#rule(name).variable : `--${name}`;
    throw usage(`${source}: expected a whole number from ${min} to ${max}, got "${text}"`);
  }

  /**
   * A duration: `500`, `500ms`, `30s`, `1.5m`, `2h` or `none`.
   * @returns milliseconds; `Infinity` for `none` and when the option is absent.
   * @throws CommandError (usage) when it is anything else, 0, or over 24 days.
   */
  duration(name: string): number {
    const text = this.text(name) ?? "none";
    if (text === "none") return Number.POSITIVE_INFINITY;
    const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text);
    const ms = parts === null ? Number.NaN : Number(parts[1]) * (UNITS_MS[parts[2] ?? ""] ?? Number.NaN);
    if (ms > 0 && ms <= MAX_DURATION_MS) return ms;
    throw usage(`--${name}: expected a duration such as 500ms, 30s, 5m or none, got "${text}"`);
  }

  /**
   * `--max-payload`, in bytes.
   * @throws CommandError (usage) when it is not a whole number from 1 to 256 MiB.
   */
  maxPayload(): number {
    return this.integer("max-payload", 1, MAX_MAX_PAYLOAD) ?? DEFAULT_MAX_PAYLOAD;
  }

  #add({ name, rawName, value, inlineValue }: OptionToken): void {
    const rule = Object.hasOwn(this.#rules, name) ? this.#rules[name] : undefined;
    if (rule === undefined) throw usage(`unknown option ${rawName}${suggest(name, Object.keys(this.#rules), "--")}`);
    if (rule.value === undefined) {
      if (value !== undefined) throw usage(`option ${rawName} takes no value, got "${value}"`);
      this.#given.set(name, []);
      return;
    }
    if (value === undefined) throw usage(`option ${rawName} needs a value`);
    if (inlineValue !== true && value.length > 1 && value.startsWith("-")) {
      throw usage(`option ${rawName} needs a value, one that does not begin with a dash; or write ${rawName}=${value}`);
    }
    const earlier = rule.repeatable === true ? (this.#given.get(name) ?? []) : [];
    this.#given.set(name, [...earlier, value]);
  }

  /** A name that is not declared is a mistake in the command, not in its arguments. */
  #rule(name: string): FlagRule {
    const rule = this.#rules[name];
    if (rule === undefined) throw new Error(`the option --${name} is not declared`);
    return rule;
  }
}

/** An option as `parseArgs` found it. */
interface OptionToken {
  readonly name: string;
  /** As it was typed, dashes included. */
  readonly rawName: string;
  readonly value: string | undefined;
  /** Whether the value stands behind a `=`, or behind the letter. */
  readonly inlineValue: boolean | undefined;
}
