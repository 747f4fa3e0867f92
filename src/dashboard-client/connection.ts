/** The dashboard's WebSocket: opened, lost, opened again. Reports messages and its own state; shows nothing. */
import { backoffBound } from "../core/time/backoff.ts";
import { bearerSubprotocol } from "../transports/websocket/address.ts";
import { DASHBOARD_SUBPROTOCOL, type DashboardMessage, type DashboardRequest } from "../dashboard/protocol.ts";

/** How the connection stands. */
export type FeedState =
  | "open"
  | "refused" // the listener answers, and refuses the connection
  | "unreachable" // no answer
  | "gone"; // the listener stops

/** What the connection calls. */
export interface FeedConnectionOwner {
  /** The token to show to the listener. */
  readonly token: string | undefined;
  /** The state changed. It is tried again in `retryIn` ms; 0 when it is open. */
  onState(state: FeedState, retryIn: number): void;
  /** A message came. */
  onMessage(message: DashboardMessage): void;
}

/** A listener's close code when it stops. */
const GOING_AWAY = 1001;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 10_000;
/** Silence after which an open connection counts as dead; a snapshot comes every second. */
const SILENCE_TIMEOUT_MS = 10_000;

/** The address of the listener that served the dashboard, without query and fragment. */
function address(): string {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${location.pathname}`;
}

/** Whether the dashboard is still served. A browser does not say why a WebSocket failed: if it is, the listener refused. */
async function isServed(): Promise<boolean> {
  try {
    const answer = await fetch(location.pathname, { method: "HEAD", headers: { Accept: "text/html" } });
    return answer.ok;
  } catch {
    return false;
  }
}

/** Keeps a connection to the listener. */
export class FeedConnection {
  readonly #owner: FeedConnectionOwner;
  #socket: WebSocket | undefined;
  /** Failed tries since it was last open. */
  #failures = 0;
  #retry: number | undefined;
  #watchdog: number | undefined;

  constructor(owner: FeedConnectionOwner) {
    this.#owner = owner;
  }

  /** Opens the connection, or replaces it by a new one. */
  open(): void {
    this.#drop();
    const { token } = this.#owner;
    const protocols = token === undefined ? [DASHBOARD_SUBPROTOCOL] : [DASHBOARD_SUBPROTOCOL, bearerSubprotocol(token)];
    const socket = new WebSocket(address(), protocols);
    let opened = false;
    socket.addEventListener("open", () => {
      opened = true;
      this.#failures = 0;
      this.#owner.onState("open", 0);
      this.#watch();
    });
    socket.addEventListener("message", ({ data }: MessageEvent<string>) => {
      this.#watch();
      this.#owner.onMessage(JSON.parse(data) as DashboardMessage);
    });
    socket.addEventListener("close", ({ code }) => void this.#closed(socket, opened, code));
    this.#socket = socket;
  }

  /** Sends a request; its outcome comes as a message. */
  sendRequest(request: DashboardRequest): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(request));
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    window.clearTimeout(this.#retry);
    window.clearTimeout(this.#watchdog);
    socket?.close();
  }

  #watch(): void {
    window.clearTimeout(this.#watchdog);
    this.#watchdog = window.setTimeout(() => {
      const socket = this.#socket;
      this.#drop();
      if (socket !== undefined) this.#tryAgain("unreachable");
    }, SILENCE_TIMEOUT_MS);
  }

  async #closed(socket: WebSocket, opened: boolean, code: number): Promise<void> {
    if (socket !== this.#socket) return;
    window.clearTimeout(this.#watchdog);
    if (opened) return this.#tryAgain(code === GOING_AWAY ? "gone" : "unreachable");
    const served = await isServed();
    if (socket !== this.#socket) return;
    // Also when refused: that may be for lack of room.
    this.#tryAgain(served ? "refused" : "unreachable");
  }

  #tryAgain(state: FeedState): void {
    const retryIn = backoffBound(FIRST_BACKOFF_MS, MAX_BACKOFF_MS, this.#failures++);
    this.#owner.onState(state, retryIn);
    this.#retry = window.setTimeout(() => this.open(), retryIn);
  }
}
