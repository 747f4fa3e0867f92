/** What every submitted job is to the queue, to timers and to events: of this runner's callers (call.ts), or of another runner's. */
import type { Payload } from "../peer.ts";
import type { Waiter } from "../pool/waiter.ts";
import type { WorkerSelector } from "../pool/worker-selector.ts";
import type { Session } from "../session/session.ts";
import { TimerEntry } from "../time/timer-queue.ts";

/** A job from its submission to its settlement. It is one timer entry for all its limits, as it waits for one of them at a time. */
export abstract class QueuedCall extends TimerEntry {
  sequence = 0;
  list: object | undefined;
  previous: Waiter<Session> | undefined;
  next: Waiter<Session> | undefined;
  bytes = 0;
  readonly id: number;
  createdAt: number;
  /** Which workers will do: what was asked for, without relays that have handed it back as unfit while others may fit. */
  selector: WorkerSelector | undefined;
  value: Payload | undefined;
  /** Whether that value ends a stream. */
  endsStream = false;
  error: unknown;
  lastWorker: string | undefined;

  constructor(id: number, createdAt: number, selector: WorkerSelector | undefined) {
    super();
    this.id = id;
    this.createdAt = createdAt;
    this.selector = selector;
  }

  /** Whether it settled with a value. */
  get ok(): boolean {
    return this.value !== undefined;
  }
}
