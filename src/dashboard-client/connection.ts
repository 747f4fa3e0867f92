/** The page's WebSocket: opened, lost, opened again. Says what it hears and how it stands; shows nothing. */
import { backoffBound } from "../core/time/backoff.ts";
import { bearerSubprotocol } from "../transports/websocket/address.ts";
import { DASHBOARD_SUBPROTOCOL, type DashboardMessage, type DashboardRequest } from "../dashboard/protocol.ts";

/** How the connection stands. */
export type FeedState =
  | "open"
  | "refused" // there is a listener, and it did not let us in
  | "unreachable" // nobody answers
  | "gone"; // the listener said that it stops

/** Whom the connection tells. */
export interface FeedConnectionOwner {
  /** What to show to be let in, if anything. */
  readonly token: string | undefined;
  /** How it stands now, and in how many ms it is tried again; 0 when it is open. */
  standing(standing: FeedState, retryIn: number): void;
  /** A message came. */
  heard(message: DashboardMessage): void;
}

/** A listener's close code when it stops. */
const GOING_AWAY = 1001;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 10_000;
/** Without a word for so long, a connection that looks open is dead; a moment comes every second. */
const SILENCE = 10_000;

/** The address of the page's own listener, without anything behind its path. */
function address(): string {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${location.pathname}`;
}

/** A browser does not say why a WebSocket failed: whoever still serves the page has refused it. */
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
  /** Since it was last open. */
  #failures = 0;
  #retry: number | undefined;
  #watchdog: number | undefined;

  constructor(owner: FeedConnectionOwner) {
    this.#owner = owner;
  }

  /** Opens it, or opens it anew. */
  open(): void {
    this.#drop();
    const { token } = this.#owner;
    const protocols = token === undefined ? [DASHBOARD_SUBPROTOCOL] : [DASHBOARD_SUBPROTOCOL, bearerSubprotocol(token)];
    const socket = new WebSocket(address(), protocols);
    let opened = false;
    socket.addEventListener("open", () => {
      opened = true;
      this.#failures = 0;
      this.#owner.standing("open", 0);
      this.#watch();
    });
    socket.addEventListener("message", ({ data }: MessageEvent<string>) => {
      this.#watch();
      this.#owner.heard(JSON.parse(data) as DashboardMessage);
    });
    socket.addEventListener("close", ({ code }) => void this.#closed(socket, opened, code));
    this.#socket = socket;
  }

  /** Asks for something; what became of it comes as a message. */
  ask(request: DashboardRequest): void {
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
    }, SILENCE);
  }

  async #closed(socket: WebSocket, opened: boolean, code: number): Promise<void> {
    if (socket !== this.#socket) return;
    window.clearTimeout(this.#watchdog);
    if (opened) return this.#tryAgain(code === GOING_AWAY ? "gone" : "unreachable");
    const served = await isServed();
    if (socket !== this.#socket) return;
    // Also when refused: there may be room later, and a token is not all that is asked for.
    this.#tryAgain(served ? "refused" : "unreachable");
  }

  #tryAgain(standing: FeedState): void {
    const retryIn = backoffBound(FIRST_BACKOFF_MS, MAX_BACKOFF_MS, this.#failures++);
    this.#owner.standing(standing, retryIn);
    this.#retry = window.setTimeout(() => this.open(), retryIn);
  }
}
