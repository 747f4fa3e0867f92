/**
 * Dials with any WebSocket of the W3C shape: a browser's, Deno's, Bun's, or the class of `ws`. Holds nothing of Node. To listen,
 * or to dial from Node with headers and TLS options, see node/index.ts.
 */
import type { Dialer } from "../../core/transport/listener.ts";
import type { Peer } from "../../core/peer.ts";
import { dialledPrincipal } from "../../core/transport/principal.ts";
import type { CloseReason, Socket, SocketLimits } from "../../core/transport/socket.ts";
import { bearerSubprotocol, shown, SUBPROTOCOL, TICKET } from "./address.ts";
import { closeFrame, closeReason, NOT_BINARY } from "./close-codes.ts";
import { type WebSocketAdapter, WebSocketSocket } from "./adapter.ts";
import {
  checkDial,
  type DialWebSocketOptions,
  type Secret,
  type WebSocketConstructor,
  type WebSocketLike,
} from "./dial-options.ts";

export type { DialWebSocketOptions, Secret, WebSocketConstructor, WebSocketLike } from "./dial-options.ts";

/** How a WebSocket becomes a socket. */
export interface WebSocketSocketOptions extends SocketLimits {
  /** The other end. */
  readonly peer: Peer;
}

const OPEN = 1;

class PortableAdapter implements WebSocketAdapter {
  readonly isPaused = false;
  readonly hidesParts = true;
  readonly #ws: WebSocketLike;

  constructor(ws: WebSocketLike) {
    this.#ws = ws;
  }

  get isOpen(): boolean {
    return this.#ws.readyState === OPEN;
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    this.#ws.send(frame);
  }

  close({ code }: CloseReason): void {
    const { portable, text } = closeFrame(code);
    this.#ws.close(portable, text);
  }
}

/**
 * Makes a socket of an open WebSocket, which is the socket's from here on. Text closes it with `violation`; a message
 * over `maxFrameBytes` with `too-large`, though the class underneath may have read all of it first.
 */
export function webSocketSocket(ws: WebSocketLike, options: WebSocketSocketOptions): Socket {
  const socket = new WebSocketSocket(new PortableAdapter(ws), options.peer, options.maxFrameBytes);
  ws.binaryType = "arraybuffer";
  ws.addEventListener("message", ({ data }) => {
    if (data instanceof ArrayBuffer) socket.received(new Uint8Array(data));
    else socket.failed(NOT_BINARY);
  });
  // The API says no more than that it failed, and `close` may be long in coming when the other machine is gone.
  ws.addEventListener("error", () => socket.failed({ code: "error", message: "the connection failed" }));
  ws.addEventListener("close", ({ code }) => socket.ended(closeReason(code)));
  return socket;
}

function hostWebSocket(): WebSocketConstructor {
  const { WebSocket } = globalThis as { WebSocket?: WebSocketConstructor };
  if (WebSocket !== undefined) return WebSocket;
  throw new Error(
    "there is no global WebSocket here: import dialWebSocket from `powerhose/websocket/node`, or pass the option `WebSocket`",
  );
}

/** What one dial is made with. */
interface DialRequest {
  readonly href: string;
  readonly protocols: string[];
}

class WebSocketDialer implements Dialer {
  readonly #url: URL;
  readonly #token: Secret | undefined;
  readonly #ticket: DialWebSocketOptions["ticket"];
  readonly #WebSocket: WebSocketConstructor;

  constructor(url: URL, { token, ticket, WebSocket = hostWebSocket() }: DialWebSocketOptions) {
    this.#url = url;
    this.#token = token;
    this.#ticket = ticket;
    this.#WebSocket = WebSocket;
  }

  dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    if (typeof this.#token !== "function" && this.#ticket === undefined)
      return this.#open(this.#request(this.#token), signal, limits);
    return this.#resolveAndOpen(signal, limits);
  }

  /** Resolved anew each time: a secret may be good for one dial only. */
  async #resolveAndOpen(signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    const token = await this.#resolveSecret(this.#token, "token");
    const ticket = await this.#resolveSecret(this.#ticket, "ticket");
    return await this.#open(this.#request(token, ticket), signal, limits);
  }

  async #resolveSecret(secret: Secret | undefined, kind: string): Promise<string | undefined> {
    if (typeof secret !== "function") return secret;
    let given: unknown;
    try {
      given = await secret();
    } catch (error) {
      throw this.#failed(`there is no ${kind}`, error);
    }
    if (typeof given === "string" && given !== "") return given;
    throw this.#failed(`the ${kind} is not a non-empty string`);
  }

  #request(token: string | undefined, ticket?: string): DialRequest {
    const protocols = token === undefined ? [SUBPROTOCOL] : [SUBPROTOCOL, bearerSubprotocol(token)];
    if (ticket === undefined) return { href: this.#url.href, protocols };
    const url = new URL(this.#url);
    url.searchParams.set(TICKET, ticket);
    return { href: url.href, protocols };
  }

  #open(request: DialRequest, signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    return new Promise((resolve, reject: (reason: unknown) => void) => {
      if (signal.aborted) return reject(signal.reason);
      const ws = this.#connect(request);
      if (ws === undefined) return reject(this.#failed("the host does not allow it"));
      const onAbort = (): void => {
        reject(signal.reason);
        ws.close();
      };
      const unlisten = (): void => signal.removeEventListener("abort", onAbort);
      signal.addEventListener("abort", onAbort);
      ws.addEventListener("open", () => {
        unlisten();
        if (signal.aborted) return ws.close();
        if (ws.protocol === SUBPROTOCOL) return resolve(this.#socket(ws, limits));
        ws.close();
        reject(new Error(`${shown(this.#url)} does not speak ${SUBPROTOCOL}`));
      });
      // Both listeners stay: a later `error` needs a listener, and settling twice is harmless.
      const onRefused = (): void => {
        unlisten();
        reject(this.#failed("unreachable, or the server refused"));
      };
      ws.addEventListener("error", onRefused);
      ws.addEventListener("close", onRefused);
    });
  }

  /** Nothing when the host forbids it: `ws:` from an `https:` page. Its error is dropped, as it repeats the whole URL. */
  #connect({ href, protocols }: DialRequest): WebSocketLike | undefined {
    try {
      return new this.#WebSocket(href, protocols);
    } catch {
      return undefined;
    }
  }

  #failed(why: string, cause?: unknown): Error {
    return new Error(`could not connect to ${shown(this.#url)}: ${why}`, cause === undefined ? undefined : { cause });
  }

  #socket(ws: WebSocketLike, limits: SocketLimits): Socket {
    const peer: Peer = { transport: "websocket", address: shown(this.#url), principal: dialledPrincipal(this.#url) };
    return webSocketSocket(ws, { peer, maxFrameBytes: limits.maxFrameBytes });
  }
}

/**
 * A dialer for one address. A refused or failed `dial` rejects with an `Error` that cannot say more, as the API does not
 * tell a wrong token from a dead server; neither token nor query is ever part of a message.
 * @throws TypeError when the address is not a `ws:` or `wss:` URL, an option is unknown or of the wrong kind, or the token
 *   is empty.
 * @throws AuthError when the address is `ws:` on another machine without `allowInsecure`.
 * @throws Error when there is no WebSocket class to dial with.
 */
export function dialWebSocket(url: string | URL, options: DialWebSocketOptions = {}): Dialer {
  return new WebSocketDialer(checkDial(url, options), options);
}
