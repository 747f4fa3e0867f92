/** A runner over WebSocket and real `powerhose work` processes that serve it. Nothing of them is left behind. */
import { fileURLToPath } from "node:url";
import { JobRunner, type RunnerEvent, type RunnerOptions } from "../../../src/index.ts";
import {
  listenWebSocket,
  type WebSocketListener,
  type WebSocketListenerOptions,
} from "../../../src/transports/websocket/node/index.ts";
import { Command } from "../child.ts";

/** A handler of fixtures/fates.js. */
export function fates(exportName: string): string {
  return `${fileURLToPath(new URL("../fixtures/fates.js", import.meta.url))}#${exportName}`;
}

/** The runner and its hosts. */
export class HostStage implements AsyncDisposable {
  readonly runner: JobRunner;
  readonly listener: WebSocketListener;
  readonly events: RunnerEvent[] = [];
  readonly #hosts: Command[] = [];

  private constructor(listener: WebSocketListener, options: RunnerOptions) {
    this.listener = listener;
    this.runner = new JobRunner({ listen: listener, acquireTimeout: 60_000, ...options });
    this.runner.on((event) => this.events.push(event));
  }

  static async start(options: RunnerOptions = {}, listen: WebSocketListenerOptions = {}): Promise<HostStage> {
    const stage = new HostStage(listenWebSocket(listen), options);
    await stage.runner.start();
    return stage;
  }

  /** Starts `powerhose work` at this runner, and resolves once all its threads are there. */
  async host(identity: string, module: string, threads: number = 1, ...more: readonly string[]): Promise<Command> {
    const host = await this.hostAt(this.listener.address, identity, module, threads, ...more);
    await this.until(() => this.#capacityOf(identity) === threads);
    return host;
  }

  /** Starts `powerhose work` at another runner, and resolves once it is registered there. */
  async hostAt(
    url: string,
    identity: string,
    module: string,
    threads: number = 1,
    ...more: readonly string[]
  ): Promise<Command> {
    const args = ["work", "-w", String(threads), "--identity", identity, "--connect", url];
    const host = new Command([...args, ...more, module]);
    this.#hosts.push(host);
    await host.says(/registered at/);
    return host;
  }

  /** Resolves once the condition holds; looks after each event of the runner. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        stop();
        resolve();
      };
      const stop = this.runner.on(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner.stop();
    for (const host of this.#hosts) await host[Symbol.asyncDispose]();
  }

  #capacityOf(name: string): number | undefined {
    return this.runner.stats().workers.find(({ identity }) => identity === name)?.capacity;
  }
}

/** The attempts that a host's handlers have begun, in order. */
export function begun({ stderr }: Command): readonly string[] {
  return [...stderr.matchAll(/^begun (.*)$/gm)].map(([, attempt = ""]) => attempt);
}
