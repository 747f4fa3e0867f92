/** The listener around the Web Workers: how they are started. See supervisor/thread-pool.ts for their number. */
import type { Listener, ListenerContext } from "../core/transport/listener.ts";
import type { Socket } from "../core/transport/socket.ts";
import { ThreadPoolListener } from "../supervisor/listener.ts";
import { poolPlans } from "../supervisor/pool-options.ts";
import { pageModuleUrl, type WebWorkersOptions, webWorkersSettings } from "./options.ts";
import { absoluteUrl } from "./page-url.ts";
import { spawnWebThread, startPackaged, type WebWorkerLike } from "./web-thread.ts";

/** Starts Web Workers and accepts them as workers. Made by {@link webWorkers}. */
export class WebWorkersListener implements Listener {
  /** For people to read: `3 web workers of https://…/square.js`. */
  readonly address: string;
  /** How many Web Workers there are while it is started. */
  readonly size: number;
  readonly #pool: ThreadPoolListener;

  /** @internal */
  constructor(module: string | URL | (() => WebWorkerLike), options: WebWorkersOptions) {
    const url = typeof module === "function" ? "" : pageModuleUrl(module);
    const settings = webWorkersSettings(options);
    const { size, script, restartMin, restartMax, maxCrashes, stopTimeout } = settings;
    const scriptUrl = script === undefined ? undefined : absoluteUrl("webWorkers", script, "script");
    const start = typeof module === "function" ? module : (): WebWorkerLike => startPackaged(scriptUrl);
    this.size = size;
    this.address = `${size} ${size === 1 ? "web worker" : "web workers"}${url === "" ? "" : ` of ${url}`}`;
    this.#pool = new ThreadPoolListener({
      owner: "webWorkers",
      address: this.address,
      restartMin,
      restartMax,
      maxCrashes,
      stopTimeout,
      plans: (context) => poolPlans(url, settings, context, (_identity, events) => spawnWebThread(start, events)),
    });
  }

  /**
   * Starts the Web Workers. Resolves once one of them is registered; rejects with WorkerStartError, and leaves nothing running,
   * when none of them gets so far: its message says why, and it may be started again. Rejects with RunnerStoppedError when
   * stopped first. The same `accept` may be started again; another one is refused with an `Error`.
   */
  start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    return this.#pool.start(accept, context);
  }

  /** Ends the Web Workers, within a moment even when a handler spins, and resolves once none is left. Tasks with a `close` get `stopTimeout`
   * for it. May be called twice. */
  stop(): Promise<void> {
    return this.#pool.stop();
  }
}
