/**
 * How options are declared and checked: one flat record, unknown keys refused, every number in its range, once. Each option is
 * declared once, with its validator and its default, by `defineOptions`. The options themselves are declared where they are
 * used.
 */
import { MAX_DURATION } from "./time/clock.ts";

/** Returns what was expected when a value is wrong, or nothing. */
export type Validator = (value: unknown) => string | undefined;

/** A rule for each option. */
export type Validators<T> = { readonly [K in keyof Required<T>]: Validator };

/** A record of options with everything filled in. */
export type WithDefaults<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

/** For each option its validator, and its default when it is one of `D`. */
export type OptionDeclarations<T, D extends keyof T> = {
  readonly [K in keyof T]-?: K extends D
    ? readonly [validator: Validator, byDefault: Exclude<T[K], undefined>]
    : readonly [validator: Validator];
};

/** What follows from the declarations of options; both frozen. */
export interface DefinedOptions<T, D extends keyof T> {
  readonly rules: Validators<T>;
  readonly defaults: WithDefaults<Pick<T, D>>;
}

/** Declares the options `T`, of which `D` have a default. */
export function defineOptions<T extends object, D extends keyof T>(
  declared: OptionDeclarations<T, D>,
): DefinedOptions<T, D> {
  const rules: Record<string, Validator> = {};
  const defaults: Record<string, unknown> = {};
  for (const [name, [validator, ...byDefault]] of Object.entries<readonly [Validator, unknown?]>(declared)) {
    rules[name] = validator;
    if (byDefault.length > 0) defaults[name] = byDefault[0];
  }
  return { rules: Object.freeze(rules), defaults: Object.freeze(defaults) } as DefinedOptions<T, D>;
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}

/**
 * Checks an options record; `undefined` values count as absent.
 * @throws TypeError when a key is unknown or a value of the wrong kind.
 * @throws RangeError when a value is a number, but not one that fits.
 */
export function checkOptions<T extends object>(owner: string, given: T, rules: Validators<T>): void {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new TypeError(`${owner}: expected an options object, got ${show(given)}`);
  for (const [key, value] of Object.entries(given) as [string, unknown][]) {
    const rule = Object.hasOwn(rules, key) ? rules[key as keyof T] : undefined;
    if (rule === undefined) throw new TypeError(`${owner}: unknown option \`${key}\``);
    if (value === undefined) continue;
    const expected = rule(value);
    if (expected === undefined) continue;
    const message = `${owner}: expected \`${key}\` to be ${expected}, got \`${show(value)}\``;
    throw typeof value === "number" ? new RangeError(message) : new TypeError(message);
  }
}

/** A checked copy, each option read once: what a getter gives the next time would not have been checked. Throws as {@link checkOptions}. */
export function checkedCopy<T extends object>(owner: string, given: T, rules: Validators<T>): T {
  const copy = typeof given === "object" && given !== null && !Array.isArray(given) ? { ...given } : given;
  checkOptions(owner, copy, rules);
  return copy;
}

/** The defaults with what was given laid over them; `undefined` does not override. */
export function withDefaults<D extends object, T extends object>(defaults: D, given: T): D & T {
  const options = { ...defaults } as Record<string, unknown>;
  for (const [key, value] of Object.entries(given) as [string, unknown][]) {
    if (value !== undefined) options[key] = value;
  }
  return options as D & T;
}

/** The options that a set of rules (or of defaults) names, out of a larger record. */
export function pickOptions<T extends object, K extends keyof T>(
  options: T,
  named: Readonly<Record<K, unknown>>,
): Pick<T, K> {
  return Object.fromEntries((Object.keys(named) as K[]).map((key) => [key, options[key]])) as Pick<T, K>;
}

/** None, one or several, as a list. */
export function listOf<T>(given: T | readonly T[] | undefined): readonly T[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? (given as readonly T[]) : [given as T];
}

/** A duration in ms: over 0 and at most 2^31 - 1, or `Infinity` for no limit. */
export const duration: Validator = (value) => {
  const fits = typeof value === "number" && value > 0 && (value <= MAX_DURATION || value === Number.POSITIVE_INFINITY);
  return fits ? undefined : `a number of ms over 0 and at most ${MAX_DURATION}, or Infinity`;
};

/** A duration in ms that must end: over 0 and at most 2^31 - 1. */
export const finiteDuration: Validator = (value) => {
  const fits = typeof value === "number" && value > 0 && value <= MAX_DURATION;
  return fits ? undefined : `a number of ms over 0 and at most ${MAX_DURATION}`;
};

/** A whole number in a range. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Validator {
  const expected = max === Number.MAX_SAFE_INTEGER ? `an integer ≥ ${min}` : `an integer from ${min} to ${max}`;
  return (value) => (Number.isInteger(value) && Number(value) >= min && Number(value) <= max ? undefined : expected);
}

/** The largest payload that can be allowed, in bytes: 1 GiB. */
export const MAX_PAYLOAD = 1_073_741_824;

/** The largest payload that both ends allow unless told otherwise, in bytes: 1 MiB. */
export const DEFAULT_PAYLOAD = 1_048_576;

/** A limit of payloads, in bytes. */
export const payloadLimit: Validator = integer(1, MAX_PAYLOAD);

/** A whole number in a range, or `Infinity` for no limit. */
export function integerOrInfinity(min: number): Validator {
  const whole = integer(min);
  return (value) =>
    value === Number.POSITIVE_INFINITY || whole(value) === undefined ? undefined : `an integer ≥ ${min} or Infinity`;
}

/** `true` or `false`. */
export const isBoolean: Validator = (value) => (typeof value === "boolean" ? undefined : "true or false");

/** A function that is told things, or `false` for none. */
export const isReporter: Validator = (value) =>
  value === false || typeof value === "function" ? undefined : "a function, or false for none";

/** A function. */
export const isFunction: Validator = (value) => (typeof value === "function" ? undefined : "a function");

/** A string. */
export const isString: Validator = (value) => (typeof value === "string" ? undefined : "a string");

/** A string that is not empty. */
export const isNonEmptyString: Validator = (value) =>
  typeof value === "string" && value !== "" ? undefined : "a non-empty string";

/** One of a few strings. */
export function oneOf(...choices: readonly string[]): Validator {
  const expected = choices.map((choice) => `"${choice}"`).join(" or ");
  return (value) => (typeof value === "string" && choices.includes(value) ? undefined : expected);
}

/** An object with the given methods. */
export function hasMethods(expected: string, ...methods: readonly string[]): Validator {
  return (value) => {
    const fits =
      typeof value === "object" &&
      value !== null &&
      methods.every((name) => typeof Reflect.get(value, name) === "function");
    return fits ? undefined : expected;
  };
}

/** A value that fits a rule, or an array of such. */
export function oneOrMore(rule: Validator): Validator {
  return (value) => {
    const wrong = Array.isArray(value) ? value.map(rule).find((expected) => expected !== undefined) : rule(value);
    return wrong === undefined ? undefined : `${wrong}, or an array of such`;
  };
}

/** A Clock, for the option `clock`. */
export const isClock: Validator = hasMethods("a Clock", "now", "set", "clear", "endOfTurn", "nextTurn");

/** A Random, for the option `random`. */
export const isRandom: Validator = hasMethods("a Random", "u32", "id");

/** What looks like an AbortSignal. */
export const abortSignal: Validator = (value) => {
  const fits = typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value;
  return fits ? undefined : "an AbortSignal";
};
