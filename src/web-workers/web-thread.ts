/**
 * A Web Worker as a thread of supervisor/thread-instance.ts. A browser has no event for the end of a Web Worker. An `error`
 * event is a crash; of every other end a lock tells, which the worker holds and which becomes free. Why no heartbeat: a
 * handler may compute for long. See serve-scope.ts for the other end.
 */
import { systemClock } from "../index.ts";
import type { HostedEvents, HostedThread } from "../supervisor/thread-instance.ts";
import type { ThreadInit, ThreadPort } from "../supervisor/thread-protocol.ts";
import { type ServeNote, serveNoteIn } from "./serve-note.ts";

/** What is read of a Web Worker's events. */
export interface WebWorkerEvent {
  /** `message` or `error`. */
  readonly type: string;
  /** What was posted, for a `message`. */
  readonly data?: unknown;
  /** Keeps an `error` from the page's console. */
  preventDefault(): void;
}

/** The part of a browser's `Worker` that is used. */
export interface WebWorkerLike {
  /** Posts a message; the ports in `transfer` change hands. */
  postMessage(message: unknown, transfer: object[]): void;
  /** Listens to `message` and `error`. */
  addEventListener(type: string, listener: (event: WebWorkerEvent) => void): void;
  /** Ends it at once. */
  terminate(): void;
}

/** Starts the Web Worker that runs this package's script, or the same script from another URL. */
export function startPackaged(script: string | undefined): WebWorkerLike {
  // Bundlers look for exactly this form, its options included.
  if (script === undefined) return new Worker(new URL("./entry.js", import.meta.url), { type: "module" });
  return new Worker(script, { type: "module" });
}

/** The text of a Web Worker's `error` event. One without a message means that its script did not load. */
export function errorText(event: object): string {
  if (!(event instanceof ErrorEvent)) return "its script could not be loaded";
  const { message, filename, lineno } = event;
  return filename === "" ? message : `${message} (${filename}:${lineno})`;
}

/** Those that were started: each is served once. */
const started = new WeakSet<object>();

function startNew(start: () => WebWorkerLike): WebWorkerLike {
  const worker: unknown = start();
  const methods = ["postMessage", "addEventListener", "terminate"];
  const isWorker =
    typeof worker === "object" &&
    worker !== null &&
    methods.every((name) => typeof Reflect.get(worker, name) === "function");
  if (!isWorker) throw new TypeError("the function has to return a new Web Worker, and returned something else");
  if (started.has(worker))
    throw new Error("the function returned a Web Worker a second time; it has to make a new one");
  started.add(worker);
  return worker as WebWorkerLike;
}

class WebThread implements HostedThread {
  readonly portCloses = false;
  readonly #worker: WebWorkerLike;
  readonly #events: HostedEvents;
  readonly #lock = new AbortController();
  /** The message that waits until the script listens. */
  #init: { readonly init: ThreadInit; readonly port: ThreadPort } | undefined;
  #isServing = false;
  #hasEnded = false;

  constructor(start: () => WebWorkerLike, events: HostedEvents) {
    this.#worker = startNew(start);
    this.#events = events;
    this.#worker.addEventListener("message", ({ data }) => this.#onMessage(data));
    // After an uncaught error a Web Worker would go on in an unknown state.
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#events.onError(errorText(event));
      this.#end("crashed");
    });
  }

  get startTrouble(): string | undefined {
    return this.#isServing ? undefined : "its script has not called `serve` of powerhose/web-workers/serve";
  }

  post(init: ThreadInit, port: ThreadPort): void {
    this.#init = { init, port };
    this.#sendInit();
  }

  terminate(): void {
    this.#end("was terminated");
  }

  #onMessage(data: unknown): void {
    const note = serveNoteIn(data);
    if (note === undefined) return this.#events.onMessage(data);
    if (this.#isServing) return;
    this.#isServing = true;
    this.#watch(note);
    this.#sendInit();
  }

  /** Not before the script listens: what arrives while it awaits something at its top level is lost. */
  #sendInit(): void {
    if (this.#init === undefined || !this.#isServing) return;
    const { init, port } = this.#init;
    this.#init = undefined;
    this.#worker.postMessage(init, [port]);
  }

  #watch({ lock }: ServeNote): void {
    if (lock === undefined) return;
    const { signal } = this.#lock;
    navigator.locks.request(lock, { signal }, () => this.#end("has ended")).catch(() => undefined);
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#lock.abort();
    this.#worker.terminate();
    systemClock.nextTurn(() => this.#events.onExit(reason));
  }
}

/** Starts a Web Worker. Throws what the browser throws, and when `start` returns no new Web Worker. */
export function spawnWebThread(start: () => WebWorkerLike, events: HostedEvents): HostedThread {
  return new WebThread(start, events);
}
