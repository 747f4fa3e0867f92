/**
 * What a handler has thrown, as it travels: name, message, code, stack, and as JSON its own fields, `cause` and `errors`; of a
 * typed task the fields are values of its codec. It may be anything, of this realm or another, and reading it
 * may throw again. It is made an error again in remote-error.ts.
 */
import { errorParts } from "../describe-error.ts";
import { isExecutionError, type RemoteError } from "../errors.ts";
import { MAX_DETAIL_DEPTH, TEXT_BYTES } from "../protocol/constants.ts";
import { utf8Length } from "../job/utf8.ts";
import { dropField, type ErrorFields, type FieldValues } from "./error-fields.ts";

/** What is told of an error besides, or of an error within. */
interface Details extends ErrorFields {
  name?: string;
  message?: string;
  code?: string;
  stack?: string;
  cause?: Details;
  errors?: Details[];
}

const TOLD: ReadonlySet<string> = new Set(["name", "message", "code", "stack", "cause", "errors"]);
/** The most errors of an `AggregateError` that are told. */
const MAX_ERRORS = 16;
/** In the place of a field whose getter throws; as a symbol it has no JSON form. */
const UNREADABLE = Symbol("unreadable");

/**
 * Returns what is told of anything thrown. May throw what a getter throws.
 *
 * @param values - Of a typed task: makes values of fields. Those that it cannot make are named in `dropped`.
 */
export function describeThrown(thrown: unknown, values?: FieldValues): RemoteError {
  // A handler that relays its job to another runner passes on that runner's error.
  if (isExecutionError(thrown)) {
    const { remoteName: name, remoteMessage: message, remoteCode: code, remoteStack: stack } = thrown;
    return { name, message, code, stack, ...detailsField(thrown.remoteDetails, thrown.remoteValues) };
  }
  if (!isObject(thrown)) return { name: "Error", message: String(thrown), code: "", stack: "" };
  const { name, message, code = "", stack = "" } = headOf(thrown);
  const details = detailsOf(thrown, 0, values);
  const bytes = values?.encode();
  const { text, isWhole } = detailsText(details);
  return { name, message, code, stack, ...detailsField(text, isWhole ? bytes : undefined) };
}

function detailsField(details: string, values: Uint8Array | undefined): Pick<RemoteError, "details" | "values"> {
  if (details === "") return {};
  return values === undefined ? { details } : { details, values };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** An error of another realm is no `Error` here: what counts is that it has a message. */
function headOf(thrown: object): Required<Pick<Details, "name" | "message">> & Details {
  const { name, message, code, stack }: { name?: unknown; message?: unknown; code?: unknown; stack?: unknown } = thrown;
  return {
    name: name === undefined ? "Error" : textOf(name),
    message: message === undefined ? plainText(thrown) : textOf(message),
    ...(typeof code === "string" || typeof code === "number" ? { code: String(code) } : {}),
    ...(typeof stack === "string" ? { stack } : {}),
  };
}

/** What should be a text, and may be anything. */
function textOf(value: unknown): string {
  return String(value);
}

/** What has no message is told by its content. */
function plainText(thrown: object): string {
  return jsonOf(thrown) ?? errorParts(thrown).message;
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Stacks within are left out first, then the fields (then it is not whole), when all together is over the limit. */
function detailsText(details: Details): { readonly text: string; readonly isWhole: boolean } {
  const drop = (...keys: readonly string[]): string | undefined =>
    JSON.stringify(details, (key, value: unknown) => (keys.includes(key) ? undefined : value));
  for (const [text, isWhole] of [
    [drop(), true],
    [drop("stack"), true],
    [drop("stack", "fields", "dropped"), false],
    [drop("stack", "fields", "dropped", "errors"), false],
  ] as const) {
    if (text === undefined || text === "{}") break;
    if (text.length <= TEXT_BYTES.details && utf8Length(text) <= TEXT_BYTES.details) return { text, isWhole };
  }
  return { text: "", isWhole: false };
}

function detailsOf(thrown: object, depth: number, values: FieldValues | undefined): Details {
  const details: Details = {};
  addFields(details, thrown, values);
  if (depth === MAX_DETAIL_DEPTH) return details;
  if ("cause" in thrown && thrown.cause !== undefined) details.cause = within(thrown.cause, depth + 1, values);
  if ("errors" in thrown && Array.isArray(thrown.errors))
    details.errors = thrown.errors.slice(0, MAX_ERRORS).map((error: unknown) => within(error, depth + 1, values));
  return details;
}

function within(thrown: unknown, depth: number, values: FieldValues | undefined): Details {
  try {
    if (!isObject(thrown)) return { name: "", message: String(thrown) };
    return { ...headOf(thrown), ...detailsOf(thrown, depth, values) };
  } catch {
    return { name: "", message: "an error that cannot be read" };
  }
}

/** A field that cannot be told, or a large one, costs itself and not the error, and leaves its name. */
function addFields(details: Details, thrown: object, values: FieldValues | undefined): void {
  for (const key of Object.keys(thrown)) {
    if (TOLD.has(key)) continue;
    const value = readField(thrown, key);
    const isTold = values === undefined ? addJson(details, key, value) : values.add(details, key, value);
    if (!isTold) dropField(details, key);
  }
}

function addJson(details: Details, key: string, value: unknown): boolean {
  if (value === undefined) return true;
  const text = jsonOf(value);
  if (text === undefined || text.length > TEXT_BYTES.details) return false;
  const fields = (details.fields ??= {});
  if (typeof fields === "object") fields[key] = JSON.parse(text) as unknown;
  return true;
}

function readField(object: object, key: string): unknown {
  try {
    return Reflect.get(object, key);
  } catch {
    return UNREADABLE;
  }
}
