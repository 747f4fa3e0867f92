/** The HTTP server that a listener makes for itself: binds, holds a bounded number of TCP connections, and closes. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { WebSocketListenerSettings } from "./options.ts";

/** Its limits against clients that are slow, silent, greedy or many. */
export type ServerLimits = Pick<
  WebSocketListenerSettings,
  | "headersTimeout"
  | "requestTimeout"
  | "connectionsCheckingInterval"
  | "maxHeaderSize"
  | "maxConnections"
  | "maxPending"
>;

/** A server between `listen` and `close`. */
export class OwnServer {
  readonly http: Server;
  readonly #maxConnections: number;
  readonly #connections = new Set<TcpSocket>();
  /** Those that have not sent a whole request head, the oldest first. */
  readonly #silent = new Set<TcpSocket>();

  constructor(limits: ServerLimits, answer: RequestListener) {
    const { headersTimeout, requestTimeout, connectionsCheckingInterval, maxHeaderSize } = limits;
    this.#maxConnections = limits.maxConnections + limits.maxPending;
    this.http = createServer({
      headersTimeout,
      requestTimeout: Math.max(headersTimeout, requestTimeout),
      connectionsCheckingInterval,
      maxHeaderSize,
    });
    this.http.on("connection", this.#onConnection);
    this.http.on("upgrade", (request) => this.#onHead(request));
    this.http.on("request", (request, response) => {
      this.#onHead(request);
      answer(request, response);
    });
    // Ending only is not enough: a peer that does not read would stay.
    this.http.on("clientError", (_error, socket) => socket.destroy());
  }

  /** Rejects with the host's error when the address cannot be had. */
  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.http.once("error", reject);
      this.http.listen(port, host, () => {
        this.http.off("error", reject);
        resolve();
      });
    });
  }

  /** Takes no more connections. Resolves when the last one is gone. */
  close(): Promise<void> {
    return new Promise((resolve) => void this.http.close(() => resolve()));
  }

  /** Cuts off every connection. */
  cut(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  /** At the limit, the connection that has been silent longest makes room: a flood of them cannot keep others out. */
  readonly #onConnection = (socket: TcpSocket): void => {
    this.#connections.add(socket);
    this.#silent.add(socket);
    socket.once("close", () => this.#forget(socket));
    if (this.#connections.size <= this.#maxConnections) return;
    const [oldest = socket] = this.#silent;
    this.#forget(oldest);
    oldest.destroy();
  };

  #onHead({ socket }: IncomingMessage): void {
    this.#silent.delete(socket);
  }

  #forget(socket: TcpSocket): void {
    this.#connections.delete(socket);
    this.#silent.delete(socket);
  }
}
