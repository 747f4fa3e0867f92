/** A worker for pools under test: counts how often it was closed, and tries to get at the pool while it is. */
import type { PooledWorker } from "../../src/core/pool/scheduler.ts";

/** Something a pool can hold. */
export class Pooled implements PooledWorker {
  readonly identity: string;
  readonly capacity: number;
  readonly labels: readonly string[];
  readonly peer: { readonly principal: string };
  readonly offerId: string;
  /** Unlike the identity, unique in a run. */
  readonly name: string;
  /** Called when the pool closes it. */
  onClose: () => void = () => undefined;
  closes = 0;

  constructor(identity: string, capacity: number, labels: readonly string[], name: string) {
    this.identity = identity;
    this.capacity = capacity;
    this.labels = labels;
    this.peer = { principal: `owner of ${identity}` };
    this.offerId = `offer of ${identity}`;
    this.name = name;
  }

  close(): void {
    this.closes++;
    this.onClose();
  }
}
