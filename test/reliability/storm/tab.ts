/** The tab of the storm: a page in a real Chromium, which is reloaded, crashed and opened again. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { fileURLToPath } from "node:url";
import { modulePage, PageServer } from "../../support/page-server.ts";

const SCRIPT = `
import { serveFromTab } from "powerhose/browser";
const url = decodeURIComponent(location.hash.slice(1));
const options = { module: "/fixtures/storm-tab.js", size: 1, identity: "tab", reconnectMax: 1000, onWarning: false };
window.share = await serveFromTab(url, options);
`;

/** The server of the page, with the ledger of its handlers. */
export async function tabServer(note: (line: string) => void): Promise<PageServer> {
  const server = await PageServer.start({
    files: { "/": modulePage(SCRIPT), "/favicon.ico": "" },
    folders: { "/fixtures/": fileURLToPath(new URL("../fixtures", import.meta.url)) },
  });
  server.files.set("/ledger", (request, response) => {
    let line = "";
    request.setEncoding("utf8").on("data", (text: string) => (line += text));
    request.once("end", () => {
      note(line);
      response.end();
    });
  });
  return server;
}

/** A tab that serves a runner. */
export class StormTab implements AsyncDisposable {
  readonly #context: BrowserContext;
  readonly #address: string;
  #page: Page | undefined;

  private constructor(context: BrowserContext, address: string) {
    this.#context = context;
    this.#address = address;
  }

  static async open(browser: Browser, origin: string, url: string): Promise<StormTab> {
    const tab = new StormTab(await browser.newContext(), `${origin}/#${encodeURIComponent(url)}`);
    await tab.#open();
    return tab;
  }

  /** Reloads the page: it leaves in order, and comes back. */
  async reload(): Promise<void> {
    await this.#page?.reload();
  }

  /** Kills the page's process, and opens another page. */
  async crash(): Promise<void> {
    const page = this.#page;
    await page?.goto("chrome://crash").catch(() => undefined); // that is its end
    await page?.close();
    await this.#open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
  }

  async #open(): Promise<void> {
    this.#page = await this.#context.newPage();
    await this.#page.goto(this.#address);
    await this.#page.waitForFunction("window.share !== undefined"); // its handler is loaded
  }
}
