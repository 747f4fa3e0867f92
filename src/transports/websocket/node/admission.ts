/**
 * Decides, before anything is upgraded or answered, whether a request may open a WebSocket, load the dashboard or read the
 * status: origin, host, subprotocol, credentials. The one place where a token is compared and an origin is checked. Answers with
 * a refusal or a principal. How many may connect is decided in limits.ts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Clock } from "../../../core/time/clock.ts";
import { AuthError, type PowerhoseError } from "../../../core/errors.ts";
import { guestPrincipalFault, LOOPBACK, TOKEN_HOLDER } from "../../../core/transport/principal.ts";
import { DASHBOARD_SUBPROTOCOL } from "../../../dashboard/protocol.ts";
import { BEARER_PREFIX, isLoopback, SUBPROTOCOL } from "../address.ts";
import { ConnectionLimits, networkOf } from "./limits.ts";
import type { Authenticate, WebSocketListenerSettings } from "./options.ts";
import { Tickets } from "./tickets.ts";

/** What is answered instead of an upgrade. */
export interface Refusal {
  /** The HTTP status. */
  readonly status: 400 | 401 | 403 | 404 | 503;
  /** The body: for people, and nothing about this process. */
  readonly text: string;
}

/** What a request is admitted to: work, watch the page, or act on the runner by way of it. */
export type Role = "worker" | "watcher" | "admin";

/** A request that is admitted. */
export interface Admitted {
  /** The principal of its sender. */
  readonly principal: string;
  /** What may be done with the connection. */
  readonly role: Role;
  /** The only name a worker may register by, if its ticket says so. */
  readonly identity?: string | undefined;
}

/** The result of authorization. */
export type Decision = Admitted | Refusal;

const ADMIN = "admin";
export const BUSY: Refusal = { status: 503, text: "too many connections, try again later" };
/** An address that was named is cut to this length. */
const MAX_ADDRESS = 128;
/** The answer to a status request that is refused: it does not say why. */
const STATUS_REFUSED = "a valid token is required";
const NO_ORIGIN: Refusal = { status: 403, text: "this origin is not allowed" };
const NO_PROTOCOL: Refusal = { status: 400, text: `expected the subprotocol ${SUBPROTOCOL}` };
const UNKNOWN: Refusal = { status: 401, text: "a valid token is required" };
const NO_ANSWER: Refusal = { status: 503, text: "no decision in time" };

function nothing(): void {}

function digest(text: string | Uint8Array): Uint8Array {
  return createHash("sha256").update(text).digest();
}

/** Hashing first makes the lengths equal, and looking at all of them tells nothing about which one it was. */
function knows(tokens: readonly Uint8Array[], shown: readonly Uint8Array[]): boolean {
  let found = false;
  for (const token of shown.map(digest)) for (const known of tokens) found = timingSafeEqual(known, token) || found;
  return found;
}

/** The bytes of a token in a header, whose characters stand for a byte each. Outside ASCII it may be UTF-8, or Latin-1. */
function headerBytes(text: string): Uint8Array[] {
  const isAscii = /^[\x20-\x7e]*$/.test(text);
  return isAscii ? [Buffer.from(text)] : [Buffer.from(text, "latin1"), Buffer.from(text, "utf8")];
}

function subprotocols(request: IncomingMessage): string[] {
  return (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
}

/** The token that the request shows, as it may be read, from the header or from the subprotocol list; the header wins. */
function shownToken(request: IncomingMessage): readonly Uint8Array[] | undefined {
  const header = request.headers.authorization;
  if (header !== undefined) {
    // Not `trim`, which takes away bytes of UTF-8 as well.
    const text = header.slice(7).replace(/^[ \t]+|[ \t]+$/g, "");
    return header.slice(0, 7).toLowerCase() === "bearer " ? headerBytes(text) : undefined;
  }
  const bearer = subprotocols(request).find((name) => name.startsWith(BEARER_PREFIX));
  return bearer === undefined ? undefined : [Buffer.from(bearer.slice(BEARER_PREFIX.length), "base64url")];
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

/** Anything `await` would wait for, promises of other realms and libraries included. */
function isAwaitable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** A request that came over loopback, or over a pipe, which has no address. */
function isLocal(request: IncomingMessage): boolean {
  return request.socket.localAddress === undefined || isLoopback(request.socket.localAddress);
}

/** The admission of one listener, from start to stop. */
export class Admission {
  readonly #settings: WebSocketListenerSettings;
  readonly #clock: Clock;
  readonly #report: (error: PowerhoseError) => void;
  /** The one-time tickets that are out. */
  readonly tickets: Tickets;
  readonly #tokens: readonly Uint8Array[];
  readonly #adminTokens: readonly Uint8Array[];
  /** How many connections there are, and may be. */
  readonly limits: ConnectionLimits;
  /** The handshakes that wait for `authenticate`: how to end the wait of each. */
  readonly #waiting = new Set<() => void>();
  #exposureReported = false;

  constructor(settings: WebSocketListenerSettings, clock: Clock, report: (error: PowerhoseError) => void) {
    this.#settings = settings;
    this.#clock = clock;
    this.#report = report;
    this.tickets = new Tickets(settings.ticketLifetime, clock);
    this.#tokens = settings.tokens.map(digest);
    this.#adminTokens = (settings.dashboard?.admins ?? []).map(digest);
    this.limits = new ConnectionLimits(settings, clock);
  }

  /** Whether a request needs no credentials. */
  get allowsAnonymous(): boolean {
    return this.#tokens.length === 0 && this.#settings.authenticate === undefined;
  }

  /** The address a request came from, as far as that can be told. */
  addressOf(request: IncomingMessage): string {
    const { addressOf } = this.#settings;
    const seen = request.socket.remoteAddress ?? "";
    if (addressOf === undefined) return seen;
    try {
      const named: unknown = addressOf(request);
      return typeof named === "string" && named !== "" ? named.slice(0, MAX_ADDRESS) : seen;
    } catch (error) {
      this.#report(new AuthError("`addressOf` failed", { cause: error }));
      return seen;
    }
  }

  /** What the limits of one address count a request with. */
  networkOf(request: IncomingMessage): string {
    return networkOf(this.addressOf(request));
  }

  /** Takes a place for the connection of a request; `false` when there is none. */
  enter(request: IncomingMessage, network: string): boolean {
    return this.limits.enter(network, () => this.#showsSecret(request));
  }

  /** Whether a request shows a token or a ticket that is good: told without a hook, and without using the ticket up. */
  #showsSecret(request: IncomingMessage): boolean {
    const token = shownToken(request);
    if (token !== undefined && knows([...this.#tokens, ...this.#adminTokens], token)) return true;
    const ticket = shownTicket(request);
    return ticket !== undefined && this.tickets.has(ticket);
  }

  /** A request was answered with a refusal: too many, and their network is refused for a while. */
  refused(request: IncomingMessage, { status }: Refusal): void {
    if (status !== 503 && status !== 404) this.limits.refused(this.networkOf(request));
  }

  /** Ends every wait for `authenticate` with a refusal. */
  close(): void {
    for (const giveUp of this.#waiting) giveUp();
  }

  /** Authorizes an upgrade. A promise only when `authenticate` makes one. */
  authorize(request: IncomingMessage): Decision | Promise<Decision> {
    const { origin } = request.headers;
    if (origin !== undefined && !this.#settings.origins.includes(origin) && !this.#isOurPage(request, origin)) {
      return NO_ORIGIN;
    }
    const offered = subprotocols(request);
    if (offered.includes(SUBPROTOCOL)) return this.#authorizeWorker(request);
    if (this.#settings.dashboard !== undefined && offered.includes(DASHBOARD_SUBPROTOCOL))
      return this.#authorizeViewer(request);
    return NO_PROTOCOL;
  }

  /**
   * Whether a request may be told the status: whatever could also connect as a worker, or act on the runner. Never a web
   * page, which sends `Origin`. Without credentials only this machine, and not under a name that was pointed here.
   */
  authorizeStatus(request: IncomingMessage): Decision | Promise<Decision> {
    if (request.headers.origin !== undefined) return { status: 403, text: STATUS_REFUSED };
    if (this.allowsAnonymous && !this.mayLoadPage(request)) return { status: 403, text: STATUS_REFUSED };
    if (this.allowsAnonymous) return { principal: LOOPBACK, role: "watcher" };
    const token = shownToken(request);
    if (token !== undefined && knows([...this.#tokens, ...this.#adminTokens], token))
      return { principal: TOKEN_HOLDER, role: "watcher" };
    return this.#askHook(request, "watcher");
  }

  /**
   * Whether a request may load the page, which holds no data itself. Where no credentials are needed, only from this machine,
   * and not under a foreign name that points here.
   */
  mayLoadPage(request: IncomingMessage): boolean {
    return !this.allowsAnonymous || (isLocal(request) && isCalledLoopback(request));
  }

  /** Whether the origin is the page served here, by the host name in the request. */
  #isOurPage(request: IncomingMessage, origin: string): boolean {
    if (this.#settings.dashboard === undefined || !this.mayLoadPage(request)) return false;
    const { host } = request.headers;
    // A proxy that ends the encryption before a plain server says `https`.
    return origin === `https://${host}` || (!isEncrypted(request) && origin === `http://${host}`);
  }

  #authorizeWorker(request: IncomingMessage): Decision | Promise<Decision> {
    const ticket = shownTicket(request);
    // Used up whatever follows: a ticket that was seen once is no secret any more.
    const holder = ticket === undefined ? undefined : this.tickets.take(ticket);
    if (holder !== undefined) return { principal: holder.principal, identity: holder.identity, role: "worker" };
    if (this.allowsAnonymous) {
      if (!isLocal(request)) return this.#refuseExposed();
      return ticket === undefined ? { principal: LOOPBACK, role: "worker" } : UNKNOWN;
    }
    const token = shownToken(request);
    if (token !== undefined && knows(this.#tokens, token)) return { principal: TOKEN_HOLDER, role: "worker" };
    // The hook may read tickets of its own making.
    return this.#askHook(request, "worker");
  }

  #authorizeViewer(request: IncomingMessage): Decision | Promise<Decision> {
    const token = shownToken(request);
    if (token !== undefined && knows(this.#adminTokens, token)) return { principal: ADMIN, role: "admin" };
    if (this.allowsAnonymous) {
      // A token that is not the admin's is a mistake to be told, not a request to watch.
      if (token !== undefined || !this.mayLoadPage(request)) return UNKNOWN;
      return { principal: LOOPBACK, role: "watcher" };
    }
    if (token !== undefined && knows(this.#tokens, token)) return { principal: TOKEN_HOLDER, role: "watcher" };
    return this.#askHook(request, "watcher");
  }

  /** A shared server was bound to the network after the start. */
  #refuseExposed(): Refusal {
    if (!this.#exposureReported) {
      this.#exposureReported = true;
      this.#report(new AuthError("the shared server is reachable from other machines: pass `token` or `authenticate`"));
    }
    return UNKNOWN;
  }

  #askHook(request: IncomingMessage, role: Role): Decision | Promise<Decision> {
    const { authenticate } = this.#settings;
    if (authenticate === undefined) return UNKNOWN;
    const network = this.networkOf(request);
    if (!this.limits.beginPending(network)) return BUSY;
    const decision = this.#callHook(authenticate, request, role);
    if (decision instanceof Promise) return decision.finally(() => this.limits.endPending(network));
    this.limits.endPending(network);
    return decision;
  }

  #callHook(authenticate: Authenticate, request: IncomingMessage, role: Role): Decision | Promise<Decision> {
    try {
      const answer = authenticate(request);
      return isAwaitable(answer) ? this.#waitForHook(answer, role) : this.#decisionFor(answer, role);
    } catch (error) {
      return this.#refusedBy(error);
    }
  }

  async #waitForHook(answer: PromiseLike<string | undefined>, role: Role): Promise<Decision> {
    const asked = Promise.resolve(answer).then(
      (principal) => this.#decisionFor(principal, role),
      (error: unknown) => this.#refusedBy(error),
    );
    let giveUp = nothing;
    const noAnswer = new Promise<Decision>((resolve) => {
      giveUp = (): void => resolve(NO_ANSWER);
    });
    const timer = this.#clock.set(this.#settings.requestTimeout, giveUp, false);
    this.#waiting.add(giveUp);
    try {
      return await Promise.race([asked, noAnswer]);
    } finally {
      this.#clock.clear(timer);
      this.#waiting.delete(giveUp);
    }
  }

  #decisionFor(principal: unknown, role: Role): Decision {
    if (typeof principal !== "string" || principal === "") return UNKNOWN;
    const fault = guestPrincipalFault(principal);
    if (fault === undefined) return { principal, role };
    this.#report(new AuthError(`\`authenticate\` named a principal that is refused: ${fault}`));
    return UNKNOWN;
  }

  /** A hook refuses by throwing an AuthError; anything else is a fault of the hook, and reported. */
  #refusedBy(error: unknown): Refusal {
    if (!(error instanceof AuthError)) this.#report(new AuthError("`authenticate` failed", { cause: error }));
    return UNKNOWN;
  }
}
