/**
 * The Web Worker that holds a tab's connection: a Worker that faces the fleet, and a runner over the Web Workers that run its
 * jobs. Carries out the page's commands. See tab-worker.ts for the page's end.
 */
import { describeError } from "../core/describe-error.ts";
import { MAX_PAYLOAD } from "../core/options.ts";
import { ThreadPoolListener } from "../supervisor/listener.ts";
import type { ThreadPlan } from "../supervisor/thread-instance.ts";
import {
  type Dialer,
  JobRunner,
  relay,
  type RunnerEvent,
  Worker,
  type WorkerEvent,
  WorkerStartError,
} from "../index.ts";
import { dialWebSocket } from "../transports/websocket/index.ts";
import type { TabCommand, TabReport, TabInit } from "./worker-protocol.ts";
import { OnlineDialer } from "./online-dialer.ts";
import type { TabSettings } from "./options.ts";
import { CredentialRequests } from "./credential-requests.ts";
import type { TabState } from "./tab-events.ts";
import { RemoteThreads } from "./remote-threads.ts";
import { TabCounters } from "./tab-counters.ts";
import { spawnWebThread, startPackaged } from "../web-workers/web-thread.ts";

/** The time in which the handler of a cancelled job may return before its Web Worker is terminated, in ms. */
const CANCEL_GRACE_MS = 300;

/** Warnings that are remembered. More of them, each with other words, are told anew. */
const MAX_WARNED = 32;

const UNLIMITED = Number.POSITIVE_INFINITY;

function planOf(settings: TabSettings, threads: RemoteThreads, number: number, maxFrameBytes: number): ThreadPlan {
  const { module, export: exportName, startTimeout, handlerScript, startedByPage } = settings;
  const init = { module, exportName, identity: `web-worker-${number}`, capacity: 1, labels: [] };
  return {
    title: `web worker ${number}`,
    init: { ...init, maxJobs: UNLIMITED, maxAge: UNLIMITED, maxPayload: Math.min(maxFrameBytes, MAX_PAYLOAD) },
    startTimeout,
    maxFrameBytes,
    spawn: (events) =>
      startedByPage ? threads.spawn(events) : spawnWebThread(() => startPackaged(handlerScript), events),
  };
}

function runnerOf(settings: TabSettings, threads: RemoteThreads): JobRunner {
  const { size, module, restartMin, restartMax, maxCrashes, maxPayload } = settings;
  const plans = ({ maxFrameBytes }: { readonly maxFrameBytes: number }): ThreadPlan[] =>
    Array.from({ length: size }, (_, index) => planOf(settings, threads, index + 1, maxFrameBytes));
  const address = `${size} web workers${module === "" ? "" : ` of ${module}`}`;
  const listen = new ThreadPoolListener({ owner: "serveFromTab", address, restartMin, restartMax, maxCrashes, plans });
  return new JobRunner({
    listen,
    maxPayload,
    maxBuffered: Math.max(8_388_608, 2 * maxPayload),
    cancelGrace: CANCEL_GRACE_MS,
  });
}

function dialerOf({ settings, token, requested }: TabInit, credentials: CredentialRequests): Dialer {
  return dialWebSocket(settings.url, {
    token: requested.includes("token") ? (): Promise<string> => credentials.request("token") : token,
    ticket: requested.includes("ticket") ? (): Promise<string> => credentials.request("ticket") : undefined,
    allowInsecure: settings.allowInsecure,
  });
}

/** What serves one init. */
interface TabRuntime {
  readonly settings: TabSettings;
  readonly dialer: OnlineDialer;
  readonly runner: JobRunner;
  readonly counters: TabCounters;
}

/** Serves one tab. */
export class TabWorkerHost {
  readonly #report: (report: TabReport, transfer?: object[]) => void;
  readonly #credentials: CredentialRequests;
  readonly #threads: RemoteThreads;
  #runtime: TabRuntime | undefined;
  #worker: Worker | undefined;
  /** Whether a handler is loaded. Before that the tab does not dial. */
  #loaded = false;
  #away = false;
  #ending: Promise<void> | undefined;
  #shown: TabState | undefined;
  /** What was told since it was registered. A page that was away goes on with a new Worker, which would tell it again. */
  readonly #warned = new Set<string>();

  constructor(report: (report: TabReport, transfer?: object[]) => void) {
    this.#report = report;
    this.#credentials = new CredentialRequests(report);
    this.#threads = new RemoteThreads(report);
  }

  /** Carries out a command of the page. */
  handle(command: TabCommand): void {
    switch (command.command) {
      case "serve":
        return void this.#serve(command.init);
      case "answer":
        return this.#credentials.onAnswer(command);
      case "thread":
        return this.#threads.onEvent(command);
      case "leave":
        return this.#leave();
      case "return":
        return this.#return();
      case "offline":
        this.#runtime?.dialer.setOnline(false);
        return this.#show();
      case "online":
        return this.#online();
      case "drain":
        return void this.#end((worker) =>
          worker.drain(command.timeout === undefined ? {} : { timeout: command.timeout }),
        );
      case "stop":
        return void this.#end((worker) => worker.stop());
      default:
        return command satisfies never;
    }
  }

  async #serve(init: TabInit): Promise<void> {
    const { settings } = init;
    const dialer = new OnlineDialer(dialerOf(init, this.#credentials));
    const runner = runnerOf(settings, this.#threads);
    const running = (): number => runner.calls.running;
    const counters = new TabCounters(settings.size, running, () => this.#progress());
    this.#runtime = { settings, counters, dialer, runner };
    runner.on((event) => {
      counters.onEvent(event);
      this.#onRunnerEvent(event);
    });
    try {
      await runner.start();
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      this.#report({ report: "failed", message: describeError(error), cause });
      return;
    }
    if (this.#ending !== undefined) return;
    this.#report({ report: "ready" });
    this.#loaded = true;
    if (!this.#away) this.#connect();
  }

  /** Starts to dial, as a new Worker: a stopped one cannot start again. */
  #connect(): void {
    if (this.#runtime === undefined || !this.#loaded || this.#ending !== undefined) return;
    const { settings, dialer, runner } = this.#runtime;
    const { identity, labels, maxPayload, reconnectMin, reconnectMax, drainTimeout } = settings;
    const worker = new Worker({
      dial: dialer,
      handler: relay(runner),
      identity,
      labels,
      maxPayload,
      reconnectMin,
      reconnectMax,
      drainTimeout,
      onWarning: ({ message }) => this.#warn(message),
    });
    this.#worker = worker;
    worker.on((event) => this.#onWorkerEvent(worker, event));
    // The runner turned it away for good, unless this end stopped it.
    worker.start().catch((error: unknown) => {
      if (worker !== this.#worker || this.#away || this.#ending !== undefined) return;
      this.#giveUp(describeError(error));
    });
  }

  #leave(): void {
    if (this.#away) return;
    this.#away = true;
    void this.#worker?.stop();
    this.#show();
  }

  #return(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#connect();
    this.#show();
  }

  /** Dials at once, without waiting for the end of a backoff. */
  #online(): void {
    this.#runtime?.dialer.setOnline(true);
    this.#worker?.reconnectNow();
    this.#show();
  }

  #end(leave: (worker: Worker) => Promise<void>): Promise<void> {
    // A stop that follows a drain hurries it.
    const left = this.#worker === undefined ? Promise.resolve() : leave(this.#worker);
    this.#ending ??= left.then(async () => {
      this.#runtime?.counters.stop();
      await this.#runtime?.runner.stop();
      this.#show();
      this.#report({ report: "stopped" });
    });
    return this.#ending;
  }

  #giveUp(message: string): void {
    this.#trouble(message, true);
    void this.#end((worker) => worker.stop());
  }

  #onWorkerEvent(worker: Worker, event: WorkerEvent): void {
    if (worker !== this.#worker) return;
    if (event.type === "worker-state") this.#show();
    if (worker.state === "registered") this.#warned.clear();
    if (event.type === "disconnected" && event.retryIn !== undefined) this.#trouble(event.message, false);
  }

  #onRunnerEvent(event: RunnerEvent): void {
    if (event.type !== "listener-error" || this.#runtime === undefined) return;
    const { error } = event;
    if (error instanceof WorkerStartError && error.givenUp === "all") this.#giveUp(error.message);
    else this.#trouble(error.message, false);
  }

  get #state(): TabState {
    const state = this.#worker?.state ?? "connecting";
    if (this.#ending !== undefined) return state === "draining" ? "draining" : "stopped";
    if (this.#away) return "away";
    const dialling = state === "connecting" || state === "disconnected";
    if (dialling && this.#runtime?.dialer.isOnline === false) return "offline";
    return state === "created" ? "connecting" : state;
  }

  #show(): void {
    const state = this.#state;
    if (this.#runtime === undefined || state === this.#shown) return;
    this.#shown = state;
    this.#report({ report: "event", event: { type: "tab-state", state }, stats: this.#runtime.counters.stats(state) });
  }

  #progress(): void {
    if (this.#runtime === undefined) return;
    const stats = this.#runtime.counters.stats(this.#state);
    this.#report({ report: "event", event: { type: "progress", stats }, stats });
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    if (this.#warned.size >= MAX_WARNED) this.#warned.clear();
    this.#warned.add(message);
    this.#report({ report: "warning", message });
  }

  #trouble(message: string, final: boolean): void {
    if (this.#runtime === undefined) return;
    const stats = this.#runtime.counters.stats(this.#state);
    this.#report({ report: "event", event: { type: "trouble", message, final }, stats });
  }
}
