/** Exponential backoff: each delay's upper bound is twice the one before, up to a maximum. */
import { type Random, jitter } from "./clock.ts";

/** Beyond it, doubling would overflow; the maximum is reached long before. */
const MAX_DOUBLINGS = 30;

/** Returns `first * 2 ** doublings`, at most `max`. In ms, as both bounds; a negative `doublings` counts as 0. */
export function backoffBound(first: number, max: number, doublings: number): number {
  return Math.min(max, first * 2 ** Math.min(Math.max(0, doublings), MAX_DOUBLINGS));
}

/** Returns a delay of full jitter: uniform from 0 to the bound. One draw of `random`. */
export function backoffDelay(random: Random, first: number, max: number, doublings: number): number {
  return jitter(random, backoffBound(first, max, doublings));
}
