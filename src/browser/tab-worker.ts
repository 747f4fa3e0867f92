/**
 * TabWorker: a page's handle of the tab it lends. Starts the Web Worker that holds the connection, passes on the page's events
 * and keeps the last numbers it got. See tab-worker-host.ts for the other end.
 */
import { Deferred } from "../core/async/deferred.ts";
import { describeError } from "../core/describe-error.ts";
import { checkOptions, duration } from "../core/options.ts";
import { warnOnConsole } from "../core/time/system.ts";
import { WorkerStartError } from "../index.ts";
import type { CredentialKind, TabCommand, TabReport } from "./worker-protocol.ts";
import type { TabSetup } from "./options.ts";
import type { TabEvent, TabState, TabStats } from "./tab-events.ts";
import { PageThreads } from "./page-threads.ts";
import { errorText } from "../web-workers/web-thread.ts";

function startSocketWorker(script: string | undefined): Worker {
  // Bundlers look for exactly this form, its options included.
  if (script === undefined) return new Worker(new URL("./socket-entry.js", import.meta.url), { type: "module" });
  return new Worker(script, { type: "module" });
}

function startFailed(reason: string, cause?: unknown): WorkerStartError {
  return new WorkerStartError(`the Web Worker that holds the connection could not be started: ${reason}`, { cause });
}

/** A tab that serves jobs. Made by {@link serveFromTab}. */
export class TabWorker {
  /** The tab's stable name. */
  readonly identity: string;
  /** Fulfils once the tab has stopped, for whatever reason, and nothing of it is left running. */
  readonly closed: Promise<void>;
  /** @internal Resolves once a handler is loaded; rejects when none ever will be. */
  readonly ready: Promise<void>;
  readonly #setup: TabSetup;
  readonly #worker: Worker;
  readonly #listeners = new Set<(event: TabEvent) => void>();
  readonly #page = new AbortController();
  readonly #ready = new Deferred<void>();
  readonly #closed = new Deferred<void>();
  /** The Web Workers of the handlers, where the page starts them. */
  readonly #threads: PageThreads | undefined;
  #stats: TabStats;

  /** @internal Throws WorkerStartError. */
  constructor(setup: TabSetup) {
    const { settings, token, ticket, socketScript, start } = setup;
    this.#setup = setup;
    this.identity = settings.identity;
    this.#stats = { state: "connecting", size: settings.size, running: 0, done: 0, failed: 0, rate: 0 };
    this.closed = this.#closed.promise;
    this.ready = this.#ready.promise;
    this.#threads = start === undefined ? undefined : new PageThreads(start, (command) => this.#send(command));
    this.#worker = this.#start(socketScript);
    this.#watchPage();
    const requested: CredentialKind[] = [];
    if (typeof token === "function") requested.push("token");
    if (ticket !== undefined) requested.push("ticket");
    const init = { settings, token: typeof token === "string" ? token : undefined, requested };
    this.#send({ command: "serve", init });
  }

  /** The tab's state. */
  get state(): TabState {
    return this.#stats.state;
  }

  /** Its numbers: at most a fifth of a second old. */
  get stats(): TabStats {
    return this.#stats;
  }

  /** Calls `listener` for every event; the returned function ends that. */
  on(listener: (event: TabEvent) => void): () => void {
    // A function of its own, so that the same listener may be given twice.
    const own = (event: TabEvent): void => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /**
   * Takes no new jobs, finishes what runs, notifies the runner, then stops. Aborts what is left after `timeout` ms.
   * Rejects with a TypeError or RangeError when the timeout is wrong.
   */
  drain(options: { readonly timeout?: number } = {}): Promise<void> {
    try {
      checkOptions("drain", options, { timeout: duration });
    } catch (error) {
      return Promise.reject(error);
    }
    this.#send({ command: "drain", timeout: options.timeout });
    return this.closed;
  }

  /** Leaves at once: the runner is notified, and runs the jobs of this tab elsewhere. May be called twice. */
  stop(): Promise<void> {
    this.#send({ command: "stop" });
    return this.closed;
  }

  /** {@link TabWorker.drain}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  #start(script: string | undefined): Worker {
    try {
      const worker = startSocketWorker(script);
      worker.addEventListener("message", ({ data }: MessageEvent<TabReport>) => this.#onReport(data));
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        const error = startFailed(errorText(event));
        this.#ready.reject(error);
        this.#emit({ type: "trouble", message: error.message, final: true });
        this.#end();
      });
      return worker;
    } catch (error) {
      throw startFailed(describeError(error), error);
    }
  }

  #send(command: TabCommand): void {
    this.#worker.postMessage(command);
  }

  /** Passes on that the page goes away, comes back, or loses its network. */
  #watchPage(): void {
    const { signal } = this.#page;
    const on = (target: EventTarget | undefined, type: string, act: (event: Event) => void): void =>
      target?.addEventListener(type, act, { signal });
    const { document } = globalThis as { document?: EventTarget };
    const go = (command: "leave" | "return" | "offline" | "online") => (): void => this.#send({ command });
    // A page that ends takes its Web Worker with it, which has sent REMOVE by then more often than not. Measured: keeping the
    // page busy for it makes that no likelier.
    on(globalThis, "pagehide", go("leave"));
    on(globalThis, "pageshow", go("return"));
    on(document, "freeze", go("leave"));
    on(document, "resume", go("return"));
    on(globalThis, "offline", go("offline"));
    on(globalThis, "online", go("online"));
  }

  #onReport(report: TabReport): void {
    switch (report.report) {
      case "ready":
        return this.#ready.resolve();
      case "failed":
        this.#ready.reject(new WorkerStartError(report.message, { cause: report.cause }));
        return this.#end();
      case "event":
        this.#stats = report.stats;
        return this.#emit(report.event);
      case "thread":
        return this.#threads?.onRequest(report);
      case "warning":
        return this.#warn(new Error(report.message));
      case "ask":
        return void this.#answer(report.id, report.credential);
      case "stopped":
        this.#ready.reject(new WorkerStartError("the tab was stopped before a handler was loaded"));
        return this.#end();
      default:
        return report satisfies never;
    }
  }

  #warn(warning: Error): void {
    const { onWarning = warnOnConsole } = this.#setup;
    if (onWarning !== false) onWarning(warning);
  }

  async #answer(id: number, credential: CredentialKind): Promise<void> {
    const { token, ticket } = this.#setup;
    const ask = credential === "token" ? token : ticket;
    try {
      const text = typeof ask === "function" ? await ask() : ask;
      this.#send({ command: "answer", id, text, reason: "it is not a text" });
    } catch (error) {
      this.#send({ command: "answer", id, text: undefined, reason: describeError(error) });
    }
  }

  #emit(event: TabEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // An error in one listener is the page's own; the others are still called.
        reportError(error);
      }
    }
  }

  #end(): void {
    this.#page.abort();
    this.#worker.terminate();
    this.#threads?.stop();
    if (this.#stats.state !== "stopped") {
      this.#stats = { ...this.#stats, state: "stopped", running: 0 };
      this.#emit({ type: "tab-state", state: "stopped" });
    }
    this.#closed.resolve();
  }
}
