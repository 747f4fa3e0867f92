/**
 * The words of whatever was thrown or given: of an error, of one of another realm, or of something that is no error at all.
 * Whatever it is, asking for its words does not throw. How they are laid out is for whoever shows them.
 */

/** A property that is a text, or `undefined`. */
export function textIn(value: unknown, key: string): string | undefined {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  try {
    const found: unknown = Reflect.get(value, key);
    return typeof found === "string" ? found : undefined;
  } catch {
    return undefined; // a getter or a proxy that throws
  }
}

/** `TypeError: two is one too many`; of what is no error what there is to say of it. */
export function wordsOf(error: unknown): string {
  const message = textIn(error, "message");
  const name = textIn(error, "name") ?? "";
  if (message !== undefined) return [name, message].filter((part) => part !== "").join(": ");
  try {
    const words = String(error);
    const shown: unknown = words === "[object Object]" ? JSON.stringify(error) : words;
    return String(shown); // a `toJSON` may have nothing to say
  } catch {
    return `something of type ${typeof error}`; // no prototype, a `toString` that throws, a circle
  }
}

/** A wrong argument, named in the message that refuses it: `true`, `"x"`, `a promise`. */
export function nameOf(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return "an array";
  return "then" in value ? "a promise" : wordsOf(value).slice(0, 80);
}
