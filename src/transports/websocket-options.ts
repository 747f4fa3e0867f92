/** What a WebSocket listener can be told, with its defaults, and the check of it. What each option does is done elsewhere. */
import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";

/** Decides who a request is. */
export type Authenticate = (request: IncomingMessage) => string | undefined | Promise<string | undefined>;

/** Options of {@link listenWebSocket}. All durations are milliseconds, all sizes bytes. */
export interface WebSocketListenerOptions {
  /** The address to bind. Anything but loopback needs `token` or `authenticate`. Default: `127.0.0.1`. */
  readonly host?: string;
  /** The port to bind, 0 to 65,535; 0 takes a free one, to be read from `address`. Default: 0. */
  readonly port?: number;
  /** The exact path workers dial. Default: `/`. */
  readonly path?: string;
  /** The token a worker must show, or several while one replaces another. Whoever shows one is the principal `token`. */
  readonly token?: string | readonly string[];
  /**
   * Names the principal behind a request; `undefined`, an empty string or a throw refuse it with 401. Asked when no
   * `token` matches, and given up after `requestTimeout`.
   */
  readonly authenticate?: Authenticate;
  /** The values of `Origin` to let in, exactly: `https://app.example`. A request without `Origin` is no browser's and passes. Default: none. */
  readonly origins?: readonly string[];
  /** A server to share instead of making one; hand in an `https.Server` for TLS. It is neither started nor closed here. */
  readonly server?: HttpServer | HttpsServer;
  /** Connections held at a time, handshakes included; more are refused with 503. Default: 10,000. */
  readonly maxConnections?: number;
  /** The same for one remote address, or `Infinity`. Default: `Infinity`. */
  readonly maxConnectionsPerAddress?: number;
  /** Handshakes under way at a time, that is, waiting for `authenticate`; more are refused with 503. Default: 256. */
  readonly maxPending?: number;
  /** Handshakes a second; as many at once. More are refused with 503. Default: 5,000. */
  readonly acceptRate?: number;
  /** How long a client may take to send its headers. Only for a server made here. Default: 5,000. */
  readonly headersTimeout?: number;
  /** How long a request may take to arrive, and `authenticate` to answer. Default: 5,000. */
  readonly requestTimeout?: number;
  /** How often the two are enforced. Only for a server made here. Default: 1,000. */
  readonly connectionsCheckingInterval?: number;
  /** The largest request head. Only for a server made here. Default: 16,384. */
  readonly maxHeaderSize?: number;
}

/** The options with their defaults filled in. */
export type WebSocketListenerSettings = Omit<
  Required<WebSocketListenerOptions>,
  "token" | "authenticate" | "server"
> & {
  /** The tokens; empty when none was given. */
  readonly tokens: readonly string[];
  /** The hook, if there is one. */
  readonly authenticate: Authenticate | undefined;
  /** The server to share, if there is one. */
  readonly server: HttpServer | HttpsServer | undefined;
};

/** The options that have a default. */
export type WebSocketListenerDefaults = Readonly<Omit<WebSocketListenerSettings, "tokens" | "authenticate" | "server">>;

/** What holds when nothing is said. */
export const WEBSOCKET_LISTENER_DEFAULTS: WebSocketListenerDefaults = Object.freeze({
  host: "127.0.0.1",
  port: 0,
  path: "/",
  origins: Object.freeze([]),
  maxConnections: 10_000,
  maxConnectionsPerAddress: Number.POSITIVE_INFINITY,
  maxPending: 256,
  acceptRate: 5_000,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
});

type Check = (value: unknown) => string | undefined;

const MAX_TIMER = 0x7fff_ffff;

function numberFrom(min: number, max: number, whole: boolean, orInfinity = false): Check {
  const expected = `${whole ? "an integer" : "a number"} from ${min} to ${max}${orInfinity ? ", or Infinity" : ""}`;
  return (value) => {
    if (orInfinity && value === Number.POSITIVE_INFINITY) return undefined;
    const fits = typeof value === "number" && value >= min && value <= max && (!whole || Number.isInteger(value));
    return fits ? undefined : expected;
  };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

const text: Check = (value) => (isText(value) ? undefined : "a non-empty string");
const duration: Check = numberFrom(1, MAX_TIMER, true);

const CHECKS: { readonly [K in keyof Required<WebSocketListenerOptions>]: Check } = {
  host: text,
  port: numberFrom(0, 65_535, true),
  path: (value) =>
    isText(value) && /^\/[^?#\s]*$/.test(value) ? undefined : "a path that begins with / and has no query",
  // An empty list would read as "no token needed".
  token: (value) =>
    isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText))
      ? undefined
      : "a non-empty string, or a non-empty array of such",
  authenticate: (value) => (typeof value === "function" ? undefined : "a function"),
  origins: (value) =>
    Array.isArray(value) && value.every((origin) => isText(origin) && origin !== "null" && origin !== "*")
      ? undefined
      : "an array of origins, neither `null` nor `*`",
  server: (value) =>
    typeof value === "object" && value !== null && "on" in value ? undefined : "an http or https server",
  maxConnections: numberFrom(1, 1_000_000, true),
  maxConnectionsPerAddress: numberFrom(1, 1_000_000, true, true),
  maxPending: numberFrom(1, 1_000_000, true),
  acceptRate: numberFrom(1, 1_000_000, false, true),
  headersTimeout: duration,
  requestTimeout: duration,
  connectionsCheckingInterval: duration,
  maxHeaderSize: numberFrom(1_024, 1_048_576, true),
};

function shownValue(key: string, value: unknown): string {
  if (key === "token") return "something else";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/**
 * Checks the options and fills in the defaults.
 * @throws TypeError when an option is unknown or a value of the wrong kind.
 * @throws RangeError when a number is out of range.
 */
export function listenerSettings(options: WebSocketListenerOptions): WebSocketListenerSettings {
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(options) as [string, unknown][]) {
    if (!Object.hasOwn(CHECKS, key)) throw new TypeError(`listenWebSocket: unknown option \`${key}\``);
    if (value === undefined) continue;
    const expected = CHECKS[key as keyof WebSocketListenerOptions](value);
    if (expected !== undefined) {
      const message = `listenWebSocket: expected \`${key}\` to be ${expected}, got \`${shownValue(key, value)}\``;
      throw typeof value === "number" ? new RangeError(message) : new TypeError(message);
    }
    given[key] = value;
  }
  if (options.server !== undefined && (options.host !== undefined || options.port !== undefined)) {
    throw new TypeError("listenWebSocket: a shared `server` has its own address; leave out `host` and `port`");
  }
  const { token, authenticate, server } = options;
  const tokens = token === undefined ? [] : typeof token === "string" ? [token] : [...token];
  return { ...WEBSOCKET_LISTENER_DEFAULTS, ...given, tokens, authenticate, server };
}
