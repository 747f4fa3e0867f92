/**
 * Which objects have a form in CBOR: told by their prototype and by what only the real thing answers, so that objects of another
 * realm count and imitations do not. Everything else is an instance of a class.
 */

/** What an object is written as. */
export type ValueKind = "record" | "array" | "date" | "map" | "set" | "memory" | "view";

interface Builtin {
  readonly kind: ValueKind;
  /** Throws for what is none of them, whatever its prototype. */
  readonly prove: (value: object) => unknown;
}

const BUILTINS: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["Date", { kind: "date", prove: (value) => Date.prototype.getTime.call(value as Date) }],
  ["Map", { kind: "map", prove: (value) => Reflect.get(Map.prototype, "size", value) }],
  ["Set", { kind: "set", prove: (value) => Reflect.get(Set.prototype, "size", value) }],
  [
    "SharedArrayBuffer",
    { kind: "memory", prove: (value) => Reflect.get(SharedArrayBuffer.prototype, "byteLength", value) },
  ],
  ["ArrayBuffer", { kind: "memory", prove: (value) => Reflect.get(ArrayBuffer.prototype, "byteLength", value) }],
]);
/** The same by the prototypes of this realm. Why: to look at a prototype takes ten times as long, and dates are frequent. */
const OF_THIS_REALM: ReadonlyMap<object | null, Builtin> = new Map(
  [Date, Map, Set, ArrayBuffer].flatMap(({ name, prototype }) => {
    const builtin = BUILTINS.get(name);
    return builtin === undefined ? [] : [[prototype, builtin] as const];
  }),
);
const typedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object;

/** Returns what `value` is written as, or undefined for an instance of a class. May throw what a proxy throws. */
export function kindOf(value: object, prototype: object | null): ValueKind | undefined {
  const known = OF_THIS_REALM.get(prototype);
  if (known !== undefined) return isGenuine(value, known) ? known.kind : undefined;
  if (ArrayBuffer.isView(value)) return isPlainView(value, prototype) ? "view" : undefined;
  // An array of another realm: its prototype is an array, too. That of a class that extends Array is none.
  if (Array.isArray(value)) return Array.isArray(prototype) ? "array" : undefined;
  if (prototype === null || isRoot(prototype)) return "record";
  if (!isRoot(Object.getPrototypeOf(prototype))) return undefined;
  const builtin = BUILTINS.get(ownClassName(prototype));
  return builtin !== undefined && isGenuine(value, builtin) ? builtin.kind : undefined;
}

function isGenuine(value: object, builtin: Builtin): boolean {
  try {
    builtin.prove(value);
    return true;
  } catch {
    return false;
  }
}

/** Whether it is the `Object.prototype` of some realm. */
function isRoot(prototype: unknown): boolean {
  if (prototype === Object.prototype) return true;
  if (typeof prototype !== "object" || prototype === null || Object.getPrototypeOf(prototype) !== null) return false;
  return Object.hasOwn(prototype, "isPrototypeOf");
}

/** Node's `Buffer` is a class of bytes that carries nothing else; other classes would be lost. */
function isPlainView(view: ArrayBufferView, prototype: object | null): boolean {
  const name = typedArrayName(view);
  return name === "Uint8Array" || (name !== undefined && prototype !== null && ownClassName(prototype) === name);
}

/** Returns the name of the class of a typed array, whatever it says of itself; undefined for a DataView. */
export function typedArrayName(view: ArrayBufferView): string | undefined {
  return Reflect.get(typedArrayPrototype, Symbol.toStringTag, view) as string | undefined;
}

function ownClassName(prototype: object): string {
  const owner: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof owner === "function" ? owner.name : "";
}

/** Returns the words for what cannot be carried. May throw what a proxy throws. */
export function describeRefused(value: unknown): string {
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  const name = className(value);
  if (name === "Promise") return "a Promise, which is to be awaited first";
  return name === "" ? "an object of an unknown class" : `an instance of ${name}`;
}

function className(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (typeof prototype !== "object" || prototype === null) return "";
  return ownClassName(prototype) || className(prototype);
}
