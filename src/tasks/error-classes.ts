/**
 * Gives errors that came from a worker the classes that an application registers. How an error travels with its fields, causes and
 * stack is told in thrown-error.ts and remote-error.ts of the core. No constructor and no setter runs here: the words are a peer's.
 */
import { remoteCause } from "../core/dispatch/remote-error.ts";
import type { ExecutionError } from "../core/errors.ts";
import { MAX_DETAIL_DEPTH } from "../core/protocol/constants.ts";
import type { ValueCodec } from "./value/value-codec.ts";

/** A class of errors. Its instances are made without its constructor, so that fields like `#secret` are missing in them. */
export interface ErrorClass {
  /** Its name on the wire, unless it is registered under another. */
  readonly name: string;
  /** What its instances inherit from. */
  readonly prototype: Error;
}

/** The registered classes by their name on the wire. */
export type ErrorClasses = ReadonlyMap<string, ErrorClass>;

/** What each error has of its own, whatever its class inherits. */
const OWN: ReadonlySet<PropertyKey> = new Set(["name", "message", "stack", "code", "cause", "errors"]);

/**
 * Returns the classes by name: a list, or a record by the name on the wire, for code whose names are shortened by a bundler.
 *
 * @throws TypeError for what is no class of errors, and for a name that is there twice.
 */
export function errorClasses(given: readonly ErrorClass[] | Readonly<Record<string, ErrorClass>>): ErrorClasses {
  const classes = new Map<string, ErrorClass>();
  const isList = (one: typeof given): one is readonly ErrorClass[] => Array.isArray(one);
  const entries = isList(given) ? given.map((one) => [one?.name, one] as const) : Object.entries(given);
  for (const [name, one] of entries) {
    if (!isErrorClass(one)) throw new TypeError(`errors: expected classes that extend Error, got ${name}`);
    if (name === "" || classes.has(name)) throw new TypeError(`errors: expected names, each once, got \`${name}\``);
    classes.set(name, one);
  }
  return classes;
}

function isErrorClass(value: unknown): value is ErrorClass {
  return typeof value === "function" && Reflect.get(value, "prototype") instanceof Error;
}

/**
 * At the worker: sees to it that an instance of a registered class is told by the name of that class. Why: an error whose class does
 * not set `name` says that it is an `Error`. Its causes and `errors` are seen to as well.
 */
export function nameErrors(thrown: unknown, classes: ErrorClasses): void {
  eachError(thrown, (error) => {
    const prototype: unknown = Object.getPrototypeOf(error);
    for (const [name, one] of classes)
      if (one.prototype === prototype && error.name !== name) define(error, "name", name);
  });
}

/** At the caller: gives the cause of an error, and the errors within it, the fields that they were thrown with. */
export function restoreFields(error: ExecutionError, codec: ValueCodec): void {
  const { remoteName: name, remoteMessage: message, remoteCode: code, remoteStack: stack } = error;
  if (error.remoteValues === undefined) return;
  const records = decoded(error.remoteValues, codec);
  if (!Array.isArray(records)) return;
  define(error, "cause", remoteCause({ name, message, code, stack, details: error.remoteDetails }, records));
}

/** Another codec than the worker's costs the fields and not the error. */
function decoded(bytes: Uint8Array, codec: ValueCodec): unknown {
  try {
    return codec.decode(bytes);
  } catch {
    return undefined;
  }
}

/** At the caller: makes each error of a registered name, in `error`, its causes and its `errors`, an instance of that class. */
export function restoreErrors(error: unknown, classes: ErrorClasses): void {
  eachError(error, (each) => {
    const prototype = classes.get(each.name)?.prototype;
    if (prototype === undefined) return;
    for (const key of Reflect.ownKeys(each)) {
      // What the class inherits, a method above all, is not for a peer to replace.
      if (!OWN.has(key) && key in prototype) Reflect.deleteProperty(each, key);
    }
    Object.setPrototypeOf(each, prototype);
  });
}

function define(object: object, key: string, value: unknown): void {
  Reflect.defineProperty(object, key, { value, configurable: true, writable: true, enumerable: false });
}

/** Calls `visit` with each error that is told: as deep as the core tells them, and each once, whatever circle they stand in. */
function eachError(thrown: unknown, visit: (error: Error) => void): void {
  const seen = new Set<unknown>();
  const walk = (one: unknown, depth: number): void => {
    if (!(one instanceof Error) || depth > MAX_DETAIL_DEPTH || seen.has(one)) return;
    seen.add(one);
    try {
      visit(one);
      walk(one.cause, depth + 1);
      const errors: unknown = Reflect.get(one, "errors");
      if (Array.isArray(errors)) for (const inner of errors) walk(inner, depth + 1);
    } catch {
      // A getter of the error has thrown: it stays as it is.
    }
  };
  walk(thrown, 0);
}
