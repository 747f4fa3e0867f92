/**
 * The page's end of Web Workers that the page itself starts, by a function: only the page can call it. The supervisor is in the
 * Web Worker that holds the connection, and has remote-threads.ts in their place. Frames do not come by here: each has a port.
 */
import { errorLine } from "../core/describe-error.ts";
import type { HostedThread } from "../supervisor/thread-instance.ts";
import { spawnWebThread, type WebWorkerLike } from "../web-workers/web-thread.ts";
import type { TabCommand, ThreadRequest } from "./worker-protocol.ts";

/** The Web Workers that a page has started. */
export class PageThreads {
  readonly #start: () => WebWorkerLike;
  readonly #send: (command: TabCommand) => void;
  readonly #threads = new Map<number, HostedThread>();

  /** @param start - Returns a new Web Worker. */
  constructor(start: () => WebWorkerLike, send: (command: TabCommand) => void) {
    this.#start = start;
    this.#send = send;
  }

  /** Does what the supervisor asks for. */
  onRequest(request: ThreadRequest): void {
    const { id } = request;
    if (request.request === "start") return this.#spawn(id);
    const thread = this.#threads.get(id);
    if (request.request === "terminate") return thread?.terminate();
    const { init } = request;
    thread?.post(init, init.port);
  }

  /** Ends all of them. */
  stop(): void {
    for (const thread of this.#threads.values()) thread.terminate();
  }

  #spawn(id: number): void {
    const tell = (event: "message" | "error" | "exit", data: unknown): void =>
      this.#send({ command: "thread", id, event, data });
    try {
      const thread = spawnWebThread(this.#start, {
        onMessage: (message) => tell("message", message),
        onError: (error) => tell("error", error),
        onExit: (outcome) => {
          this.#threads.delete(id);
          tell("exit", outcome);
        },
      });
      this.#threads.set(id, thread);
    } catch (error) {
      tell("error", `the page could not start it: ${errorLine(error)}`);
      tell("exit", "never ran");
    }
  }
}
