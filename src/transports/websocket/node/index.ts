/**
 * WebSockets on Node with `ws`: listens, and dials with headers and TLS options. Begins and ends an active listener; what one
 * does in between is in server.ts.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Listener, ListenerContext } from "../../../core/transport/listener.ts";
import type { Socket } from "../../../core/transport/socket.ts";
import { listenerSettings, type WebSocketListenerOptions, type WebSocketListenerSettings } from "./options.ts";
import { listenerAddress, UpgradeServer } from "./server.ts";
import type { TicketOptions } from "./tickets.ts";

export { dialWebSocket, type MaskChoice, type NodeDialOptions } from "./dialer.ts";
export { type Authenticate, WEBSOCKET_LISTENER_DEFAULTS } from "./options.ts";
export type { WebSocketListenerDefaults, WebSocketListenerOptions, WebSocketListenerSettings } from "./options.ts";
export type { DashboardOptions, DashboardSettings } from "../../../dashboard/options.ts";
export type { TicketOptions } from "./tickets.ts";

/** One start. */
interface ActiveListener {
  readonly accept: (socket: Socket) => void;
  readonly service: UpgradeServer;
  readonly started: Promise<void>;
}

/** Accepts workers over WebSocket. Made by {@link listenWebSocket}. */
export class WebSocketListener implements Listener {
  readonly #settings: WebSocketListenerSettings;
  #active: ActiveListener | undefined;
  #stopped: Promise<void> = Promise.resolve();

  /**
   * @throws TypeError when an option is unknown or of the wrong kind.
   * @throws RangeError when a number is out of range.
   */
  constructor(options: WebSocketListenerOptions = {}) {
    this.#settings = listenerSettings(options);
  }

  /** Where it listens: `ws://127.0.0.1:7070/`, or `wss:` on an https server. Before the start, where it would. */
  get address(): string {
    return this.#active === undefined ? listenerAddress(this.#settings) : this.#active.service.address;
  }

  /**
   * Resolves once workers can connect. The same `accept` may be started again; another one is refused with an `Error`.
   * Rejects with an AuthError when other machines could connect without `token` or `authenticate`, and with an `Error` when the
   * address cannot be had, or another listener has this path of a shared server; it can be started again then.
   */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    if (this.#active !== undefined) {
      if (this.#active.accept === accept) return this.#active.started;
      return Promise.reject(new Error(`${this.address}: already listening; give each runner a listener of its own`));
    }
    const service = new UpgradeServer(this.#settings, accept, context);
    const started = this.#stopped.then(() => service.start());
    const active: ActiveListener = { accept, service, started };
    this.#active = active;
    started.catch(() => {
      if (this.#active === active) this.#active = undefined;
    });
    return started;
  }

  /**
   * Makes a ticket that lets one worker in, once: it dials `address` with `?ticket=…` behind it, within `ticketLifetime`.
   * For browsers, which cannot be trusted with a token: authenticate the user, then send a ticket over a connection of your own.
   * A ticket that was used, has expired or was never given out is refused with 401, and those of a listener go with its stop.
   * @throws TypeError when an option is unknown or wrong.
   * @throws RangeError when 10,000 tickets are out.
   * @throws Error when it does not listen.
   */
  issueTicket(options: TicketOptions): string {
    if (this.#active === undefined) throw new Error(`${this.address}: a ticket is for a listener that has started`);
    return this.#active.service.issueTicket(options);
  }

  /**
   * Answers a plain request on a shared server: for the page, the files beside it, or the status. `false`, with nothing done,
   * when the request is for none of them, or nothing listens: the server's owner answers it then. A server that the
   * listener made itself needs no call.
   */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    return this.#active?.service.handleRequest(request, response) ?? false;
  }

  /**
   * Closes every connection and gives back the address, also when a peer is dead: closing handshakes
   * get a moment (four times 20 ms, or until all are done), then connections without an answer are cut off. May be called twice.
   */
  stop(): Promise<void> {
    const active = this.#active;
    if (active === undefined) return this.#stopped;
    this.#active = undefined;
    this.#stopped = active.started.then(
      () => active.service.stop(),
      () => undefined, // it never began
    );
    return this.#stopped;
  }
}

/**
 * A listener for workers that dial in over WebSocket.
 *
 * ```ts
 * const runner = new JobRunner({ listen: listenWebSocket({ port: 7070 }) });
 * ```
 *
 * Without options it takes a free port on loopback and lets in any process of this machine, but no web page.
 * @throws TypeError when an option is unknown or of the wrong kind.
 * @throws RangeError when a number is out of range.
 */
export function listenWebSocket(options: WebSocketListenerOptions = {}): WebSocketListener {
  return new WebSocketListener(options);
}
