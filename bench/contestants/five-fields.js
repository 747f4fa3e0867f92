/** Another contestant that is given an object of five fields, or its bytes, whatever it is asked to carry. */
import { deepEqual } from "node:assert/strict";
import { cbor } from "powerhose/tasks";

const FIVE = { id: 123_456, name: "Ada Lovelace", active: true, score: 0.75, tags: ["a", "b"] };

/** @param {{ module: string, options?: object, as?: "object" | "bytes" }} given - The module is relative to bench. */
export async function open({ module, options = {}, as = "object" }) {
  const { open: openOther } = await import(new URL(`../${module}`, import.meta.url).href);
  const { echo, close } = await openOther(options);
  const carried = as === "object" ? FIVE : cbor().encode(FIVE);
  deepEqual(await echo(carried), carried);
  // The same for all of them: a measure wants back what it gave.
  return { echo: (/** @type {unknown} */ payload) => echo(carried).then(() => payload), close };
}
