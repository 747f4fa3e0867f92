/**
 * Which WebSocket addresses may be dialled, how they are shown to people, and how a token rides along where headers
 * cannot be set. Browser-safe.
 */
import { AuthError } from "../../core/errors.ts";

/** The subprotocol both ends must speak. */
export const SUBPROTOCOL = "powerhose.v1";
/** What a subprotocol that carries a token begins with. */
export const BEARER_PREFIX = "bearer.";

/** The query parameter that carries a one-time ticket. */
export const TICKET = "ticket";

/** The path of something that is served beside a listener's own path. */
export function beside(path: string, name: string): string {
  return path.endsWith("/") ? path + name : `${path}/${name}`;
}

/** The path in the target of a request. */
export function requestPath({ url = "" }: { readonly url?: string | undefined }): string {
  return url.split("?", 1)[0] ?? "";
}

/** Whether a host name or address is this machine's loopback. A name is judged by its text: nothing is looked up. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  if (name === "localhost" || name.endsWith(".localhost") || name === "::1") return true;
  const v4 = name.startsWith("::ffff:") ? name.slice(7) : name;
  return /^127(\.\d{1,3}){3}$/.test(v4);
}

/** An address without user, query and fragment, which may hold secrets. */
export function shown(url: URL): string {
  return isPipe(url) ? `${url.protocol}${url.pathname}` : `${url.protocol}//${url.host}${url.pathname}`;
}

/** Whether an address names a socket of this machine's file system: `ws+unix:/run/jobs.sock:/path`. */
export function isPipe({ protocol }: Pick<URL, "protocol">): boolean {
  return protocol === "ws+unix:" || protocol === "wss+unix:";
}

/**
 * Reads an address to dial. `mayBePipe`: whether it may be one of a socket in the file system.
 * @throws TypeError when it is not a URL of a scheme that can be dialled, or carries a user name.
 * @throws AuthError when it is `ws:` to another machine and that was not allowed.
 */
export function dialAddress(address: string | URL, allowInsecure: boolean, mayBePipe = false): URL {
  // Parsed quietly: the host's own error would repeat the text, token and all.
  if (!URL.canParse(String(address)))
    throw new TypeError("expected a ws: or wss: URL, got something that is not a URL");
  const url = new URL(String(address));
  if (isPipe(url) && !mayBePipe)
    throw new TypeError(`${url.protocol} is dialled from Node only, by dialWebSocket of \`powerhose/websocket/node\``);
  if (url.protocol !== "ws:" && url.protocol !== "wss:" && !isPipe(url)) {
    throw new TypeError(`expected a ws: or wss: URL, got one of scheme ${url.protocol}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new TypeError(`${shown(url)}: no user name or password in the URL, please; pass a \`token\``);
  }
  if (url.protocol === "ws:" && !allowInsecure && !isLoopback(url.hostname)) {
    throw new AuthError(
      `${shown(url)}: refusing to send jobs and tokens in the clear to another machine; use wss:, or pass ` +
        "`allowInsecure: true` if something else protects the connection",
    );
  }
  url.hash = "";
  return url;
}

/** A token as a subprotocol: `bearer.` and the base64url form of its UTF-8 bytes. */
export function bearerSubprotocol(token: string): string {
  const bytes = new TextEncoder().encode(token);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return BEARER_PREFIX + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
