/** The options of `listenNats` and `dialNats`, and their checks. Browser-safe. */
import {
  checkOptions,
  hasMethods,
  integer,
  isClock,
  isRandom,
  type Validator,
  type Validators,
} from "../../core/options.ts";
import type { Clock, Random } from "../../core/time/clock.ts";
import { systemClock, systemRandom } from "../../core/time/system.ts";
import { guestPrincipalFault } from "../../core/transport/principal.ts";
import { CONNECTION_METHODS, type NatsConnectionLike } from "./connection.ts";
import { subjectToken } from "./subjects.ts";

/** What both ends of a fleet take. */
export interface NatsOptions {
  /**
   * The fleet: runners and workers that name the same one, within one account of the server, find each other. 1 to 64
   * characters of `A-Z a-z 0-9 _ -`.
   */
  readonly fleet: string;
  /** The clock to live by. Default: the host's. */
  readonly clock?: Clock | undefined;
  /** Where names of subjects come from; they must not repeat. Default: the host's random numbers. */
  readonly random?: Random | undefined;
}

/** Options of {@link listenNats}. */
export interface NatsListenerOptions extends NatsOptions {
  /** Connections held at a time, 1 to 1,000,000; more are refused. Default: 10,000. */
  readonly maxConnections?: number | undefined;
}

/** Options of {@link dialNats}. */
export interface DialNatsOptions extends NatsOptions {
  /**
   * The party to be taken for: the server must allow the connection's user its subjects, and no other. 1 to 64 characters
   * of `A-Z a-z 0-9 _ -`, and none of `RESERVED_PRINCIPALS`.
   */
  readonly principal: string;
}

/** Connections of a listener unless it says otherwise. */
const MAX_CONNECTIONS = 10_000;

const COMMON: Validators<NatsOptions> = { fleet: subjectToken, clock: isClock, random: isRandom };
const LISTEN: Validators<NatsListenerOptions> = { ...COMMON, maxConnections: integer(1, 1_000_000) };
/** The fleet's runners refuse such a principal, too. */
const guestPrincipal: Validator = (value) =>
  subjectToken(value) ?? (guestPrincipalFault(String(value)) === undefined ? undefined : NO_TRANSPORTS_OWN);
const NO_TRANSPORTS_OWN = "a name that transports do not give peers of their own, such as `local`";
const DIAL: Validators<DialNatsOptions> = { ...COMMON, principal: guestPrincipal };

const connection = hasMethods("a connection of the NATS client", ...CONNECTION_METHODS);

/** What both ends use. */
export interface NatsSettings {
  readonly nc: NatsConnectionLike;
  readonly fleet: string;
  readonly clock: Clock;
  readonly random: Random;
}

function settings(owner: string, nc: NatsConnectionLike, { fleet, clock, random }: NatsOptions): NatsSettings {
  const expected = connection(nc);
  if (expected !== undefined)
    throw new TypeError(`${owner}: expected ${expected}, got \`${nc === null ? "null" : typeof nc}\``);
  if (fleet === undefined) throw new TypeError(`${owner}: \`fleet\` is needed: ${String(subjectToken(fleet))}`);
  return { nc, fleet, clock: clock ?? systemClock, random: random ?? systemRandom };
}

/** What a listener uses. Throws what `listenNats` throws. */
export function natsListenerSettings(
  nc: NatsConnectionLike,
  options: NatsListenerOptions,
): NatsSettings & { readonly maxConnections: number } {
  checkOptions("listenNats", options, LISTEN);
  return { ...settings("listenNats", nc, options), maxConnections: options.maxConnections ?? MAX_CONNECTIONS };
}

/** What a dialer uses. Throws what `dialNats` throws. */
export function natsDialSettings(
  nc: NatsConnectionLike,
  options: DialNatsOptions,
): NatsSettings & { readonly principal: string } {
  checkOptions("dialNats", options, DIAL);
  const { principal } = options;
  if (principal === undefined)
    throw new TypeError(`dialNats: \`principal\` is needed: ${String(subjectToken(principal))}`);
  return { ...settings("dialNats", nc, options), principal };
}
