/** A page that runs jobs in Web Workers of its own. For tests in a real browser. */
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { root } from "../support/package-files.ts";
import { modulePage, PageServer, type PageServerOptions } from "../support/page-server.ts";

/** What the page has at hand: the package, and ways to start a pool and to look at it. */
const SCRIPT = `
import { JobRunner } from "powerhose";
import { client } from "powerhose/tasks";
import { webWorkers } from "powerhose/web-workers";
const script = (name) => {
  const worker = new Worker("/fixtures/" + name + ".js", { type: "module" });
  made.push(worker);
  return worker;
};
const made = [];
const pools = [];
const pool = async (module, options = {}, runnerOptions = {}) => {
  const listen = webWorkers(module, { size: 1, restartMin: 1, restartMax: 20, ...options });
  const runner = new JobRunner({ listen, ...runnerOptions });
  const events = [];
  runner.on((event) => events.push(event));
  pools.push(runner);
  await runner.start();
  return { listen, runner, events, api: client(runner) };
};
const failureOf = async (promise) => {
  try {
    return "none: " + JSON.stringify(await promise);
  } catch (error) {
    return error.name + ": " + error.message;
  }
};
const until = async (condition) => {
  while (!condition()) await new Promise((resolve) => void setTimeout(resolve, 5));
};
Object.assign(globalThis, { JobRunner, webWorkers, client, script, made, pool, failureOf, until });
globalThis.stopAll = () => Promise.all(pools.splice(0).map((runner) => runner.stop()));
globalThis.isReady = true;
`;

/** One page, and the server it comes from. */
export class PageStage {
  readonly server: PageServer;
  readonly page: Page;
  /** What the page has said on its console, and the errors nothing has caught. */
  readonly said: readonly string[];

  private constructor(server: PageServer, page: Page, said: readonly string[]) {
    this.server = server;
    this.page = page;
    this.said = said;
  }

  static async open(browser: Browser, options: PageServerOptions = {}, script: string = SCRIPT): Promise<PageStage> {
    const server = await PageServer.start({
      ...options,
      // Each Web Worker loads some sixty modules.
      headers: { "Cache-Control": "max-age=600", Connection: "close", ...options.headers },
      files: { "/": modulePage(script), "/favicon.ico": "", ...options.files },
      folders: { "/fixtures/": join(root, "test/web-workers/fixtures"), ...options.folders },
    });
    const page = await browser.newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    await page.goto(`${server.origin}/`);
    await page.waitForFunction("globalThis.isReady === true", undefined, { polling: 20 });
    return new PageStage(server, page, said);
  }

  /** Runs the body of an async function in the page. Rejects with what it throws. */
  async run<T>(body: string): Promise<T> {
    return await this.page.evaluate<T>(`(async () => { ${body} })()`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
    await this.server.stop();
  }
}
