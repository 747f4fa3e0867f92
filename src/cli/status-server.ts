/**
 * The HTTP server of a run with --listen: answers GET /status and is shared with the WebSocket listener. Read-only, and as
 * closed as the listener: with a token only to whoever shows it, without one only to this machine and to no web page.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { codeOf, CommandError, wordsOf } from "./faults.ts";
import { isLoopback, type ListenPlace } from "./listen-place.ts";
import type { StatusReport } from "./status-report.ts";

/** How the server answers. */
export interface StatusServerOptions {
  readonly place: ListenPlace;
  /** What must be shown, if anything. */
  readonly token: string | undefined;
  readonly report: () => StatusReport;
}

/** Limits against clients that are slow, greedy or many; the listener has its own for what is upgraded. */
const LIMITS = { headersTimeout: 5_000, requestTimeout: 5_000, maxHeaderSize: 16_384 };

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** A server between `start` and `stop`. */
export class StatusServer {
  /** To be shared with the WebSocket listener. */
  readonly http: Server;
  readonly #options: StatusServerOptions;

  constructor(options: StatusServerOptions) {
    this.#options = options;
    this.http = createServer(LIMITS, (request, response) => this.#answer(request, response));
    this.http.on("clientError", (_error, socket) => socket.destroy());
  }

  /** The port it has. */
  get port(): number {
    const bound = this.http.address();
    return typeof bound === "object" && bound !== null ? bound.port : this.#options.place.port;
  }

  /** Binds. Rejects with CommandError when the address cannot be had. */
  start(): Promise<void> {
    const { host, port } = this.#options.place;
    return new Promise((resolve, reject) => {
      this.http.once("error", (error) => {
        const why = codeOf(error) === "EADDRINUSE" ? "the port is in use; 0 takes a free one" : wordsOf(error);
        reject(new CommandError(`cannot listen on ${host}:${port}: ${why}`, undefined, { cause: error }));
      });
      this.http.listen(port, host, resolve);
    });
  }

  /** Gives back the address and cuts off who is connected. May be called twice. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.http.close(() => resolve());
      this.http.closeAllConnections();
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? "").split("?", 1)[0];
    if (path !== "/status") return this.#say(response, 404, "a powerhose run: GET /status, or dial it as a worker\n");
    if (request.method !== "GET") return this.#say(response, 405, "GET only\n");
    const refused = this.#refusal(request);
    if (refused !== undefined) return this.#say(response, refused, "a valid token is required\n");
    const body = `${JSON.stringify(this.#options.report())}\n`;
    response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-store", Connection: "close" });
    response.end(body);
  }

  #say(response: ServerResponse, status: number, text: string): void {
    const login = status === 401 ? { "WWW-Authenticate": "Bearer" } : {};
    response.writeHead(status, { "Content-Type": "text/plain", Connection: "close", ...login });
    response.end(text);
  }

  /** The status to refuse with, or nothing. */
  #refusal(request: IncomingMessage): 401 | 403 | undefined {
    const { authorization = "", origin, host = "" } = request.headers;
    if (origin !== undefined) return 403;
    const { token } = this.#options;
    if (token !== undefined) {
      const shown = /^bearer +(.*)$/i.exec(authorization)?.[1] ?? "";
      return timingSafeEqual(digest(shown.trim()), digest(token)) ? undefined : 401;
    }
    // A page whose name was made to point here comes without Origin, but with its own name as Host.
    return isLoopback(host.replace(/:\d*$/, "")) ? undefined : 403;
  }
}
