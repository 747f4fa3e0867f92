/**
 * How many connections a listener holds, in all and of one network, and how fast they may come. Which may connect is decided in
 * admission.ts.
 */
import type { Clock } from "../../../core/time/clock.ts";
import { TokenBucket } from "../../../core/time/token-bucket.ts";
import type { WebSocketListenerSettings } from "./options.ts";

/** Networks whose refusals are remembered. When there are more, the one refused longest ago is forgotten. */
const MAX_REFUSED_NETWORKS = 4_096;
/** Refusals that a network may have at once, as a multiple of those a second. */
const REFUSAL_BURST_SECONDS = 10;

/** The limits that are kept here. */
export type ConnectionLimitSettings = Pick<
  WebSocketListenerSettings,
  | "maxConnections"
  | "maxConnectionsPerAddress"
  | "maxPending"
  | "maxPendingPerAddress"
  | "acceptRate"
  | "refusalRatePerAddress"
>;

/** The four groups of an IPv6 address that name its network; `::` stands for as many zeros as are missing. */
function ipv6Network(address: string): string {
  const [head = "", tail] = address.split("::", 2);
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - front.length - back.length }, () => "0");
  const groups = [...front, ...zeros, ...back].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${groups.join(":")}::/64`;
}

/**
 * What counts as one address: an IPv4 address, or the /64 network of an IPv6 address, as one host has all of that network.
 * Any other text counts as it is.
 */
export function networkOf(address: string): string {
  const bare = address.replace(/%.*$/, "").toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  return /^[0-9a-f:]+$/.test(bare) && bare.includes(":") ? ipv6Network(bare) : bare;
}

/** Counts things by name. A name whose count is 0 is not kept. */
class Counts {
  readonly #counts = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  countOf(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string): void {
    this.#total++;
    this.#counts.set(name, this.countOf(name) + 1);
  }

  remove(name: string): void {
    this.#total--;
    const left = this.countOf(name) - 1;
    if (left > 0) this.#counts.set(name, left);
    else this.#counts.delete(name);
  }
}

/** The connections of one listener, from start to stop. Every `network` is a result of {@link networkOf}. */
export class ConnectionLimits {
  readonly #settings: ConnectionLimitSettings;
  readonly #clock: Clock;
  readonly #acceptBudget: TokenBucket;
  readonly #open = new Counts();
  readonly #pending = new Counts();
  /** By network, the one refused longest ago first. */
  readonly #refusals = new Map<string, TokenBucket>();

  constructor(settings: ConnectionLimitSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#acceptBudget = new TokenBucket({ burst: settings.acceptRate, refill: settings.acceptRate }, clock.now());
  }

  /** Networks whose refusals are remembered. */
  get refusedNetworks(): number {
    return this.#refusals.size;
  }

  /**
   * Takes a place for a connection, to be given back with {@link leave}; `false` when there is none. From a network that
   * was refused too often only what `isKnown` is let in, and nothing else costs the others any of the rate.
   */
  enter(network: string, isKnown: () => boolean): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#settings;
    if (this.#open.total >= maxConnections || this.#open.countOf(network) >= maxConnectionsPerAddress) return false;
    if (this.#refusals.get(network)?.isEmpty(this.#clock.now()) === true && !isKnown()) return false;
    if (!this.#acceptBudget.spend(this.#clock.now())) return false;
    this.#open.add(network);
    return true;
  }

  /** Gives a place back. */
  leave(network: string): void {
    this.#open.remove(network);
  }

  /** Takes a place among the handshakes that wait for `authenticate`; `false` when there is none. */
  beginPending(network: string): boolean {
    const { maxPending, maxPendingPerAddress } = this.#settings;
    if (this.#pending.total >= maxPending || this.#pending.countOf(network) >= maxPendingPerAddress) return false;
    this.#pending.add(network);
    return true;
  }

  /** Gives that place back. */
  endPending(network: string): void {
    this.#pending.remove(network);
  }

  /** A request was refused for what it showed. */
  refused(network: string): void {
    const perSecond = this.#settings.refusalRatePerAddress;
    if (perSecond === Number.POSITIVE_INFINITY) return;
    const now = this.#clock.now();
    const burst = perSecond * REFUSAL_BURST_SECONDS;
    const budget = this.#refusals.get(network) ?? new TokenBucket({ burst, refill: perSecond }, now);
    budget.spend(now);
    this.#refusals.delete(network);
    this.#refusals.set(network, budget);
    if (this.#refusals.size <= MAX_REFUSED_NETWORKS) return;
    const [oldest] = this.#refusals.keys();
    if (oldest !== undefined) this.#refusals.delete(oldest);
  }
}
