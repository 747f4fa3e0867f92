/** The options of a WebSocket listener, with their defaults and checks. */
import type { IncomingMessage, Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";
import {
  type WithDefaults,
  isFunction,
  checkOptions,
  defineOptions,
  finiteDuration,
  integer,
  integerOrInfinity,
  type Validator,
  hasMethods,
  isNonEmptyString,
  withDefaults,
} from "../../../core/options.ts";
import {
  type DashboardOptions,
  dashboardOption,
  dashboardSettings,
  type DashboardSettings,
  tokenList,
} from "../../../dashboard/options.ts";

/** Names the principal of a request. */
export type Authenticate = (request: IncomingMessage) => string | undefined | PromiseLike<string | undefined>;

/** Options of {@link listenWebSocket}. All durations are milliseconds, all sizes bytes. */
export interface WebSocketListenerOptions {
  /** The address to bind. Anything but loopback needs `token` or `authenticate`. Default: `127.0.0.1`. */
  readonly host?: string | undefined;
  /** The port to bind, 0 to 65,535; 0 takes a free one, to be read from `address`. Default: 0. */
  readonly port?: number | undefined;
  /** The exact path workers dial, as it stands in an address: `/jobs`, `/j%C3%B6bs`. Default: `/`. */
  readonly path?: string | undefined;
  /** The token a worker must show, or several while one replaces another. A worker that shows one is the principal `token`; without `token` and `authenticate`, one that connects over loopback is `loopback`. */
  readonly token?: string | readonly string[] | undefined;
  /**
   * Names the principal behind a request; `undefined`, an empty string or a throw refuse it with 401. So does a name
   * that transports give their own peers, such as `local`, which is also reported. Asked when no `token` matches, and
   * given up after `requestTimeout`.
   */
  readonly authenticate?: Authenticate | undefined;
  /** The values of `Origin` to let in, exactly: `https://app.example`. A request without `Origin` is no browser's and passes; so does the page that is served here. Default: none. */
  readonly origins?: readonly string[] | undefined;
  /**
   * A server to share instead of making one; hand in an `https.Server` for TLS. It is neither started nor closed here. For
   * the page and the status, call {@link WebSocketListener.handleRequest} in its request handler.
   */
  readonly server?: HttpServer | HttpsServer | undefined;
  /** How long a ticket is good for, over 0 and at most 30,000; see {@link WebSocketListener.issueTicket}. Default: 30,000. */
  readonly ticketLifetime?: number | undefined;
  /**
   * Serves a live page to browsers at `path`: workers, queue, throughput, latency, failures. It is shown to
   * what could also connect as a worker. Default: false.
   */
  readonly dashboard?: boolean | DashboardOptions | undefined;
  /**
   * Makes a report that `GET status`, beside `path`, answers as JSON: to whatever could also connect as a worker, and to no
   * web page. At most four answers are under way at a time. Default: none, and nothing is answered there.
   */
  readonly status?: (() => unknown) | undefined;
  /**
   * Connections held at a time, handshakes, requests for the page and for the status included; more are refused with 503.
   * Default: 10,000.
   */
  readonly maxConnections?: number | undefined;
  /** The same for one remote address, or `Infinity`. All of an IPv6 network of /64 is one address. Default: `Infinity`. */
  readonly maxConnectionsPerAddress?: number | undefined;
  /** Handshakes under way at a time, that is, waiting for `authenticate`; more are refused with 503. Default: 256. */
  readonly maxPending?: number | undefined;
  /** The same for one remote address, or `Infinity`. Default: 64. */
  readonly maxPendingPerAddress?: number | undefined;
  /** Handshakes a second; as many at once. More are refused with 503. Default: 5,000. */
  readonly acceptRate?: number | undefined;
  /**
   * Requests of one remote address a second that may be refused for what they show, or `Infinity`; ten times as many at
   * once. Beyond that the address gets 503 for a while, unless it shows a token or a ticket: it uses up none of
   * `acceptRate`, and `authenticate` is not asked. Default: 100.
   */
  readonly refusalRatePerAddress?: number | undefined;
  /**
   * Names the address a request comes from, for the limits of one address and for people to read: needed behind a proxy,
   * where all connections come from the proxy. Read the header that the proxy sets, and no header that it passes on.
   * `undefined`, an empty string or a throw mean the connection's remote address. Default: that address.
   */
  readonly addressOf?: ((request: IncomingMessage) => string | undefined) | undefined;
  /** How long a client may take to send its headers. Only for a server made here. Default: 5,000. */
  readonly headersTimeout?: number | undefined;
  /** How long a request may take to arrive, and `authenticate` to answer. Default: 5,000. */
  readonly requestTimeout?: number | undefined;
  /** How often the two are enforced. Only for a server made here. Default: 1,000. */
  readonly connectionsCheckingInterval?: number | undefined;
  /** The largest request head. Only for a server made here. Default: 16,384. */
  readonly maxHeaderSize?: number | undefined;
}

/** The options that have a default. */
export type WebSocketListenerDefaults = WithDefaults<
  Omit<WebSocketListenerOptions, "token" | "authenticate" | "server" | "dashboard" | "status" | "addressOf">
>;

/** The options with their defaults filled in. */
export interface WebSocketListenerSettings extends WebSocketListenerDefaults {
  /** The tokens; empty when none was given. */
  readonly tokens: readonly string[];
  /** The hook, if there is one. */
  readonly authenticate: Authenticate | undefined;
  /** The server to share, if there is one. */
  readonly server: HttpServer | HttpsServer | undefined;
  /** The page, if there is one. */
  readonly dashboard: DashboardSettings | undefined;
  /** Makes the report for the status, if there is one. */
  readonly status: (() => unknown) | undefined;
  /** Names the address of a request, if not the connection. */
  readonly addressOf: ((request: IncomingMessage) => string | undefined) | undefined;
}

const isOrigin = (value: unknown): boolean =>
  isNonEmptyString(value) === undefined && value !== "null" && value !== "*";
const MAX_TICKET_LIFETIME_MS = 30_000;
const ticketLifetime: Validator = (value) =>
  finiteDuration(value) === undefined && Number(value) <= MAX_TICKET_LIFETIME_MS
    ? undefined
    : `a number of ms over 0 and at most ${MAX_TICKET_LIFETIME_MS}`;
const count: Validator = integer(1, 1_000_000);

/** Requests hold what browsers and dialers make of a path; one that they would write otherwise would never be asked for. */
const addressPath: Validator = (value) => {
  const fits =
    typeof value === "string" && URL.canParse(value, "ws://host") && new URL(value, "ws://host").pathname === value;
  return fits ? undefined : "a path as it stands in an address: it begins with /, has no query, and is percent-encoded";
};

const origins: Validator = (value) =>
  Array.isArray(value) && value.every(isOrigin) ? undefined : "an array of origins, neither `null` nor `*`";

const OPTIONS = defineOptions<WebSocketListenerOptions, keyof WebSocketListenerDefaults>({
  host: [isNonEmptyString, "127.0.0.1"],
  port: [integer(0, 65_535), 0],
  path: [addressPath, "/"],
  token: [tokenList],
  authenticate: [isFunction],
  origins: [origins, Object.freeze([])],
  ticketLifetime: [ticketLifetime, MAX_TICKET_LIFETIME_MS],
  dashboard: [dashboardOption],
  server: [hasMethods("an http or https server", "on", "listen")],
  maxConnections: [count, 10_000],
  maxConnectionsPerAddress: [integerOrInfinity(1), Number.POSITIVE_INFINITY],
  maxPending: [count, 256],
  maxPendingPerAddress: [integerOrInfinity(1), 64],
  acceptRate: [integerOrInfinity(1), 5_000],
  refusalRatePerAddress: [integerOrInfinity(1), 100],
  addressOf: [isFunction],
  status: [isFunction],
  headersTimeout: [finiteDuration, 5_000],
  requestTimeout: [finiteDuration, 5_000],
  connectionsCheckingInterval: [finiteDuration, 1_000],
  maxHeaderSize: [integer(1_024, 1_048_576), 16_384],
});

/** What holds when nothing is said. */
export const WEBSOCKET_LISTENER_DEFAULTS: WebSocketListenerDefaults = OPTIONS.defaults;

/**
 * Checks the options and fills in the defaults.
 * @throws TypeError when an option is unknown or a value of the wrong kind.
 * @throws RangeError when a number is out of range.
 */
export function listenerSettings(options: WebSocketListenerOptions): WebSocketListenerSettings {
  checkOptions("listenWebSocket", options, OPTIONS.rules);
  if (options.server !== undefined && (options.host !== undefined || options.port !== undefined)) {
    throw new TypeError("listenWebSocket: a shared `server` has its own address; leave out `host` and `port`");
  }
  const { token, authenticate, server, dashboard, status, addressOf, ...rest } = options;
  const tokens = token === undefined ? [] : typeof token === "string" ? [token] : [...token];
  const settings = withDefaults(WEBSOCKET_LISTENER_DEFAULTS, rest);
  return { ...settings, tokens, authenticate, server, dashboard: dashboardSettings(dashboard), status, addressOf };
}
