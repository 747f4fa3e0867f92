/** The options of `dialWebSocket` and their checks. Apart from the dialer: a page checks them and leaves dialling to its Web Worker. */
import { checkOptions, isBoolean, isFunction, type Validators } from "../../core/options.ts";
import { dialAddress } from "./address.ts";

/** The part of a W3C WebSocket that is used. */
export interface WebSocketLike {
  /** Set to `arraybuffer`. */
  binaryType: string;
  /** Bytes taken by `send` that have not gone to the network. */
  readonly bufferedAmount: number;
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** The subprotocol the server chose, or empty. */
  readonly protocol: string;
  /** Sends one binary message. */
  send(data: Uint8Array<ArrayBuffer>): void;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Listens. */
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  /** Listens. */
  addEventListener(type: "close", listener: (event: { readonly code: number }) => void): void;
  /** Listens. */
  addEventListener(type: "open" | "error", listener: (event: { readonly type: string }) => void): void;
}

/** A class of such WebSockets. */
export type WebSocketConstructor = new (url: string | URL, protocols: string[]) => WebSocketLike;

/** A secret, or a function that returns one: it is called before each dial, so that a secret may be valid but once. */
export type Secret = string | (() => string | Promise<string>);

/** How to dial. */
export interface DialWebSocketOptions {
  /**
   * The credential shown to the runner. Travels as a subprotocol, since a browser cannot set headers. A function is asked before
   * each dial; one that fails, or returns something else than a non-empty string, fails that dial.
   */
  readonly token?: Secret | undefined;
  /** Returns a fresh one-time ticket, which travels as the query parameter `ticket`. Asked before each dial. */
  readonly ticket?: (() => string | Promise<string>) | undefined;
  /** The WebSocket class to use. Default: the global one. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /** Allows `ws:` to another machine, where jobs and token can be read on the way. Default: `false`. */
  readonly allowInsecure?: boolean | undefined;
}

const RULES: Validators<DialWebSocketOptions> = {
  token: (value) =>
    typeof value === "function" || (typeof value === "string" && value !== "")
      ? undefined
      : "a non-empty string, or a function that returns one",
  ticket: isFunction,
  WebSocket: isFunction,
  allowInsecure: isBoolean,
};

/** Checks everything a dial is made with, and returns its address. Throws what `dialWebSocket` throws. */
export function checkDial(url: string | URL, options: DialWebSocketOptions): URL {
  checkOptions("dialWebSocket", options, RULES);
  return dialAddress(url, options.allowInsecure ?? false);
}
