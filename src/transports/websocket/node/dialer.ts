/** Dials from Node with `ws`: the token as a header, TLS options, and an answer to why a connection was refused. */
import type { Agent } from "node:http";
import type { Duplex } from "node:stream";
import { connect as tlsConnect, type ConnectionOptions, type SecureContextOptions } from "node:tls";
import { type ClientOptions, WebSocket } from "ws";
import { AuthError } from "../../../core/errors.ts";
import type { Dialer } from "../../../core/transport/listener.ts";
import {
  checkOptions,
  finiteDuration,
  isBoolean,
  isNonEmptyString,
  type Validator,
  type Validators,
  hasMethods,
  isString,
} from "../../../core/options.ts";
import type { Peer } from "../../../core/peer.ts";
import { dialledPrincipal } from "../../../core/transport/principal.ts";
import type { Socket, SocketLimits } from "../../../core/transport/socket.ts";
import { bearerSubprotocol, dialAddress, isLoopback, isPipe, shown, SUBPROTOCOL } from "../address.ts";
import { nodeSocket, type WireSettings, wireSettings } from "./socket.ts";

/** How to dial from Node. Certificates are always verified; for one of your own making, pass its `ca`. */
export interface NodeDialOptions extends Pick<SecureContextOptions, "ca" | "cert" | "key" | "passphrase"> {
  /** The credential shown to the runner. Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined;
  /** Allows `ws:` to another machine, where jobs and token can be read on the way. Default: `false`. */
  readonly allowInsecure?: boolean | undefined;
  /** The name to ask for and to verify, when it is not the one in the address. */
  readonly servername?: string | undefined;
  /** More request headers, for a proxy on the way. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** An agent that makes the connection, for a proxy on the way. */
  readonly agent?: Agent | undefined;
  /** How long connecting and the handshake may take, in ms. Default: 10,000. */
  readonly handshakeTimeout?: number | undefined;
  /** With what a frame is masked on its way to the runner. Default: `auto`. */
  readonly mask?: MaskChoice | undefined;
}

/**
 * With what frames are masked, which RFC 6455 asks of a dialer.
 *
 * - `random`: with a new random key for each frame, so that no sender can choose the bytes that a proxy or cache on the way
 *   sees, and have it take them for a request or an answer (RFC 6455, section 10.3). Costs a pass over every byte.
 * - `zero`: with the key 0, which leaves the bytes as they are and costs nothing. Any server reads it. Only for
 *   connections that nothing on the way can read, or whose every hop is known to speak WebSocket.
 * - `auto`: `zero` where nothing on the way reads along: over `wss:`, and to a loopback address without an `agent`; else
 *   `random`.
 */
export type MaskChoice = "auto" | "random" | "zero";

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** TCP keep-alive is the backstop for a peer that vanishes without a word, in ms. */
export const KEEP_ALIVE_DELAY_MS = 30_000;

/** What goes to `ws`, which hands what it does not know to the connection. */
type ConnectOptions = ClientOptions &
  WireSettings & {
    readonly servername?: string | undefined;
    readonly keepAlive: true;
    readonly keepAliveInitialDelay: number;
    readonly noDelay: true;
  };

function connectOptions(url: URL, options: NodeDialOptions, maxFrameBytes: number): ConnectOptions {
  const { token, allowInsecure: _allowInsecure, mask = "auto", headers, ...passed } = options;
  const { handshakeTimeout = HANDSHAKE_TIMEOUT_MS } = options;
  return {
    ...passed,
    ...(mask === "zero" || (mask === "auto" && isPrivate(url, options)) ? { generateMask: zeroMask } : {}),
    headers: { ...headers, ...(fitsHeader(token) ? { Authorization: `Bearer ${token}` } : {}) },
    handshakeTimeout,
    followRedirects: false,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    noDelay: true,
    ...wireSettings(maxFrameBytes),
  };
}

/** The address for `ws`, which knows `ws+unix:`; TLS over such a socket is connected here, and verified as `localhost`. */
function wireAddress(url: URL, options: ConnectOptions): { readonly url: URL; readonly options: ConnectOptions } {
  if (url.protocol !== "wss+unix:") return { url, options };
  const [path = "", ...rest] = url.pathname.split(":");
  const { servername = "localhost" } = options;
  // As a function of another shape in the types of Node: it is called with the options of the request.
  const createConnection = (given: object): Duplex => {
    const { port: _port, host: _host, ...kept } = given as ConnectionOptions;
    return tlsConnect({ ...kept, path, servername });
  };
  const plain = new URL(`wss://localhost${rest.join(":") || "/"}${url.search}`);
  return {
    url: plain,
    options: { ...options, createConnection: createConnection as ConnectOptions["createConnection"] },
  };
}

/** Whether nothing between the two ends can read what is sent. An agent may lead to a proxy, which sees all but TLS. */
function isPrivate(url: URL, { agent }: NodeDialOptions): boolean {
  return url.protocol.startsWith("wss") || (agent === undefined && (isPipe(url) || isLoopback(url.hostname)));
}

/** `ws` skips the masking when the key is 0: no pass over the bytes, and no copy. */
function zeroMask(key: Uint8Array): void {
  key.fill(0);
}

/** A header takes visible ASCII; any other token goes the browser's way. */
function fitsHeader(token: string | undefined): token is string {
  return token !== undefined && /^[\x21-\x7e]+$/.test(token);
}

const MASKS: readonly unknown[] = ["auto", "random", "zero"] satisfies MaskChoice[];

const anything: Validator = () => undefined;

const RULES: Validators<NodeDialOptions> = {
  token: isNonEmptyString,
  allowInsecure: isBoolean,
  servername: isString,
  headers: hasMethods("a record of headers"),
  agent: hasMethods("an http.Agent", "addRequest"),
  handshakeTimeout: finiteDuration,
  mask: (value) => (MASKS.includes(value) ? undefined : "one of `auto`, `random` and `zero`"),
  // Node's own, checked where they are used.
  ca: anything,
  cert: anything,
  key: anything,
  passphrase: anything,
};

class NodeWebSocketDialer implements Dialer {
  readonly #url: URL;
  readonly #options: NodeDialOptions;
  readonly #protocols: readonly string[];

  constructor(url: URL, options: NodeDialOptions) {
    this.#url = url;
    this.#options = options;
    const { token } = options;
    this.#protocols =
      token === undefined || fitsHeader(token) ? [SUBPROTOCOL] : [SUBPROTOCOL, bearerSubprotocol(token)];
  }

  dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    return new Promise((resolve, reject: (reason: unknown) => void) => {
      if (signal.aborted) return reject(signal.reason);
      const { url, options } = wireAddress(this.#url, connectOptions(this.#url, this.#options, limits.maxFrameBytes));
      const ws = new WebSocket(url, [...this.#protocols], options);
      let isWaiting = true;
      const done = (): void => {
        isWaiting = false;
        signal.removeEventListener("abort", onAbort);
      };
      const fail = (error: unknown): void => {
        if (!isWaiting) return;
        done();
        reject(error);
        ws.terminate();
      };
      const onAbort = (): void => fail(signal.reason);
      signal.addEventListener("abort", onAbort);
      let tcp: Duplex | undefined;
      ws.on("upgrade", (response) => (tcp = response.socket));
      ws.on("open", () => {
        if (!isWaiting || tcp === undefined) return;
        if (ws.protocol !== SUBPROTOCOL) return fail(new Error(`${shown(this.#url)} does not speak ${SUBPROTOCOL}`));
        done();
        const peer: Peer = {
          transport: "websocket",
          address: shown(this.#url),
          principal: dialledPrincipal(this.#url),
        };
        resolve(nodeSocket(ws, tcp, peer, limits));
      });
      ws.on("unexpected-response", (_request, response) => fail(this.#refused(response.statusCode ?? 0)));
      // Stays for good: `terminate` while connecting is an error event of its own, which needs a listener.
      ws.on("error", (error) => fail(this.#unreachable(error)));
    });
  }

  #refused(status: number): Error {
    const message = `${shown(this.#url)} refused the connection (HTTP ${status})`;
    return status === 401 || status === 403
      ? new AuthError(message)
      : Object.assign(new Error(message), { refused: true });
  }

  #unreachable(cause: Error & { code?: unknown }): Error {
    const why = typeof cause.code === "string" ? cause.code : cause.message;
    return new Error(`could not connect to ${shown(this.#url)}: ${why}`, { cause });
  }
}

/**
 * A dialer for one address. A failed `dial` rejects with an AuthError for 401 and 403, else with an `Error` whose `cause`
 * is the host's; neither token nor query is ever part of a message.
 * @throws TypeError when the address is not a `ws:`, `wss:`, `ws+unix:` or `wss+unix:` URL, an option is unknown or the token
 *   is empty.
 * @throws RangeError when `handshakeTimeout` is out of range.
 * @throws AuthError when the address is `ws:` on another machine without `allowInsecure`.
 */
export function dialWebSocket(url: string | URL, options: NodeDialOptions = {}): Dialer {
  checkOptions("dialWebSocket", options, RULES);
  return new NodeWebSocketDialer(dialAddress(url, options.allowInsecure ?? false, true), options);
}
