/**
 * The page of one listener, from start to stop: answers browsers, and joins their WebSockets to the feed. Who may come is
 * websocket-admission.ts, what they are told page-feed.ts.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { hostClock } from "../core/host.ts";
import type { ListenerContext } from "../core/listener.ts";
import { PageFeed, type Watcher } from "../observe/page-feed.ts";
import { LONGEST_REQUEST, PAGE_SUBPROTOCOL } from "../observe/page-message.ts";
import { wireSettings, type WireSettings } from "./websocket-node-socket.ts";
import type { PageSettings } from "./websocket-page-options.ts";
import { type PageFile, readLentModule, readPage, readTabScript, serve } from "./websocket-page-files.ts";
import { answerFirst } from "./websocket-requests.ts";

/** Pages that may watch at a time. */
export const MOST_WATCHERS = 64;
/** Protocol pings a watcher may send in all; browsers send none. */
const MOST_PINGS = 64;
/** Beside the page, for tabs that are lent: the module they run, and the script they run it by. */
const MODULE = "lend.js";
const TAB_SCRIPT = "tab.js";

/** What browsers are told when a connection ends, by code. */
const CLOSE = { violation: 1008, slow: 1013 } as const;

/** Whom the page needs at the door. */
export interface PageDoor {
  /** Whether the page may be shown to whoever asks. */
  mayLoadPage(request: IncomingMessage): boolean;
}

/** Whether somebody wants to look at a place, and not to load some part of a program from it. */
function wantsPage({ headers }: IncomingMessage): boolean {
  return /\btext\/html\b/.test(headers.accept ?? "");
}

function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?", 1)[0] ?? "";
}

/** One open page, over `ws`. */
class SocketWatcher implements Watcher {
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

  end(why: "violation" | "slow"): void {
    this.#ws.close(CLOSE[why]);
    // Whoever does not read never sees the close either.
    if (why === "slow") this.#ws.terminate();
  }
}

/** The page of a listener. */
export class WebSocketPage {
  readonly #settings: PageSettings;
  readonly #path: string;
  /** What is served besides, by path. */
  readonly #files = new Map<string, PageFile>();
  readonly #door: PageDoor;
  readonly #feed: PageFeed | undefined;
  readonly #upgrader: WebSocketServer;
  #page: PageFile | undefined;
  #release: (() => void) | undefined;

  constructor(settings: PageSettings, path: string, door: PageDoor, { runner, controls }: ListenerContext) {
    this.#settings = settings;
    this.#path = path;
    this.#door = door;
    // Relative to the page: whoever stands before the listener may serve it under another path.
    const lend = settings.lend === undefined ? null : this.#beside(MODULE).slice(path.lastIndexOf("/") + 1);
    const options = { ...settings, lend, clock: hostClock };
    this.#feed = runner === undefined ? undefined : new PageFeed(options, runner, controls);
    const upgrade: ServerOptions & WireSettings = {
      noServer: true,
      clientTracking: false,
      handleProtocols: () => PAGE_SUBPROTOCOL,
      // Characters of a request may take three bytes each.
      ...wireSettings(3 * LONGEST_REQUEST),
    };
    this.#upgrader = new WebSocketServer(upgrade);
  }

  /** Whether no more pages may watch. */
  get isFull(): boolean {
    return (this.#feed?.size ?? 0) >= MOST_WATCHERS;
  }

  /** Reads what is served; to be done before anybody can ask for it. Rejects with an `Error` when it cannot be read. */
  async load(): Promise<void> {
    const { lend } = this.#settings;
    this.#page = await readPage(lend !== undefined);
    if (lend === undefined) return;
    this.#files.set(this.#beside(MODULE), await readLentModule(lend));
    this.#files.set(this.#beside(TAB_SCRIPT), await readTabScript());
  }

  /** Answers browsers that come to the server, and begins to watch the runner. */
  start(server: Server): void {
    this.#release = answerFirst(server, (request, response) => this.#answer(request, response));
    this.#feed?.start();
  }

  /** Ends both; open pages are closed by whoever holds their connections. May be called twice. */
  stop(): void {
    this.#release?.();
    this.#release = undefined;
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
    const watcher = new SocketWatcher(ws, admin);
    let pings = 0;
    ws.on("message", (data, isBinary) => {
      if (isBinary || !Buffer.isBuffer(data)) watcher.end("violation");
      else feed.received(watcher, data.toString("utf8"));
    });
    ws.on("ping", () => {
      if (++pings > MOST_PINGS) ws.terminate();
    });
    // What is wrong with a connection is followed by its close.
    ws.on("error", () => undefined);
    ws.on("close", () => feed.delete(watcher));
    feed.add(watcher);
  }

  #answer(request: IncomingMessage, response: ServerResponse): boolean {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") return false;
    const path = pathOf(request);
    const file = path === this.#path && wantsPage(request) ? this.#page : this.#files.get(path);
    if (file === undefined) return false;
    if (this.#door.mayLoadPage(request)) serve(request, response, file);
    else refuse(response);
    return true;
  }

  #beside(name: string): string {
    return this.#path.endsWith("/") ? this.#path + name : `${this.#path}/${name}`;
  }
}

function refuse(response: ServerResponse): void {
  response.writeHead(403, { "Content-Type": "text/plain; charset=utf-8", Connection: "close" });
  response.end(
    "this page is for this machine alone: open it as http://127.0.0.1 or http://localhost, or set a token\n",
  );
}
