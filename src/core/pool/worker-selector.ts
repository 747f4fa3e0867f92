/**
 * What a job asks of a worker: labels it must have, and principals it must not belong to. Equal selectors have equal keys; a job
 * that asks for nothing has no selector. Knows no pool: see wait-queue.ts for the queues, worker-index.ts for the workers that
 * match.
 */
import type { Peer } from "../peer.ts";

/** What of a worker demands speak of. */
export interface Selectable {
  /** The labels it came with. */
  readonly labels?: readonly string[] | undefined;
  /** Who it is, as far as somebody knows. */
  readonly peer?: Pick<Peer, "principal"> | undefined;
}

const NOBODY: ReadonlySet<string> = new Set();

/** Labels in the order of the alphabet, each once. A copy: the list is the caller's, who may go on to change it. */
function tidy(labels: readonly string[]): readonly string[] {
  return [...new Set(labels)].sort();
}

/** Which workers will do. */
export class WorkerSelector {
  /** Equal for equal demands. */
  readonly key: string;
  /** Labels that the worker must have, all of them. */
  readonly labels: readonly string[];
  /** Principals that the worker must not belong to. */
  readonly excludedPrincipals: ReadonlySet<string>;

  /** @param labels - Of the alphabet of identities. @param excludedPrincipals - Any texts. */
  constructor(labels: readonly string[], excludedPrincipals: ReadonlySet<string> = NOBODY) {
    this.labels = tidy(labels);
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

/** The demand for these labels; none when there are none. */
export function selectorFor(labels: readonly string[]): WorkerSelector | undefined {
  return labels.length === 0 ? undefined : new WorkerSelector(labels);
}

/** What a worker must have to fit, for people: ` with the labels cuda, gpu`; empty when anybody fits. */
export function describeLabels(labels: readonly string[]): string {
  if (labels.length === 0) return "";
  return ` with the label${labels.length === 1 ? "" : "s"} ${labels.join(", ")}`;
}
