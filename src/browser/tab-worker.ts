/**
 * TabWorker: what a page sees of the tab it lends. Starts the Web Worker that holds the connection, passes on what happens to
 * the page, and keeps the last numbers it was told. What is done there is in tab-worker-host.ts.
 */
import { checkOptions, duration } from "../core/options.ts";
import { WorkerStartError } from "../index.ts";
import type { Asked, TabCommand, TabReport } from "./worker-protocol.ts";
import type { TabSetup } from "./options.ts";
import type { TabEvent, TabState, TabStats } from "./tab-events.ts";
import { errorText } from "./web-thread.ts";

function startSocketWorker(script: string | undefined): Worker {
  // Written so that bundlers see it: they look for this very form, its options included.
  if (script === undefined) return new Worker(new URL("./socket-entry.js", import.meta.url), { type: "module" });
  return new Worker(script, { type: "module" });
}

function startFailed(why: string, cause?: unknown): WorkerStartError {
  return new WorkerStartError(`the Web Worker that holds the connection could not be started: ${why}`, { cause });
}

/** A tab that serves jobs. Made by {@link serveFromTab}. */
export class TabWorker {
  /** The tab's stable name. */
  readonly identity: string;
  /** Fulfils once the tab has stopped, for whatever reason, and nothing of it is left running. */
  readonly closed: Promise<void>;
  /** @internal Resolves once a handler is loaded; rejects when none ever will be. */
  readonly ready: Promise<void>;
  readonly #orders: TabSetup;
  readonly #worker: Worker;
  readonly #listeners = new Set<(event: TabEvent) => void>();
  readonly #page = new AbortController();
  #stats: TabStats;
  #readied: (error?: Error) => void = () => undefined;
  #closed: () => void = () => undefined;

  /** @internal Throws WorkerStartError. */
  constructor(orders: TabSetup) {
    const { settings, token, ticket, socketScript } = orders;
    this.#orders = orders;
    this.identity = settings.identity;
    this.#stats = { state: "connecting", size: settings.size, running: 0, done: 0, failed: 0, rate: 0 };
    this.closed = new Promise((resolve) => (this.#closed = resolve));
    this.ready = new Promise((resolve, reject: (error: Error) => void) => {
      this.#readied = (error): void => (error === undefined ? resolve() : reject(error));
    });
    this.#worker = this.#start(socketScript);
    this.#watchPage();
    const asks: Asked[] = [];
    if (typeof token === "function") asks.push("token");
    if (ticket !== undefined) asks.push("ticket");
    const init = { settings, token: typeof token === "string" ? token : undefined, asks };
    this.#order({ command: "serve", init });
  }

  /** Where the tab is. */
  get state(): TabState {
    return this.#stats.state;
  }

  /** What it has and has done, as last told: at most a fifth of a second old. */
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
   * Takes no new jobs, finishes what runs, tells the runner, then stops. Aborts what is left after `timeout` ms.
   * Rejects with a TypeError or RangeError when the timeout is wrong.
   */
  drain(options: { readonly timeout?: number } = {}): Promise<void> {
    try {
      checkOptions("drain", options, { timeout: duration });
    } catch (error) {
      return Promise.reject(error);
    }
    this.#order({ command: "drain", timeout: options.timeout });
    return this.closed;
  }

  /** Leaves at once: the runner is told, and runs what runs here elsewhere. May be called twice. */
  stop(): Promise<void> {
    this.#order({ command: "stop" });
    return this.closed;
  }

  /** {@link TabWorker.drain}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  #start(script: string | undefined): Worker {
    try {
      const worker = startSocketWorker(script);
      worker.addEventListener("message", ({ data }: MessageEvent<TabReport>) => this.#heard(data));
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        const error = startFailed(errorText(event));
        this.#readied(error);
        this.#emit({ type: "trouble", message: error.message, final: true });
        this.#over();
      });
      return worker;
    } catch (error) {
      throw startFailed(error instanceof Error ? error.message : String(error), error);
    }
  }

  #order(command: TabCommand): void {
    this.#worker.postMessage(command);
  }

  /** What becomes of the page becomes of the tab. */
  #watchPage(): void {
    const { signal } = this.#page;
    const on = (target: EventTarget | undefined, type: string, act: (event: Event) => void): void =>
      target?.addEventListener(type, act, { signal });
    const { document } = globalThis as { document?: EventTarget };
    const go = (command: "leave" | "return" | "offline" | "online") => (): void => this.#order({ command });
    // Where the page ends with this, its Web Worker is about to end too. It gets to say REMOVE first more often than not, and
    // keeping the page busy for it was measured to make that no likelier.
    on(globalThis, "pagehide", go("leave"));
    on(globalThis, "pageshow", go("return"));
    on(document, "freeze", go("leave"));
    on(document, "resume", go("return"));
    on(globalThis, "offline", go("offline"));
    on(globalThis, "online", go("online"));
  }

  #heard(report: TabReport): void {
    switch (report.report) {
      case "ready":
        return this.#readied();
      case "failed":
        this.#readied(new WorkerStartError(report.message, { cause: report.cause }));
        return this.#over();
      case "event":
        this.#stats = report.stats;
        return this.#emit(report.event);
      case "ask":
        return void this.#answer(report.id, report.what);
      case "stopped":
        this.#readied(new WorkerStartError("the tab was stopped before a handler was loaded"));
        return this.#over();
      default:
        return report satisfies never;
    }
  }

  async #answer(id: number, what: Asked): Promise<void> {
    const { token, ticket } = this.#orders;
    const ask = what === "token" ? token : ticket;
    try {
      const text = typeof ask === "function" ? await ask() : ask;
      this.#order({ command: "answer", id, text, why: "it is not a text" });
    } catch (error) {
      this.#order({
        command: "answer",
        id,
        text: undefined,
        why: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #emit(event: TabEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        // A listener's mistake is the page's own, and no reason not to tell the others.
        reportError(error);
      }
    }
  }

  #over(): void {
    this.#page.abort();
    this.#worker.terminate();
    if (this.#stats.state !== "stopped") {
      this.#stats = { ...this.#stats, state: "stopped", running: 0 };
      this.#emit({ type: "tab-state", state: "stopped" });
    }
    this.#closed();
  }
}
