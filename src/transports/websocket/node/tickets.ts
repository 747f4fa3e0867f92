/**
 * One-time tickets of a listener: issued, kept for a moment, redeemed once. What a ticket allows is decided in admission.ts.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../../../core/time/clock.ts";
import { identityName } from "../../../core/identifiers.ts";
import { checkOptions, type Validator } from "../../../core/options.ts";
import { guestPrincipalFault } from "../../../core/transport/principal.ts";

/** The bearer of a ticket. */
export interface TicketOptions {
  /** The holder's principal. Names belong to principals, so give each volunteer one of its own. Not `local`, `loopback`, `token` or an address. */
  readonly principal: string;
  /** The only name its holder may register by: A-Z a-z 0-9 . _ : -, at most 128. Default: any that is not taken. */
  readonly identity?: string | undefined;
}

/** Tickets that are out at a time. They live for half a minute at most, so more is no crowd but a leak. */
const MAX_TICKETS = 10_000;
const TICKET_BYTES = 32;

const principalName: Validator = (value) =>
  typeof value === "string" && value !== "" ? undefined : "a non-empty string, the name of a principal";

interface IssuedTicket extends TicketOptions {
  readonly expires: number;
}

/** The tickets that are out. What is kept of each is a digest: a dump of this process gives none away. */
export class Tickets {
  readonly #lifetime: number;
  readonly #clock: Clock;
  /** By digest, in the order they were issued, which is the order in which they expire. */
  readonly #issued = new Map<string, IssuedTicket>();

  /** @param lifetime - How long a ticket is good for, in ms. */
  constructor(lifetime: number, clock: Clock) {
    this.#lifetime = lifetime;
    this.#clock = clock;
  }

  /** How many are out, those that have expired unnoticed included. */
  get size(): number {
    return this.#issued.size;
  }

  /**
   * Makes a ticket: 43 characters that need no escaping in an address.
   * @throws TypeError when an option is unknown or wrong, or the principal is one of a transport's own.
   * @throws RangeError when 10,000 are out.
   */
  issue(options: TicketOptions): string {
    checkOptions("issueTicket", options, { principal: principalName, identity: identityName });
    if (principalName(options.principal) !== undefined) throw new TypeError("issueTicket: `principal` is needed");
    const fault = guestPrincipalFault(options.principal);
    if (fault !== undefined) throw new TypeError(`issueTicket: ${fault}`);
    this.#forgetExpired();
    if (this.#issued.size >= MAX_TICKETS) {
      throw new RangeError(`issueTicket: ${MAX_TICKETS} tickets are out; ask for one when it is about to be used`);
    }
    const ticket = randomBytes(TICKET_BYTES).toString("base64url");
    const { principal, identity } = options;
    this.#issued.set(digest(ticket), { principal, identity, expires: this.#clock.now() + this.#lifetime });
    return ticket;
  }

  /** Whether a ticket is out and good. */
  has(ticket: string): boolean {
    const issued = this.#issued.get(digest(ticket));
    return issued !== undefined && issued.expires > this.#clock.now();
  }

  /** Takes a ticket back, for good, and returns its bearer; `undefined` when it is unknown, was used or has expired. */
  take(ticket: string): TicketOptions | undefined {
    const key = digest(ticket);
    const issued = this.#issued.get(key);
    this.#issued.delete(key);
    return issued === undefined || issued.expires <= this.#clock.now() ? undefined : issued;
  }

  #forgetExpired(): void {
    const now = this.#clock.now();
    for (const [key, { expires }] of this.#issued) {
      if (expires > now) break;
      this.#issued.delete(key);
    }
  }
}

/** Looking up a digest takes as long for a near miss as for any other: its bits say nothing of the ticket's. */
function digest(ticket: string): string {
  return createHash("sha256").update(ticket).digest("base64");
}
