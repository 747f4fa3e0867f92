/**
 * What a handler has thrown, as it travels: name, message, code, stack, and as JSON its own fields, `cause` and `errors`. It may
 * be anything, of this realm or another, and reading it may throw again. It is made an error again in remote-error.ts.
 */
import { errorParts } from "../describe-error.ts";
import { isExecutionError, type RemoteError } from "../errors.ts";
import { MAX_DETAIL_DEPTH, TEXT_BYTES } from "../protocol/constants.ts";
import { utf8Length } from "../job/utf8.ts";

/** What is told of an error besides, or of an error within. */
interface Details {
  name?: string;
  message?: string;
  code?: string;
  stack?: string;
  /** Its own enumerable fields that have a JSON form. */
  fields?: Record<string, unknown>;
  /** The names of those that have none, or are too large. */
  dropped?: string[];
  cause?: Details;
  errors?: Details[];
}

const TOLD: ReadonlySet<string> = new Set(["name", "message", "code", "stack", "cause", "errors"]);
/** The most errors of an `AggregateError` that are told. */
const MAX_ERRORS = 16;
/** In the place of a field whose getter throws; as a symbol it has no JSON form. */
const UNREADABLE = Symbol("unreadable");
/** The most names of fields that are told of those that cannot be. */
const MAX_DROPPED = 16;

/** Returns what is told of anything thrown. May throw what a getter throws. */
export function describeThrown(thrown: unknown): RemoteError {
  // A handler that relays its job to another runner passes on that runner's error.
  if (isExecutionError(thrown)) {
    const { remoteName: name, remoteMessage: message, remoteCode: code, remoteStack: stack } = thrown;
    return { name, message, code, stack, ...detailsField(thrown.remoteDetails) };
  }
  if (!isObject(thrown)) return { name: "Error", message: String(thrown), code: "", stack: "" };
  const { name, message, code = "", stack = "" } = headOf(thrown);
  return { name, message, code, stack, ...detailsField(detailsText(thrown)) };
}

function detailsField(details: string): Pick<RemoteError, "details"> {
  return details === "" ? {} : { details };
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

/** Stacks within are left out first, then the fields, when all together is over the limit. */
function detailsText(thrown: object): string {
  const details = detailsOf(thrown, 0);
  const drop = (...keys: readonly string[]): string | undefined =>
    JSON.stringify(details, (key, value: unknown) => (keys.includes(key) ? undefined : value));
  for (const text of [
    drop(),
    drop("stack"),
    drop("stack", "fields", "dropped"),
    drop("stack", "fields", "dropped", "errors"),
  ]) {
    if (text === undefined || text === "{}") return "";
    if (text.length <= TEXT_BYTES.details && utf8Length(text) <= TEXT_BYTES.details) return text;
  }
  return "";
}

function detailsOf(thrown: object, depth: number): Details {
  const details: Details = {};
  addFields(details, thrown);
  if (depth === MAX_DETAIL_DEPTH) return details;
  if ("cause" in thrown && thrown.cause !== undefined) details.cause = within(thrown.cause, depth + 1);
  if ("errors" in thrown && Array.isArray(thrown.errors))
    details.errors = thrown.errors.slice(0, MAX_ERRORS).map((error: unknown) => within(error, depth + 1));
  return details;
}

function within(thrown: unknown, depth: number): Details {
  try {
    if (!isObject(thrown)) return { name: "", message: String(thrown) };
    return { ...headOf(thrown), ...detailsOf(thrown, depth) };
  } catch {
    return { name: "", message: "an error that cannot be read" };
  }
}

/** A field that has no JSON form, or a large one, costs itself and not the error, and leaves its name. */
function addFields(details: Details, thrown: object): void {
  const fields: Record<string, unknown> = {};
  const dropped: string[] = [];
  for (const key of Object.keys(thrown)) {
    if (TOLD.has(key)) continue;
    const value = readField(thrown, key);
    if (value === undefined) continue;
    const text = jsonOf(value);
    if (text === undefined || text.length > TEXT_BYTES.details) dropped.push(key.slice(0, TEXT_BYTES.code));
    else fields[key] = JSON.parse(text) as unknown;
  }
  if (Object.keys(fields).length > 0) details.fields = fields;
  if (dropped.length > 0) details.dropped = dropped.slice(0, MAX_DROPPED);
}

function readField(object: object, key: string): unknown {
  try {
    return Reflect.get(object, key);
  } catch {
    return UNREADABLE;
  }
}
