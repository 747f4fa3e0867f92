/**
 * An active WebSocket listener, from start to stop: upgrades, and the connections it holds. Admission is decided in
 * admission.ts, plain requests are answered in http-requests.ts.
 */
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { describeError } from "../../../core/describe-error.ts";
import { AuthError } from "../../../core/errors.ts";
import { systemClock } from "../../../core/time/system.ts";
import { INCOMING_DEFAULTS, IncomingBudget } from "../../../core/transport/incoming-budget.ts";
import type { ListenerContext } from "../../../core/transport/listener.ts";
import type { Peer } from "../../../core/peer.ts";
import type { Socket, SocketLimits } from "../../../core/transport/socket.ts";
import { isLoopback, requestPath, SUBPROTOCOL } from "../address.ts";
import { Admission, BUSY, type Admitted, type Refusal, type Decision } from "./admission.ts";
import { KEEP_ALIVE_DELAY_MS } from "./dialer.ts";
import { nodeSocket, type WireSettings, wireSettings } from "./socket.ts";
import type { WebSocketListenerSettings } from "./options.ts";
import { DashboardEndpoint } from "./dashboard-endpoint.ts";
import { answerText, PlainRequests } from "./http-requests.ts";
import { OwnServer } from "./http-server.ts";
import type { TicketOptions } from "./tickets.ts";

/** How long `stop` waits for closing handshakes: so many times so many ms. A healthy peer needs one round trip. */
const STOP_WAITS = 4;
const STOP_WAIT_MS = 20;

const NOT_FOUND: Refusal = { status: 404, text: "nothing here" };
const TOO_MANY_VIEWERS: Refusal = { status: 503, text: "too many pages are open" };
/** The close code for pages when the listener stops. */
const GOING_AWAY = 1001;
const STOPPING: Refusal = { status: 503, text: "stopping" };

/** Answers on the raw socket, as nothing was upgraded, and ends it. */
function refuse(socket: Duplex, { status, text }: Refusal): void {
  const extra = status === 401 ? "WWW-Authenticate: Bearer\r\n" : status === 503 ? "Retry-After: 1\r\n" : "";
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nConnection: close\r\nContent-Type: text/plain\r\n`;
  socket.end(`${head}${extra}Content-Length: ${text.length}\r\n\r\n${text}`, () => socket.destroy());
}

/** Marks upgrade listeners as ours, also those of another copy of this module. */
const OURS = Symbol.for("powerhose.upgrade");

/** Whether all upgrade listeners of a server are ours. */
function isAllOurs(server: Server): boolean {
  return server.listeners("upgrade").every((listener) => Reflect.has(listener, OURS));
}

/** Whether one of the upgrade listeners of ours serves a path. */
function isServed(server: Server, path: string): boolean {
  return server.listeners("upgrade").some((listener) => Reflect.get(listener, OURS) === path);
}

/** Whether a listener is the first of all, and thus the one to speak for them. */
function isFirst(server: Server, listener: unknown): boolean {
  return server.listeners("upgrade")[0] === listener;
}

function destroy(this: Duplex): void {
  this.destroy();
}

function hostPort(host: string, port: number): string {
  const bare = host.startsWith("::ffff:") ? host.slice(7) : host;
  return bare.includes(":") ? `[${bare}]:${port}` : `${bare}:${port}`;
}

/** `ws://127.0.0.1:7070/`: where a listener is, or would be. */
export function listenerAddress(settings: WebSocketListenerSettings): string {
  const { server, host, port, path } = settings;
  const scheme = server instanceof TlsServer ? "wss" : "ws";
  const bound = server?.address();
  if (typeof bound === "string") return `${scheme}+unix:${bound}:${path}`;
  if (bound) return `${scheme}://${hostPort(bound.address, bound.port)}${path}`;
  return `${scheme}://${hostPort(host, port)}${path}`;
}

/** A listener between one start and one stop. */
export class UpgradeServer {
  readonly #settings: WebSocketListenerSettings;
  readonly #accept: (socket: Socket) => void;
  readonly #context: ListenerContext;
  readonly #limits: SocketLimits;
  readonly #admission: Admission;
  readonly #upgrader: WebSocketServer;
  /** The server, when it is not a shared one. */
  readonly #own: OwnServer | undefined;
  readonly #server: Server;
  readonly #plain: PlainRequests;
  readonly #handshakes = new Set<Duplex>();
  readonly #open = new Map<WebSocket, Pick<Socket, "close">>();
  readonly #dashboard: DashboardEndpoint | undefined;
  #stopping = false;
  #onEmpty: (() => void) | undefined;

  constructor(settings: WebSocketListenerSettings, accept: (socket: Socket) => void, context: ListenerContext) {
    this.#settings = settings;
    this.#accept = accept;
    this.#context = context;
    // A worker that listens has no budget of its own.
    const { maxIncomingBytes, stallTimeout } = INCOMING_DEFAULTS;
    const { maxFrameBytes, incoming = new IncomingBudget(maxIncomingBytes, stallTimeout, systemClock) } = context;
    this.#limits = { maxFrameBytes, incoming };
    this.#admission = new Admission(settings, systemClock, (error) => context.report(error));
    const options: ServerOptions & WireSettings = {
      noServer: true,
      clientTracking: false,
      // Echoes our own name only: the other entry is the token.
      handleProtocols: () => SUBPROTOCOL,
      ...wireSettings(context.maxFrameBytes),
    };
    this.#upgrader = new WebSocketServer(options);
    const { dashboard, path, server } = settings;
    this.#dashboard = dashboard === undefined ? undefined : new DashboardEndpoint(dashboard, path, context);
    this.#plain = new PlainRequests({
      path,
      admission: this.#admission,
      dashboard: this.#dashboard,
      status: settings.status,
      onStatusFailed: (cause) => context.report(new Error(`${this.address}: \`status\` failed`, { cause })),
    });
    if (server === undefined) {
      this.#own = new OwnServer(settings, this.#onRequest);
      this.#server = this.#own.http;
    } else {
      this.#server = server;
    }
    Object.defineProperty(this.#onUpgrade, OURS, { value: settings.path });
  }

  /** Where it listens. */
  get address(): string {
    return listenerAddress({ ...this.#settings, server: this.#server });
  }

  /**
   * Makes a one-time ticket.
   * @throws TypeError or RangeError as {@link Tickets.issue} does.
   */
  issueTicket(options: TicketOptions): string {
    return this.#admission.tickets.issue(options);
  }

  /** Answers a plain request that is for this listener; `false` when it is not. */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    return !this.#stopping && this.#plain.handle(request, response);
  }

  /** Resolves once workers can connect. */
  async start(): Promise<void> {
    const { server, host, port, path } = this.#settings;
    const bound = server?.address();
    const where = server === undefined ? host : bound && typeof bound === "object" ? bound.address : "localhost";
    if (this.#admission.allowsAnonymous && !isLoopback(where)) {
      throw new AuthError(
        `${where} is reachable from other machines: pass \`token\` or \`authenticate\` to say who may work`,
      );
    }
    await this.#dashboard?.load();
    if (this.#own !== undefined) {
      await this.#listen(this.#own, host, port);
      // The owner of a shared server handles its errors.
      this.#server.on("error", this.#onError);
    }
    // Both would answer the same upgrade, and the second answer throws uncaught.
    if (isServed(this.#server, path)) {
      throw new Error(`${this.address}: another listener has this path of the shared server; give each its own`);
    }
    this.#server.on("upgrade", this.#onUpgrade);
    this.#dashboard?.start();
  }

  /** Closes every connection, cuts off those that do not answer, and gives back the address. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#server.off("upgrade", this.#onUpgrade);
    this.#dashboard?.stop();
    const closed = this.#own?.close();
    this.#admission.close();
    for (const socket of this.#handshakes) socket.destroy();
    for (const socket of this.#open.values()) socket.close();
    await this.#waitForClose();
    for (const ws of this.#open.keys()) ws.terminate();
    this.#own?.cut();
    await closed;
    this.#server.off("error", this.#onError);
  }

  /** A request that nothing here answers gets 426 on the listener's path, else 404. */
  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (this.handleRequest(request, response)) return;
    const status = this.#isHere(request) ? 426 : 404;
    if (status === 426) response.setHeader("Upgrade", "websocket");
    answerText(response, status, STATUS_CODES[status] ?? "");
  };

  async #listen(server: OwnServer, host: string, port: number): Promise<void> {
    try {
      await server.listen(host, port);
    } catch (cause) {
      const inUse = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
      const why = inUse ? "the address is in use; choose another port, or 0 for a free one" : describeError(cause);
      throw new Error(`cannot listen on ${listenerAddress(this.#settings)}: ${why}`, { cause });
    }
  }

  /** Resolves when the last connection is gone, or after a little while. */
  async #waitForClose(): Promise<void> {
    // Several short waits: after this process was held up for longer than one, answers of its peers are still unread.
    for (let wait = 0; wait < STOP_WAITS && this.#open.size > 0; wait++) {
      await new Promise<void>((resolve) => {
        const timer = systemClock.set(STOP_WAIT_MS, resolve, true);
        this.#onEmpty = (): void => {
          systemClock.clear(timer);
          resolve();
        };
      });
    }
  }

  readonly #onError = (error: Error): void => {
    this.#context.report(new Error(`${this.address}: ${error.message}`, { cause: error }));
  };

  #isHere(request: IncomingMessage): boolean {
    return requestPath(request) === this.#settings.path;
  }

  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (!this.#isHere(request)) {
      // On a shared server another listener may answer. If there is none, this one does.
      if (this.#isUnserved(request)) this.#turnAway(socket, NOT_FOUND);
      return;
    }
    if (socket.destroyed) return;
    socket.on("error", destroy);
    const { limits } = this.#admission;
    const network = this.#admission.networkOf(request);
    if (!this.#admission.enter(request, network)) return refuse(socket, BUSY);
    // One place from here to the end of the connection, whichever way it ends.
    socket.once("close", () => limits.leave(network));
    this.#handshakes.add(socket);
    const decision = this.#admission.authorize(request);
    if (decision instanceof Promise) void decision.then((late) => this.#onDecision(request, socket, head, late));
    else this.#onDecision(request, socket, head, decision);
  };

  /** Whether no listener serves the path, and this one answers for all. */
  #isUnserved(request: IncomingMessage): boolean {
    const server = this.#server;
    if (this.#own !== undefined) return true;
    return isFirst(server, this.#onUpgrade) && isAllOurs(server) && !isServed(server, requestPath(request));
  }

  #turnAway(socket: Duplex, refusal: Refusal): void {
    socket.on("error", destroy);
    refuse(socket, refusal);
  }

  #onDecision(request: IncomingMessage, socket: Duplex, head: Buffer, decision: Decision): void {
    this.#handshakes.delete(socket);
    if (socket.destroyed) return;
    if (this.#stopping) return refuse(socket, STOPPING);
    if ("status" in decision) {
      this.#admission.refused(request, decision);
      return refuse(socket, decision);
    }
    this.#harden(request.socket);
    if (decision.role === "worker" || this.#dashboard === undefined) {
      this.#upgrader.handleUpgrade(request, socket, head, (ws) => this.#onOpen(request, ws, decision));
    } else if (this.#dashboard.isFull) {
      refuse(socket, TOO_MANY_VIEWERS);
    } else {
      this.#dashboard.upgrade(request, socket, head, decision.role === "admin", (ws) => {
        this.#hold(ws, { close: () => ws.close(GOING_AWAY) });
      });
    }
  }

  #harden(socket: TcpSocket): void {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
  }

  #onOpen(request: IncomingMessage, ws: WebSocket, { principal, identity }: Admitted): void {
    const { remoteAddress = "pipe", remotePort = 0 } = request.socket;
    const named = this.#admission.addressOf(request);
    const address = named === remoteAddress || named === "" ? hostPort(remoteAddress, remotePort) : named;
    const peer: Peer = { transport: "websocket", address, principal, identity };
    const socket = nodeSocket(ws, request.socket, peer, this.#limits);
    this.#hold(ws, socket);
    this.#accept(socket);
  }

  #hold(ws: WebSocket, held: Pick<Socket, "close">): void {
    this.#open.set(ws, held);
    ws.on("close", () => {
      this.#open.delete(ws);
      if (this.#open.size === 0) this.#onEmpty?.();
    });
  }
}
