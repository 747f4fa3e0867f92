/**
 * A tab's two halves in the Web Worker that holds its connection: a Worker that faces the fleet, and a runner over the Web
 * Workers that run its jobs. Does what the page orders; what the page sees is tab-worker.ts.
 */
import { MAX_PAYLOAD } from "../core/options.ts";
import { ThreadPoolListener } from "../supervisor/listener.ts";
import type { ThreadPlan } from "../supervisor/thread-instance.ts";
import { type Dialer, JobRunner, type RunnerEvent, Worker, type WorkerEvent, WorkerStartError } from "../index.ts";
import { dialWebSocket } from "../transports/websocket/index.ts";
import type { TabCommand, TabReport, TabInit } from "./worker-protocol.ts";
import { OnlineDialer } from "./online-dialer.ts";
import type { TabSettings } from "./options.ts";
import { CredentialRequests } from "./credential-requests.ts";
import { CANCEL_GRACE, SlotAccurateRelay } from "./slot-accurate-relay.ts";
import type { TabState } from "./tab-events.ts";
import { TabCounters } from "./tab-counters.ts";
import { spawnWebThread } from "./web-thread.ts";

const UNLIMITED = Number.POSITIVE_INFINITY;

function planOf(settings: TabSettings, number: number, maxFrameBytes: number): ThreadPlan {
  const { module, export: exportName, startTimeout, handlerScript } = settings;
  const boot = { module, exportName, identity: `web-worker-${number}`, capacity: 1, labels: [] };
  return {
    title: `web worker ${number}`,
    init: { ...boot, maxJobs: UNLIMITED, maxAge: UNLIMITED, maxPayload: Math.min(maxFrameBytes, MAX_PAYLOAD) },
    startTimeout,
    maxFrameBytes,
    spawn: (events) => spawnWebThread(handlerScript, events),
  };
}

function runnerOf(settings: TabSettings): JobRunner {
  const { size, module, restartMin, restartMax, maxCrashes, maxPayload } = settings;
  const plans = (maxFrameBytes: number): ThreadPlan[] =>
    Array.from({ length: size }, (_, index) => planOf(settings, index + 1, maxFrameBytes));
  const address = `${size} web workers of ${module}`;
  const listen = new ThreadPoolListener({ owner: "serveFromTab", address, restartMin, restartMax, maxCrashes, plans });
  return new JobRunner({
    listen,
    maxPayload,
    maxBuffered: Math.max(8_388_608, 2 * maxPayload),
    cancelGrace: CANCEL_GRACE,
  });
}

function dialerOf({ settings, token, asks }: TabInit, secrets: CredentialRequests): Dialer {
  return dialWebSocket(settings.url, {
    token: asks.includes("token") ? (): Promise<string> => secrets.ask("token") : token,
    ticket: asks.includes("ticket") ? (): Promise<string> => secrets.ask("ticket") : undefined,
    allowInsecure: settings.allowInsecure,
  });
}

/** Everything that was made for one errand. */
interface TabRuntime {
  readonly settings: TabSettings;
  readonly gate: OnlineDialer;
  readonly runner: JobRunner;
  readonly relay: SlotAccurateRelay;
  readonly tally: TabCounters;
}

/** Serves one tab. */
export class TabWorkerHost {
  readonly #tell: (report: TabReport) => void;
  readonly #secrets: CredentialRequests;
  #runtime: TabRuntime | undefined;
  #worker: Worker | undefined;
  /** Whether a handler is loaded: before that there is nobody to give a job to. */
  #loaded = false;
  #away = false;
  #ending: Promise<void> | undefined;
  #shown: TabState | undefined;
  /** Places for Web Workers that were given up. */
  #givenUp = 0;

  constructor(tell: (report: TabReport) => void) {
    this.#tell = tell;
    this.#secrets = new CredentialRequests(tell);
  }

  /** Does what the page says. */
  handle(command: TabCommand): void {
    switch (command.command) {
      case "serve":
        return void this.#serve(command.init);
      case "answer":
        return this.#secrets.answered(command);
      case "leave":
        return this.#leave();
      case "return":
        return this.#return();
      case "offline":
        this.#runtime?.gate.set(false);
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
    const tally = new TabCounters(settings.size, () => this.#progress());
    const gate = new OnlineDialer(dialerOf(init, this.#secrets));
    const runner = runnerOf(settings);
    this.#runtime = { settings, tally, gate, runner, relay: new SlotAccurateRelay(runner, settings.size, tally) };
    runner.on((event) => this.#heardInside(event));
    try {
      await runner.start();
    } catch (error) {
      const words = error instanceof Error ? error : new Error(String(error));
      this.#tell({ report: "failed", message: words.message, cause: words.cause });
      return;
    }
    if (this.#ending !== undefined) return;
    this.#tell({ report: "ready" });
    this.#loaded = true;
    if (!this.#away) this.#connect();
  }

  /** Begins to dial, as a new Worker: one that has been stopped does not come back. */
  #connect(): void {
    if (this.#runtime === undefined || !this.#loaded || this.#ending !== undefined) return;
    const { settings, gate, relay } = this.#runtime;
    const { identity, size, labels, maxPayload, reconnectMin, reconnectMax, drainTimeout } = settings;
    const worker = new Worker({
      dial: gate,
      handler: relay.handler,
      identity,
      capacity: size,
      blocking: false,
      labels,
      maxPayload,
      reconnectMin,
      reconnectMax,
      drainTimeout,
    });
    this.#worker = worker;
    worker.on((event) => this.#heardOutside(worker, event));
    // Turned away for good, unless this end stopped it.
    worker.start().catch((error: unknown) => {
      if (worker !== this.#worker || this.#away || this.#ending !== undefined) return;
      this.#giveUp(error instanceof Error ? error.message : String(error));
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

  /** Dials at once: not when the pause that it may be in is over. */
  #online(): void {
    this.#runtime?.gate.set(true);
    this.#worker?.reconnectNow();
    this.#show();
  }

  #end(leave: (worker: Worker) => Promise<void>): Promise<void> {
    // A stop that follows a drain hurries it.
    const left = this.#worker === undefined ? Promise.resolve() : leave(this.#worker);
    this.#ending ??= left.then(async () => {
      this.#runtime?.tally.stop();
      await this.#runtime?.runner.stop();
      this.#show();
      this.#tell({ report: "stopped" });
    });
    return this.#ending;
  }

  #giveUp(message: string): void {
    this.#trouble(message, true);
    void this.#end((worker) => worker.stop());
  }

  #heardOutside(worker: Worker, event: WorkerEvent): void {
    if (worker !== this.#worker) return;
    if (event.type === "worker-state") this.#show();
    if (event.type === "disconnected" && event.retryIn !== undefined) this.#trouble(event.message, false);
  }

  #heardInside(event: RunnerEvent): void {
    if (event.type !== "listener-error" || this.#runtime === undefined) return;
    const { error } = event;
    const isTriedAgain = error instanceof WorkerStartError && error.retryIn !== undefined;
    const none = !isTriedAgain && ++this.#givenUp === this.#runtime.settings.size;
    if (none) this.#giveUp(error.message);
    else this.#trouble(error.message, false);
  }

  get #state(): TabState {
    const state = this.#worker?.state ?? "connecting";
    if (this.#ending !== undefined) return state === "draining" ? "draining" : "stopped";
    if (this.#away) return "away";
    const dialling = state === "connecting" || state === "disconnected";
    if (dialling && this.#runtime?.gate.isOpen === false) return "offline";
    return state === "created" ? "connecting" : state;
  }

  #show(): void {
    const state = this.#state;
    if (this.#runtime === undefined || state === this.#shown) return;
    this.#shown = state;
    this.#tell({ report: "event", event: { type: "tab-state", state }, stats: this.#runtime.tally.stats(state) });
  }

  #progress(): void {
    if (this.#runtime === undefined) return;
    const stats = this.#runtime.tally.stats(this.#state);
    this.#tell({ report: "event", event: { type: "progress", stats }, stats });
  }

  #trouble(message: string, final: boolean): void {
    if (this.#runtime === undefined) return;
    const stats = this.#runtime.tally.stats(this.#state);
    this.#tell({ report: "event", event: { type: "trouble", message, final }, stats });
  }
}
