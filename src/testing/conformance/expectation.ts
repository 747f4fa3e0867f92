/** The few assertions the cases need. Each throws an `Error` that says what was looked at, what was expected and what was seen. */

/** How much of a value is shown, in characters. */
const MAX_SHOWN_LENGTH = 120;
/** How many items of a list are shown. */
const MAX_SHOWN_ITEMS = 8;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function showItems(items: readonly unknown[]): string {
  const shown = items.slice(0, MAX_SHOWN_ITEMS).map(show).join(", ");
  return items.length > MAX_SHOWN_ITEMS ? `[${shown}, … ${items.length} in all]` : `[${shown}]`;
}

function showWhole(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (Array.isArray(value)) return showItems(value);
  if (typeof value === "function" || !isRecord(value)) return String(value);
  return `{ ${Object.entries(value)
    .map(([key, field]) => `${key}: ${show(field)}`)
    .join(", ")} }`;
}

/** A value in few words. */
export function show(value: unknown): string {
  const whole = showWhole(value);
  return whole.length > MAX_SHOWN_LENGTH ? `${whole.slice(0, MAX_SHOWN_LENGTH)}…` : whole;
}

function byteDifference(actual: Uint8Array, expected: Uint8Array): string | undefined {
  if (actual.byteLength !== expected.byteLength) {
    return `expected ${expected.byteLength} bytes, got ${actual.byteLength}`;
  }
  for (let i = 0; i < expected.byteLength; i++) {
    if (actual[i] !== expected[i]) return `byte ${i}: expected ${String(expected[i])}, got ${String(actual[i])}`;
  }
  return undefined;
}

function listDifference(actual: readonly unknown[], expected: readonly unknown[]): string | undefined {
  for (const [i, item] of expected.entries()) {
    if (i >= actual.length) break;
    const found = difference(actual[i], item);
    if (found !== undefined) return `[${i}]: ${found}`;
  }
  if (actual.length === expected.length) return undefined;
  return `expected ${expected.length} items, got ${actual.length}: ${show(actual)}`;
}

function fieldDifference(actual: unknown, expected: Readonly<Record<string, unknown>>): string | undefined {
  for (const [key, field] of Object.entries(expected)) {
    if (!isRecord(actual)) return `expected ${show(expected)}, got ${show(actual)}`;
    const found = difference(actual[key], field);
    if (found !== undefined) return `${key}: ${found}${actual instanceof Error ? `, of ${show(actual)}` : ""}`;
  }
  return undefined;
}

/** The first difference of two values; `undefined` when there is none. Compares bytes, lists and records by what they hold. */
function difference(actual: unknown, expected: unknown): string | undefined {
  if (Object.is(actual, expected)) return undefined;
  if (actual instanceof Uint8Array && expected instanceof Uint8Array) return byteDifference(actual, expected);
  if (Array.isArray(actual) && Array.isArray(expected)) return listDifference(actual, expected);
  const records = isRecord(actual) && isRecord(expected) && !Array.isArray(actual) && !(actual instanceof Error);
  if (records && !Array.isArray(expected) && Object.getPrototypeOf(expected) === Object.prototype) {
    const more = Object.keys(actual).find((key) => !(key in expected));
    return fieldDifference(actual, expected) ?? (more === undefined ? undefined : `${more} was not expected`);
  }
  return `expected ${show(expected)}, got ${show(actual)}`;
}

function expectNone(found: string | undefined, what: string): void {
  if (found !== undefined) throw new Error(`${what}: ${found}`);
}

/** Throws unless it holds. */
export function expectTrue(holds: boolean, what: string): void {
  if (!holds) throw new Error(`expected, and not so: ${what}`);
}

/** Throws unless both are the same: by identity, or for bytes, lists and plain records by what they hold. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  expectNone(difference(actual, expected), what);
}

/** Throws unless it has these fields, each equal as of {@link expectEqual}; others are ignored. */
export function expectFields(actual: unknown, expected: Readonly<Record<string, unknown>>, what: string): void {
  expectNone(fieldDifference(actual, expected), what);
}

/** Throws unless it is a number of at most `limit`. */
export function expectAtMost(actual: number, limit: number, what: string): void {
  if (!(actual <= limit)) throw new Error(`${what}: expected at most ${limit}, got ${actual}`);
}

/** Throws unless the text holds the words. */
export function expectWords(text: string | undefined, words: string, what: string): void {
  if (text?.includes(words) !== true) throw new Error(`${what}: expected the words ${show(words)} in ${show(text)}`);
}

/** Calls what must throw and returns what it threw; throws when it does not. */
export function thrownBy(act: () => void, what: string): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error(`${what}: expected it to throw, and it did not`);
}

/** What a promise rejects with; throws when it resolves. */
export async function rejectionOf(promise: Promise<unknown>, what: string): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`${what}: expected it to reject, and it resolved to ${show(value)}`);
}
