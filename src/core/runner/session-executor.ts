/** Runs jobs on one session and no other: as many at a time as it has slots, the others in the order they came. */
import type { CallTarget } from "../dispatch/call-context.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { ExecuteOptions } from "../job/execute-options.ts";
import type { Job } from "../job/job.ts";
import type { PayloadStream } from "../job/payload-stream.ts";
import type { Payload } from "../peer.ts";
import { Scheduler } from "../pool/scheduler.ts";
import type { Waiter } from "../pool/waiter.ts";
import type { Session } from "../session/session.ts";

/** Waits behind the last job. */
class IdleWaiter implements Waiter<Session> {
  readonly avoid: undefined;
  sequence = 0;
  list: object | undefined;
  previous: Waiter<Session> | undefined;
  next: Waiter<Session> | undefined;
  readonly take: () => void;

  constructor(onIdle: () => void) {
    this.take = onIdle;
  }
}

/** The jobs of one session: those of a lease, which has one slot, or of `Session.execute`, which has all of them. */
export class SessionExecutor {
  readonly #dispatcher: Dispatcher;
  readonly #target: CallTarget;

  constructor(dispatcher: Dispatcher, session: Session, slots: number) {
    const scheduler = new Scheduler<Session>({ clock: dispatcher.clock });
    scheduler.add(session, slots);
    this.#dispatcher = dispatcher;
    this.#target = { scheduler, pinned: true };
  }

  /** Runs a job in one attempt. Rejects as `JobRunner.execute` does. */
  execute(job: Job | Payload, options?: ExecuteOptions): Promise<Payload> {
    return this.#dispatcher.execute(job, options, this.#target);
  }

  /** Runs a job that may give a stream, in one attempt. Rejects as `JobRunner.open` does. */
  open(job: Job | Payload, options?: ExecuteOptions): Promise<Payload | PayloadStream> {
    return this.#dispatcher.open(job, options, this.#target);
  }

  /** Calls `onIdle` once a slot is free and every earlier job has had one. */
  whenIdle(onIdle: () => void): void {
    this.#target.scheduler.wait(new IdleWaiter(onIdle));
  }
}
