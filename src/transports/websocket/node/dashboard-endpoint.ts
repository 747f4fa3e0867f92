/**
 * The dashboard of one listener, from start to stop: finds what browsers ask for, and joins their WebSockets to the feed. What
 * may load it is decided in admission.ts, what it is sent in dashboard/feed.ts, other requests are answered in http-requests.ts.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { systemClock } from "../../../core/time/system.ts";
import type { ListenerContext } from "../../../core/transport/listener.ts";
import { DashboardFeed, type Viewer } from "../../../dashboard/feed.ts";
import { MAX_REQUEST_BYTES, DASHBOARD_SUBPROTOCOL } from "../../../dashboard/protocol.ts";
import { beside, requestPath } from "../address.ts";
import { answerPings, wireSettings, type WireSettings } from "./socket.ts";
import type { DashboardSettings } from "../../../dashboard/options.ts";
import { type AssetFile, readLentModule, readDashboard, readTabScript } from "../../../dashboard/assets.ts";

/** Pages that may watch at a time. */
export const MAX_VIEWERS = 64;
/** Beside the page, for tabs that are lent: the module they run, and the script they run it by. */
const MODULE = "lend.js";
const TAB_SCRIPT = "tab.js";

/** The code of the close frame, by reason. */
const CLOSE = { violation: 1008, slow: 1013 } as const;

/** Whether a request navigates to the page, and does not load a part of it. */
function wantsPage({ headers }: IncomingMessage): boolean {
  return /\btext\/html\b/.test(headers.accept ?? "");
}

/** One open page, over `ws`. */
class SocketViewer implements Viewer {
  readonly admin: boolean;
  readonly #ws: WebSocket;

  constructor(ws: WebSocket, admin: boolean) {
    this.#ws = ws;
    this.admin = admin;
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  send(text: string): void {
    this.#ws.send(text);
  }

  end(reason: "violation" | "slow"): void {
    this.#ws.close(CLOSE[reason]);
    // A viewer that does not read never sees the close either.
    if (reason === "slow") this.#ws.terminate();
  }
}

/** The page of a listener. */
export class DashboardEndpoint {
  readonly #settings: DashboardSettings;
  readonly #path: string;
  /** What is served besides, by path. */
  readonly #files = new Map<string, AssetFile>();
  readonly #feed: DashboardFeed | undefined;
  readonly #upgrader: WebSocketServer;
  #page: AssetFile | undefined;

  constructor(settings: DashboardSettings, path: string, { runner, controls }: ListenerContext) {
    this.#settings = settings;
    this.#path = path;
    // Relative to the page: a proxy before the listener may serve it under another path.
    const lend = settings.lend === undefined ? null : beside(path, MODULE).slice(path.lastIndexOf("/") + 1);
    const options = { ...settings, lend, clock: systemClock };
    this.#feed = runner === undefined ? undefined : new DashboardFeed(options, runner, controls);
    const upgrade: ServerOptions & WireSettings = {
      noServer: true,
      clientTracking: false,
      handleProtocols: () => DASHBOARD_SUBPROTOCOL,
      // Characters of a request may take three bytes each.
      ...wireSettings(3 * MAX_REQUEST_BYTES),
    };
    this.#upgrader = new WebSocketServer(upgrade);
  }

  /** Whether no more pages may watch. */
  get isFull(): boolean {
    return (this.#feed?.size ?? 0) >= MAX_VIEWERS;
  }

  /** Reads the files that are served; called before the first request. Rejects with an `Error` when it cannot be read. */
  async load(): Promise<void> {
    const { lend } = this.#settings;
    this.#page = await readDashboard(lend !== undefined);
    if (lend === undefined) return;
    this.#files.set(beside(this.#path, MODULE), await readLentModule(lend));
    this.#files.set(beside(this.#path, TAB_SCRIPT), await readTabScript());
  }

  /** Begins to watch the runner. */
  start(): void {
    this.#feed?.start();
  }

  /** Ends that; open pages are closed by whatever holds their connections. May be called twice. */
  stop(): void {
    this.#feed?.stop();
  }

  /** Opens the WebSocket of a page that was let in. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    admin: boolean,
    opened: (ws: WebSocket) => void,
  ): void {
    this.#upgrader.handleUpgrade(request, socket, head, (ws) => {
      opened(ws);
      this.#join(ws, admin);
    });
  }

  #join(ws: WebSocket, admin: boolean): void {
    const feed = this.#feed;
    if (feed === undefined) return ws.close(1011);
    const viewer = new SocketViewer(ws, admin);
    ws.on("message", (data, isBinary) => {
      if (isBinary || !Buffer.isBuffer(data)) viewer.end("violation");
      else feed.received(viewer, data.toString("utf8"));
    });
    answerPings(ws, () => viewer.end("violation"));
    // What is wrong with a connection is followed by its close.
    ws.on("error", () => undefined);
    ws.on("close", () => feed.delete(viewer));
    feed.add(viewer);
  }

  /** What a request is for: the page, or a file beside it. `undefined` when it is for neither. */
  find(request: IncomingMessage): AssetFile | undefined {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") return undefined;
    const path = requestPath(request);
    return path === this.#path && wantsPage(request) ? this.#page : this.#files.get(path);
  }
}
