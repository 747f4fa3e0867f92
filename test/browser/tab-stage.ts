/** A runner that listens for tabs, the pages they open, and what is to be seen of both. For tests in a real browser. */
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { JobRunner, type RunnerEvent, type RunnerOptions, type WorkerStats } from "../../src/index.ts";
import {
  listenWebSocket,
  type WebSocketListenerOptions,
  type WebSocketListener,
} from "../../src/transports/websocket/node/index.ts";
import { root } from "../support/package-files.ts";
import { modulePage, PageServer } from "../support/page-server.ts";

/** What all tabs of the tests know. */
export const TOKEN = "a token that is long enough for a test";

/** What the page of a tab does: `serveFromTab` with what it is given, in a variable; what became of it, in others. */
const SCRIPT = `
import { serveFromTab } from "powerhose/browser";
const { url, later, ticks, ...options } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
window.events = [];
window.serve = async (more = {}, address = url) => {
  window.failure = undefined;
  try {
    window.share = await serveFromTab(address, { ...options, ...more });
    share.on((event) => events.push(event));
  } catch (error) {
    window.failure = error.name + ": " + error.message;
  }
};
if (ticks) {
  const tick = () => fetch("/tick?" + document.visibilityState).then(() => setTimeout(tick, 50), () => undefined);
  tick();
}
if (!later) await serve();
`;

/** What a tab is given, besides the address. */
export interface TabGiven {
  /** The runner's address, when it is not the stage's. */
  readonly url?: string;
  readonly module?: string;
  readonly token?: string | undefined;
  readonly identity?: string;
  readonly size?: number;
  readonly labels?: readonly string[];
  readonly export?: string;
  readonly reconnectMax?: number;
  /** The page serves when it is told to, by `serve()`. */
  readonly later?: boolean;
  /** The page tells the server again and again, by its own timers, whether it is visible. */
  readonly ticks?: boolean;
}

/** One runner and the server of its pages. */
export class TabStage {
  readonly server: PageServer;
  readonly listener: WebSocketListener;
  readonly runner: JobRunner;
  readonly events: RunnerEvent[] = [];
  readonly #browser: Browser;
  readonly #waiting = new Set<() => void>();
  #context: BrowserContext | undefined;

  private constructor(browser: Browser, server: PageServer, listener: WebSocketListener, runner: JobRunner) {
    this.#browser = browser;
    this.server = server;
    this.listener = listener;
    this.runner = runner;
    runner.on((event) => {
      this.events.push(event);
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    });
  }

  static async start(
    browser: Browser,
    options: RunnerOptions = {},
    listen: WebSocketListenerOptions = { token: TOKEN },
  ): Promise<TabStage> {
    const server = await PageServer.start({
      files: { "/": modulePage(SCRIPT), "/favicon.ico": "" },
      folders: { "/handlers/": join(root, "test/browser/fixtures") },
    });
    const listener = listenWebSocket({ origins: [server.origin], ...listen });
    // Until a tab is there, jobs wait for it: a browser takes a while.
    const runner = new JobRunner({ listen: listener, acquireTimeout: 20_000, ...options });
    await runner.start();
    return new TabStage(browser, server, listener, runner);
  }

  /** The address of a page that becomes a tab. */
  address(given: TabGiven = {}, origin: string = this.server.origin): string {
    const options = { url: this.listener.address, module: "/handlers/jobs.js", size: 1, token: TOKEN, ...given };
    return `${origin}/#${encodeURIComponent(JSON.stringify(options))}`;
  }

  /** Where pages live that share nothing with another stage's. */
  async context(): Promise<BrowserContext> {
    return (this.#context ??= await this.#browser.newContext());
  }

  /** Opens a page that becomes a tab. */
  async open(given: TabGiven = {}, origin?: string): Promise<Page> {
    const page = await (await this.context()).newPage();
    await page.goto(this.address(given, origin));
    return page;
  }

  /** Resolves once there is what is looked for; looks after each event of the runner. */
  async until<T>(seek: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = seek();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => void this.#waiting.add(resolve));
    }
  }

  /** Resolves with the workers once there are so many. */
  workers(count: number): Promise<readonly WorkerStats[]> {
    return this.until(() => {
      const { workers } = this.runner.stats();
      return workers.length === count && workers;
    });
  }

  /** How often each event was told. */
  count(type: RunnerEvent["type"]): number {
    return this.events.filter((event) => event.type === type).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runner.stop();
    await this.#context?.close();
    await this.server.stop();
  }
}

/** A value of the page, by an expression. */
export async function look<T>(page: Page, expression: string): Promise<T> {
  return await page.evaluate<T>(expression);
}

/** Resolves once an expression of the page is true. */
export async function until(page: Page, expression: string): Promise<void> {
  await page.waitForFunction(expression, undefined, { polling: 50 });
}

/** Resolves with what `serveFromTab` rejected with. */
export async function failure(page: Page): Promise<string> {
  await until(page, "window.failure !== undefined");
  return await look(page, "failure");
}
