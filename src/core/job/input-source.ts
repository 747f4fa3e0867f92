/** The stream that goes into a job, as its caller gives it. How it is sent is in dispatch/input-feed.ts. */
import type { Validator } from "../options.ts";
import type { Payload } from "../peer.ts";
import { isBytes } from "./utf8.ts";

/** Items for a job: an iterable, which is read once, or a function that gives one for each attempt. */
export type InputSource<Item = Payload> =
  Iterable<Item> | AsyncIterable<Item> | (() => Iterable<Item> | AsyncIterable<Item>);

/** For the option `input`. */
export const isInputSource: Validator = (value) =>
  typeof value === "function" || isIterable(value) ? undefined : "an iterable of items, or a function that gives one";

/**
 * The items, as they are pulled.
 * @throws TypeError for what is no iterable, and what the caller's function throws.
 */
export function itemsOf<Item>(source: InputSource<Item>): AsyncIterable<Item> {
  const items = typeof source === "function" ? source() : source;
  if (!isIterable(items)) throw new TypeError("the function `input` of a call must return an iterable");
  return Symbol.asyncIterator in items ? items : pulled(items as Iterable<Item>);
}

/** Text and bytes are iterable, and are one item, not many. */
function isIterable(value: unknown): value is object {
  return (
    typeof value === "object" &&
    value !== null &&
    !isBytes(value) &&
    (Symbol.asyncIterator in value || Symbol.iterator in value)
  );
}

async function* pulled<Item>(items: Iterable<Item>): AsyncGenerator<Item, void, undefined> {
  yield* items;
}
