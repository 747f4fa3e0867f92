/** URLs that a page gives: whole, and relative to the page. */
import type { Validator } from "../core/options.ts";

/** A URL, or the text of one. */
export const isAddress: Validator = (value) =>
  value instanceof URL || (typeof value === "string" && value !== "") ? undefined : "a URL";

/** The whole URL: in a Web Worker it would be relative to the worker's script. Throws a TypeError when it is none. */
export function absoluteUrl(owner: string, given: string | URL, option: string): string {
  const { document, location } = globalThis as {
    document?: { readonly baseURI: string };
    location?: { readonly href: string };
  };
  const base = document?.baseURI ?? location?.href;
  if (!URL.canParse(String(given), base)) throw new TypeError(`${owner}: \`${option}\` is not a URL: ${String(given)}`);
  return new URL(given, base).href;
}
