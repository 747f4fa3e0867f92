/** Web Workers that the page starts, as the supervisor sees them. See page-threads.ts for the other end. */
import type { HostedEvents, HostedThread } from "../supervisor/thread-instance.ts";
import type { TabCommand, TabReport } from "./worker-protocol.ts";

/** Those of one tab. */
export class RemoteThreads {
  readonly #report: (report: TabReport, transfer?: object[]) => void;
  readonly #events = new Map<number, HostedEvents>();
  #last = 0;

  constructor(report: (report: TabReport, transfer?: object[]) => void) {
    this.#report = report;
  }

  /** Has the page start one. */
  spawn(events: HostedEvents): HostedThread {
    const id = ++this.#last;
    this.#events.set(id, events);
    this.#report({ report: "thread", request: "start", id });
    return {
      portCloses: false,
      post: (init, port) => this.#report({ report: "thread", request: "post", id, init }, [port]),
      terminate: () => this.#report({ report: "thread", request: "terminate", id }),
    };
  }

  /** Passes on what the page tells of one. */
  onEvent({ id, event, data }: TabCommand & { readonly command: "thread" }): void {
    const events = this.#events.get(id);
    if (event === "message") return events?.onMessage(data);
    if (event === "error") return events?.onError(data);
    this.#events.delete(id);
    events?.onExit(String(data));
  }
}
