/**
 * What a job asks of a worker: labels it must have, principals it must not belong to, and offers that it has turned out not to
 * fit. Equal selectors have equal keys; a job that asks for nothing has no selector. Knows no pool: see wait-queue.ts for the
 * queues, worker-index.ts for the workers that match.
 */
import { taskOf } from "../identifiers.ts";
import type { Peer } from "../peer.ts";

/** What a selector looks at. */
export interface Selectable {
  /** The labels it came with. */
  readonly labels?: readonly string[] | undefined;
  /** Its principal, if it is known. */
  readonly peer?: Pick<Peer, "principal"> | undefined;
  /** @internal Names what it offers now: another name once its slots or labels have changed. Absent: it cannot be excluded. */
  readonly offerId?: string | undefined;
}

const NONE: ReadonlySet<string> = new Set();

/** A sorted copy without doubles: the caller may change its list. */
function sortedUnique(labels: readonly string[]): readonly string[] {
  return [...new Set(labels)].sort();
}

/** Which workers will do. */
export class WorkerSelector {
  /** Equal for equal selectors. */
  readonly key: string;
  /** Labels that the worker must have, all of them. */
  readonly labels: readonly string[];
  /** Principals that the worker must not belong to. */
  readonly excludedPrincipals: ReadonlySet<string>;
  /** Offers of workers that it does not fit, although their labels say so. */
  readonly excludedOffers: ReadonlySet<string>;

  /** @param labels - Of the alphabet of identities. @param excludedPrincipals - Any texts. @param excludedOffers - Any texts. */
  constructor(
    labels: readonly string[],
    excludedPrincipals: ReadonlySet<string> = NONE,
    excludedOffers: ReadonlySet<string> = NONE,
  ) {
    this.labels = sortedUnique(labels);
    this.excludedPrincipals = excludedPrincipals;
    this.excludedOffers = excludedOffers;
    this.key = this.labels.join(" ");
    // Principals are any text, so that only JSON keeps them apart.
    if (excludedPrincipals.size > 0) this.key += ` except ${JSON.stringify([...excludedPrincipals].sort())}`;
    if (excludedOffers.size > 0) this.key += ` unfit ${JSON.stringify([...excludedOffers].sort())}`;
  }

  /** Whether a worker will do. */
  matches(worker: Selectable): boolean {
    const { labels, peer } = worker;
    if (peer !== undefined && this.excludedPrincipals.has(peer.principal)) return false;
    if (this.excludedOffers.size > 0 && this.excludedOffers.has(worker.offerId ?? "")) return false;
    return this.labels.every((label) => labels?.includes(label) === true);
  }

  /** What was asked for before offers were excluded; absent: nothing. */
  get asked(): WorkerSelector | undefined {
    if (this.excludedOffers.size === 0) return this;
    const { labels, excludedPrincipals } = this;
    if (labels.length === 0 && excludedPrincipals.size === 0) return undefined;
    return new WorkerSelector(labels, excludedPrincipals);
  }
}

const ANY = new WorkerSelector([]);

/** The selector of these labels; none when there are none. */
export function selectorFor(labels: readonly string[]): WorkerSelector | undefined {
  return labels.length === 0 ? undefined : new WorkerSelector(labels);
}

/** A selector that a worker does not match as long as its offer is the same. */
export function withoutOffer(selector: WorkerSelector | undefined, worker: Selectable): WorkerSelector {
  const { offerId } = worker;
  const { labels, excludedPrincipals, excludedOffers } = selector ?? ANY;
  const offers = offerId === undefined ? excludedOffers : new Set([...excludedOffers, offerId]);
  return new WorkerSelector(labels, excludedPrincipals, offers);
}

/** Labels in a message, ` with ` before them; empty when there are none. */
export function describeLabels(labels: readonly string[]): string {
  return labels.length === 0 ? "" : ` with ${nameLabels(labels)}`;
}

/** Labels in words: `the task resize and the labels cuda, gpu`. */
export function nameLabels(labels: readonly string[]): string {
  const tasks = labels.flatMap((label) => taskOf(label) ?? []);
  const others = labels.filter((label) => taskOf(label) === undefined);
  const parts = [describeList("task", tasks), describeList("label", others)].filter((part) => part !== "");
  return parts.join(" and ");
}

function describeList(what: string, names: readonly string[]): string {
  return names.length === 0 ? "" : `the ${what}${names.length === 1 ? "" : "s"} ${names.join(", ")}`;
}
