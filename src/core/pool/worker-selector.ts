/**
 * What a job asks of a worker: labels it must have, and principals it must not belong to. Equal selectors have equal keys; a job
 * that asks for nothing has no selector. Knows no pool: see wait-queue.ts for the queues, worker-index.ts for the workers that
 * match.
 */
import { taskOf } from "../identifiers.ts";
import type { Peer } from "../peer.ts";

/** What a selector looks at. */
export interface Selectable {
  /** The labels it came with. */
  readonly labels?: readonly string[] | undefined;
  /** Its principal, if it is known. */
  readonly peer?: Pick<Peer, "principal"> | undefined;
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

  /** @param labels - Of the alphabet of identities. @param excludedPrincipals - Any texts. */
  constructor(labels: readonly string[], excludedPrincipals: ReadonlySet<string> = NONE) {
    this.labels = sortedUnique(labels);
    this.excludedPrincipals = excludedPrincipals;
    this.key = this.labels.join(" ");
    // Principals are any text, so that only JSON keeps them apart.
    if (excludedPrincipals.size > 0) this.key += ` except ${JSON.stringify([...excludedPrincipals].sort())}`;
  }

  /** Whether a worker will do. */
  matches({ labels, peer }: Selectable): boolean {
    if (peer !== undefined && this.excludedPrincipals.has(peer.principal)) return false;
    return this.labels.every((label) => labels?.includes(label) === true);
  }
}

/** The selector of these labels; none when there are none. */
export function selectorFor(labels: readonly string[]): WorkerSelector | undefined {
  return labels.length === 0 ? undefined : new WorkerSelector(labels);
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
