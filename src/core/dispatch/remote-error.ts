/**
 * Makes an error of what a worker says its handler threw, as the `cause` of an ExecutionError. The words are a peer's: no
 * constructor and no setter runs for them. How an error is told is in thrown-error.ts.
 */
import type { RemoteError } from "../errors.ts";
import { MAX_DETAIL_DEPTH } from "../protocol/constants.ts";

const CLASSES = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError] as const;
const BY_NAME: ReadonlyMap<string, ErrorConstructor> = new Map(CLASSES.map((one) => [one.name, one]));
/** What a peer may not set: what an error is made of, and what changes its prototype. */
const KEPT: ReadonlySet<string> = new Set(["name", "message", "code", "stack", "cause", "errors", "__proto__"]);

/**
 * Returns the error, with its own fields, causes and stacks as far as they were told.
 *
 * @param records - Of a typed task: the fields of each error, decoded. Without them the errors have none.
 */
export function remoteCause(remote: RemoteError, records: readonly unknown[] = []): Error {
  const { name, message, code, stack, details = "" } = remote;
  return errorFrom({ ...parse(details), name, message, code, stack }, 0, records);
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return recordOf(text === "" ? undefined : JSON.parse(text));
  } catch {
    return {};
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function errorFrom(told: Readonly<Record<string, unknown>>, depth: number, records: readonly unknown[]): Error {
  const name = textOf(told["name"]);
  const message = textOf(told["message"]);
  const error = new (BY_NAME.get(name) ?? Error)(message);
  const set = (key: string, value: unknown): void =>
    void Object.defineProperty(error, key, { value, configurable: true, writable: true });
  if (error.name !== name) set("name", name === "" ? "Error" : name);
  // The place where it was made here says nothing.
  const stack = textOf(told["stack"]);
  set("stack", stack === "" ? `${error.name}: ${message}` : stack);
  const code = textOf(told["code"]);
  if (code !== "") set("code", code);
  const { dropped } = told;
  if (Array.isArray(dropped))
    set(
      "dropped",
      dropped.filter((one) => typeof one === "string"),
    );
  const { fields } = told;
  for (const [key, value] of Object.entries(recordOf(typeof fields === "number" ? records[fields] : fields)))
    if (!KEPT.has(key))
      Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: true });
  if (depth === MAX_DETAIL_DEPTH) return error;
  if (told["cause"] !== undefined) set("cause", innerFrom(told["cause"], depth + 1, records));
  const { errors } = told;
  if (Array.isArray(errors))
    set(
      "errors",
      errors.map((inner: unknown) => innerFrom(inner, depth + 1, records)),
    );
  return error;
}

/** A cause that was no error is a text again. */
function innerFrom(told: unknown, depth: number, records: readonly unknown[]): unknown {
  const record = recordOf(told);
  return record["name"] === "" ? textOf(record["message"]) : errorFrom(record, depth, records);
}
