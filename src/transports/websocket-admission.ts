/**
 * Who may open a WebSocket, decided on the request before anything is upgraded: origin, subprotocol, credentials and the
 * limits of the house. Answers with a refusal or a principal; sockets are the server's business.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Clock } from "../core/clock.ts";
import { AuthError, type PowerhoseError } from "../core/errors.ts";
import { guestPrincipalFault, LOOPBACK, TOKEN_HOLDER } from "../core/principal.ts";
import { PAGE_SUBPROTOCOL } from "../observe/page-message.ts";
import { BEARER_PREFIX, isLoopback, SUBPROTOCOL } from "./websocket-address.ts";
import type { WebSocketListenerSettings } from "./websocket-options.ts";
import { Rate } from "./websocket-rate.ts";
import { Tickets } from "./websocket-tickets.ts";

/** What is answered instead of an upgrade. */
export interface Refusal {
  /** The HTTP status. */
  readonly status: 400 | 401 | 403 | 404 | 503;
  /** The body: for people, and nothing about this process. */
  readonly text: string;
}

/** What somebody who is let in may do: work, watch the page, or act on the runner by way of it. */
export type Role = "worker" | "watcher" | "admin";

/** Somebody who is let in. */
export interface Guest {
  /** Whom the request is from. */
  readonly principal: string;
  /** What may be done with the connection. */
  readonly role: Role;
  /** The only name a worker may register by, if its ticket says so. */
  readonly identity?: string | undefined;
}

/** The result of looking at a request: whom it is from, or why not. */
export type Verdict = Guest | Refusal;

const ADMIN = "admin";
const BUSY: Refusal = { status: 503, text: "too many connections, try again later" };
const NO_ORIGIN: Refusal = { status: 403, text: "this origin is not allowed" };
const NO_PROTOCOL: Refusal = { status: 400, text: `expected the subprotocol ${SUBPROTOCOL}` };
const UNKNOWN: Refusal = { status: 401, text: "a valid token is required" };
const NO_ANSWER: Refusal = { status: 503, text: "no decision in time" };

function nothing(): void {}

function digest(text: string | Uint8Array): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Hashing first makes the lengths equal, and looking at all of them tells nothing about which one it was. */
function knows(tokens: readonly Uint8Array[], token: Uint8Array): boolean {
  const shown = digest(token);
  let found = false;
  for (const known of tokens) found = timingSafeEqual(known, shown) || found;
  return found;
}

function subprotocols(request: IncomingMessage): string[] {
  return (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
}

/** What the request shows, from the header or from the subprotocol list; the header wins. */
function shownToken(request: IncomingMessage): Uint8Array | undefined {
  const header = request.headers.authorization;
  if (header !== undefined) {
    return header.slice(0, 7).toLowerCase() === "bearer " ? Buffer.from(header.slice(7).trim(), "utf8") : undefined;
  }
  const bearer = subprotocols(request).find((name) => name.startsWith(BEARER_PREFIX));
  return bearer === undefined ? undefined : Buffer.from(bearer.slice(BEARER_PREFIX.length), "base64url");
}

/** The ticket in the address, if there is one. */
function shownTicket({ url = "" }: IncomingMessage): string | undefined {
  const query = url.indexOf("?");
  return query < 0 ? undefined : (new URLSearchParams(url.slice(query + 1)).get("ticket") ?? undefined);
}

/** Whether the server calls itself loopback, as the browser knows it. */
function isCalledLoopback({ headers }: IncomingMessage): boolean {
  return headers.host !== undefined && isLoopback(headers.host.replace(/:\d*$/, ""));
}

function isEncrypted({ socket }: IncomingMessage): boolean {
  return "encrypted" in socket;
}

/** Whatever `await` would wait for: a promise of another realm or library is as good. */
function isAwaitable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** A request that came over loopback, or over a pipe, which has no address. */
function isLocal(request: IncomingMessage): boolean {
  return request.socket.localAddress === undefined || isLoopback(request.socket.localAddress);
}

/** The gate of one listener, from start to stop. Counts what is under way and what is open. */
export class Admission {
  readonly #settings: WebSocketListenerSettings;
  readonly #clock: Clock;
  readonly #report: (error: PowerhoseError) => void;
  /** The one-time tickets that are out. */
  readonly tickets: Tickets;
  readonly #tokens: readonly Uint8Array[];
  readonly #adminTokens: readonly Uint8Array[];
  readonly #rate: Rate;
  readonly #perAddress = new Map<string, number>();
  /** The handshakes that wait for `authenticate`: how to end the wait of each. */
  readonly #waiting = new Set<() => void>();
  #held = 0;
  #exposureReported = false;

  constructor(settings: WebSocketListenerSettings, clock: Clock, report: (error: PowerhoseError) => void) {
    this.#settings = settings;
    this.#clock = clock;
    this.#report = report;
    this.tickets = new Tickets(settings.ticketLifetime, clock);
    this.#tokens = settings.tokens.map(digest);
    this.#adminTokens = (settings.page?.admins ?? []).map(digest);
    this.#rate = new Rate(settings.acceptRate, settings.acceptRate, clock);
  }

  /** Whether everybody who can connect is let in. */
  get isOpenHouse(): boolean {
    return this.#tokens.length === 0 && this.#settings.authenticate === undefined;
  }

  /** Takes a place for a connection from this address, to be given back with {@link leave}; or refuses. */
  enter(address: string): Refusal | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#settings;
    const here = this.#perAddress.get(address) ?? 0;
    if (this.#held >= maxConnections || here >= maxConnectionsPerAddress || !this.#rate.take()) return BUSY;
    this.#held++;
    this.#perAddress.set(address, here + 1);
    return undefined;
  }

  /** Gives a place back. */
  leave(address: string): void {
    this.#held--;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }

  /** Ends every wait for `authenticate`: nobody is let in any more. */
  close(): void {
    for (const giveUp of this.#waiting) giveUp();
  }

  /** Looks at a request. A promise only when `authenticate` makes one. */
  judge(request: IncomingMessage): Verdict | Promise<Verdict> {
    const { origin } = request.headers;
    if (origin !== undefined && !this.#settings.origins.includes(origin) && !this.#isOurPage(request, origin)) {
      return NO_ORIGIN;
    }
    const offered = subprotocols(request);
    if (offered.includes(SUBPROTOCOL)) return this.#judgeWorker(request);
    if (this.#settings.page !== undefined && offered.includes(PAGE_SUBPROTOCOL)) return this.#judgeWatcher(request);
    return NO_PROTOCOL;
  }

  /**
   * Whether the page may be shown to whoever asks. With credentials it says nothing by itself; where there are none, only
   * to this machine, and not under a name that somebody else has pointed here.
   */
  mayLoadPage(request: IncomingMessage): boolean {
    return !this.isOpenHouse || (isLocal(request) && isCalledLoopback(request));
  }

  /** The page that is served here knows this place by the name it has in the request. */
  #isOurPage(request: IncomingMessage, origin: string): boolean {
    if (this.#settings.page === undefined || !this.mayLoadPage(request)) return false;
    const { host } = request.headers;
    // Whoever ends the encryption before a plain server says `https`.
    return origin === `https://${host}` || (!isEncrypted(request) && origin === `http://${host}`);
  }

  #judgeWorker(request: IncomingMessage): Verdict | Promise<Verdict> {
    const ticket = shownTicket(request);
    // Used up whatever follows: a ticket that was seen once is no secret any more.
    const holder = ticket === undefined ? undefined : this.tickets.take(ticket);
    if (holder !== undefined) return { principal: holder.principal, identity: holder.identity, role: "worker" };
    if (this.isOpenHouse) {
      if (!isLocal(request)) return this.#exposed();
      return ticket === undefined ? { principal: LOOPBACK, role: "worker" } : UNKNOWN;
    }
    const token = shownToken(request);
    if (token !== undefined && knows(this.#tokens, token)) return { principal: TOKEN_HOLDER, role: "worker" };
    // Who may have tickets of its own making.
    return this.#ask(request, "worker");
  }

  #judgeWatcher(request: IncomingMessage): Verdict | Promise<Verdict> {
    const token = shownToken(request);
    if (token !== undefined && knows(this.#adminTokens, token)) return { principal: ADMIN, role: "admin" };
    if (this.isOpenHouse) {
      // A token that is not the admin's is a mistake to be told, not a request to watch.
      if (token !== undefined || !this.mayLoadPage(request)) return UNKNOWN;
      return { principal: LOOPBACK, role: "watcher" };
    }
    if (token !== undefined && knows(this.#tokens, token)) return { principal: TOKEN_HOLDER, role: "watcher" };
    return this.#ask(request, "watcher");
  }

  /** A shared server was bound to the network after the start. */
  #exposed(): Refusal {
    if (!this.#exposureReported) {
      this.#exposureReported = true;
      this.#report(new AuthError("the shared server is reachable from other machines: pass `token` or `authenticate`"));
    }
    return UNKNOWN;
  }

  #ask(request: IncomingMessage, role: Role): Verdict | Promise<Verdict> {
    const { authenticate, maxPending, requestTimeout } = this.#settings;
    if (authenticate === undefined) return UNKNOWN;
    if (this.#waiting.size >= maxPending) return BUSY;
    try {
      const answer = authenticate(request);
      return isAwaitable(answer) ? this.#wait(answer, requestTimeout, role) : this.#verdict(answer, role);
    } catch (error) {
      return this.#refusedBy(error);
    }
  }

  async #wait(answer: PromiseLike<string | undefined>, timeout: number, role: Role): Promise<Verdict> {
    const asked = Promise.resolve(answer).then(
      (principal) => this.#verdict(principal, role),
      (error: unknown) => this.#refusedBy(error),
    );
    let giveUp = nothing;
    const noAnswer = new Promise<Verdict>((resolve) => {
      giveUp = (): void => resolve(NO_ANSWER);
    });
    const timer = this.#clock.set(timeout, giveUp, false);
    this.#waiting.add(giveUp);
    try {
      return await Promise.race([asked, noAnswer]);
    } finally {
      this.#clock.clear(timer);
      this.#waiting.delete(giveUp);
    }
  }

  #verdict(principal: unknown, role: Role): Verdict {
    if (typeof principal !== "string" || principal === "") return UNKNOWN;
    const fault = guestPrincipalFault(principal);
    if (fault === undefined) return { principal, role };
    this.#report(new AuthError(`\`authenticate\` named a principal that is refused: ${fault}`));
    return UNKNOWN;
  }

  /** A hook says no by throwing an AuthError; anything else is a fault of the hook, which its owner wants to hear of. */
  #refusedBy(error: unknown): Refusal {
    if (!(error instanceof AuthError)) this.#report(new AuthError("`authenticate` failed", { cause: error }));
    return UNKNOWN;
  }
}
