/** The dashboard in a real Chromium: what it shows, to whom, and how it looks there. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { JobRunner, Worker } from "../../src/index.ts";
import { DASHBOARD_SUBPROTOCOL } from "../../src/dashboard/protocol.ts";
import {
  dialWebSocket,
  listenWebSocket,
  type WebSocketListener,
  type WebSocketListenerOptions,
} from "../../src/transports/websocket/node/index.ts";
import { MAX_VIEWERS } from "../../src/transports/websocket/node/dashboard-endpoint.ts";
import { describeInChromium } from "../support/chromium.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LEND = join(import.meta.dirname, "../browser/fixtures/lend.js");
const TOKEN = "correct horse battery staple";
const HOSTILE = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>\u202e`;
const WIDE = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 360, height: 780 } };

/** A runner with a dashboard, and workers of this process that reach it over the network. */
class House {
  readonly listener: WebSocketListener;
  readonly runner: JobRunner;
  readonly #workers: Worker[] = [];

  constructor(options: WebSocketListenerOptions) {
    this.listener = listenWebSocket(options);
    this.runner = new JobRunner({ listen: this.listener });
  }

  static async open(options: WebSocketListenerOptions = { dashboard: true }): Promise<House> {
    const house = new House(options);
    await house.runner.start();
    return house;
  }

  get url(): string {
    return this.listener.address.replace(/^ws/, "http");
  }

  async worker(identity: string, labels: readonly string[] = []): Promise<void> {
    const handler = (job: { data: string | Uint8Array }): string => {
      if (job.data === "bad") throw new RangeError(HOSTILE);
      return "done";
    };
    const worker = new Worker({ dial: dialWebSocket(this.listener.address), identity, labels, handler });
    this.#workers.push(worker);
    await worker.start();
  }

  /** Another worker of the same name, in the place of all there were. */
  async replace(identity: string, labels: readonly string[]): Promise<void> {
    for (const worker of this.#workers.splice(0)) await worker.stop();
    await this.worker(identity, labels);
  }

  /** Some jobs that succeed and one that fails. */
  async work(jobs: number): Promise<void> {
    await Promise.all(Array.from({ length: jobs }, () => this.runner.execute("good")));
    await this.runner.execute("bad", { attempts: 1 }).catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) await worker.stop();
    await this.runner.stop();
  }
}

/** What axe has against a page. */
async function violations(page: Page): Promise<readonly string[]> {
  return await page.evaluate(
    `${AXE};axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map((node) => node.target).join()))`,
  );
}

async function overflow(page: Page): Promise<number> {
  return await page.evaluate("document.documentElement.scrollWidth - innerWidth");
}

describeInChromium("the dashboard", (browser) => {
  // Named, to be looked at and kept; else they only have to be there.
  const keep = process.env["POWERHOSE_SHOTS"];
  const shots = keep ?? mkdtempSync(join(tmpdir(), "powerhose-dashboard-"));
  afterAll(() => {
    if (keep === undefined) rmSync(shots, { recursive: true });
  });

  /** A page in a profile of its own, which is gone with it. */
  async function look(
    url: string,
    options: BrowserContextOptions,
    act: (page: Page, faults: readonly string[]) => Promise<void>,
  ): Promise<void> {
    const context = await browser().newContext(options);
    try {
      const page = await context.newPage();
      const faults: string[] = [];
      page.on("pageerror", (error) => faults.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error") faults.push(message.text());
      });
      await page.goto(url);
      await act(page, faults);
    } finally {
      await context.close();
    }
  }

  async function shoot(page: Page, name: string): Promise<void> {
    const path = join(shots, `${name}.png`);
    await page.screenshot({ path, fullPage: true });
    expect(statSync(path).size).toBeGreaterThan(1_000);
  }

  test("shows workers, throughput and failures, and hostile words as words", async () => {
    await using house = await House.open();
    await house.worker("w-1", ["gpu"]);
    await house.worker("w-2");
    await look(house.url, WIDE, async (page, faults) => {
      await page.locator("#why", { hasText: "Nothing to do: no job waits." }).waitFor();
      await house.work(200);
      await page.locator("#failures li").waitFor();
      const rows = page.locator("#workers tbody tr");
      expect(await rows.count()).toBe(2);
      expect(await rows.first().innerText()).toMatch(/w-1\s*gpu\s+idle\s+127\.0\.0\.1:\d+\s+websocket\s+0 \/ 1/);
      expect(await page.locator("#tiles").innerText()).toMatch(/Done\s+200/);
      expect(await page.locator("#charts canvas").count()).toBe(3);
      const failure = await page.locator("#failures li").innerText();
      expect(failure).toContain("ExecutionError");
      expect(failure).toContain(`onerror="document.title='owned'"`);
      expect(failure).toContain("\\u202e");
      expect(await page.locator("#failures img, #failures script").count()).toBe(0);
      expect(await page.title()).toBe("powerhose");
      expect(faults).toEqual([]);
    });
  });

  test.each(["light", "dark"] as const)("has nothing axe would mend, in %s", async (theme) => {
    await using house = await House.open({ dashboard: { admin: "root", lend: LEND } });
    await house.worker("w-1", ["gpu"]);
    await look(`${house.url}#token=root`, { ...WIDE, colorScheme: theme }, async (page) => {
      await house.work(50);
      await page.locator("#failures li").waitFor();
      expect(await violations(page)).toEqual([]);
      expect(page.url()).toBe(house.url); // the token is out of the address
      await shoot(page, theme);
    });
  });

  test("fits a phone, also when there is nothing to show", async () => {
    await using house = await House.open();
    await look(house.url, PHONE, async (page) => {
      await page.locator("#workers .empty").waitFor();
      expect(await overflow(page)).toBe(0);
      expect(await violations(page)).toEqual([]);
      await shoot(page, "phone-empty");
      await house.worker("a-worker-with-a-name-that-is-longer-than-any-phone-is-wide", ["gpu", "linux"]);
      await house.work(20);
      await page.locator("#failures li").waitFor();
      expect(await overflow(page)).toBe(0);
      await shoot(page, "phone");
    });
  });

  test("asks for a token, keeps it in the tab, and shows nothing without", async () => {
    await using house = await House.open({ token: TOKEN, dashboard: true });
    await look(house.url, WIDE, async (page) => {
      await page.locator("#token").waitFor();
      expect(await page.locator("#live").isVisible()).toBe(false);
      expect(await violations(page)).toEqual([]);
      await page.locator("#token").fill("wrong");
      await page.keyboard.press("Enter");
      await page.getByText("That token does not open this dashboard").waitFor();
      await shoot(page, "locked");
      await page.locator("#token").fill(TOKEN);
      await page.keyboard.press("Enter");
      await page.locator("#live").waitFor();
      await page.reload();
      await page.locator("#live").waitFor();
      expect(page.url()).toBe(house.url);
    });
    expect(house.runner.stats()).toMatchObject({ registered: 0, pending: 0, refused: 0 });
  });

  test("takes a token from its address also while it is open", async () => {
    await using house = await House.open({ token: TOKEN, dashboard: true });
    await look(house.url, WIDE, async (page) => {
      await page.locator("#token").waitFor();
      await page.evaluate(`location.hash = ${JSON.stringify(`#token=${encodeURIComponent(TOKEN)}`)}`);
      await page.locator("#live").waitFor();
      expect(page.url()).toBe(house.url);
    });
  });

  test("goes on watching when a token of an admin is refused", async () => {
    await using house = await House.open({ dashboard: { admin: "root" } });
    await look(house.url, WIDE, async (page) => {
      await page.getByRole("button", { name: "Use a token" }).click();
      await page.locator("#token").fill("wrong");
      await page.keyboard.press("Enter");
      await page.getByText("That token does not open this dashboard").waitFor();
      await page.locator("#live").waitFor();
      await page.locator("#token").fill("root");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Drain the runner" }).waitFor();
      expect(await page.locator("#token-section").isVisible()).toBe(false);
    });
  });

  test("opens by itself once there is room for another dashboard", async () => {
    await using house = await House.open();
    const open = Array.from(
      { length: MAX_VIEWERS },
      () => new WebSocket(house.listener.address, DASHBOARD_SUBPROTOCOL),
    );
    await Promise.all(open.map((ws) => once(ws, "message")));
    await look(house.url, WIDE, async (page) => {
      await page.getByText("too many dashboards are open").waitFor();
      for (const ws of open) ws.terminate();
      await page.locator("#live").waitFor();
    });
  });

  test("shows the labels a worker has now", async () => {
    await using house = await House.open();
    await look(house.url, WIDE, async (page) => {
      await house.worker("w", ["old"]);
      await page.locator("#workers .label", { hasText: "old" }).waitFor();
      await house.replace("w", ["new"]);
      await page.locator("#workers .label", { hasText: "new" }).waitFor();
      expect(await page.locator("#workers .label").count()).toBe(1);
    });
  });

  test("is not for pages of elsewhere", async () => {
    await using house = await House.open();
    await using other = await House.open();
    // Not the other's page itself, whose own policy would keep it from trying.
    await look(`${other.url}nothing`, WIDE, async (page) => {
      const tried = async ({ listener }: House): Promise<string> =>
        await page.evaluate(
          `new Promise((resolve) => {
            const ws = new WebSocket(${JSON.stringify(listener.address)}, "powerhose.dashboard.v1");
            ws.addEventListener("open", () => resolve("open"));
            ws.addEventListener("error", () => resolve("refused"));
          })`,
        );
      expect([await tried(house), await tried(other)]).toEqual(["refused", "open"]);
    });
  });

  test("lets an admin send a worker away, by keyboard, after a question", async () => {
    await using house = await House.open({ dashboard: { admin: "root" } });
    await house.worker("w-1");
    await look(`${house.url}#token=root`, WIDE, async (page) => {
      const button = page.getByRole("button", { name: "Let go w-1" });
      await button.focus();
      await page.keyboard.press("Enter");
      await page.locator("#question").waitFor();
      await page.keyboard.press("Escape");
      await page.locator("#question").waitFor({ state: "hidden" });
      await button.focus();
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Yes" }).click();
      await page.locator("#workers .empty").waitFor();
      expect(house.runner.stats().workers).toEqual([]);
    });
  });

  test("lends its tab, politely takes it back, and says when the listener is gone", async () => {
    await using house = await House.open({ token: TOKEN, dashboard: { lend: LEND } });
    await look(`${house.url}#token=${encodeURIComponent(TOKEN)}`, WIDE, async (page, faults) => {
      await page.locator("#lend-size").selectOption("1");
      await page.getByRole("button", { name: "Lend this tab" }).click();
      expect(await house.runner.execute("shout", { acquireTimeout: 20_000 })).toBe("SHOUT");
      expect(house.runner.stats().workers[0]?.labels).toContain("browser");
      await page.locator("#lend", { hasText: "1 done" }).waitFor();
      expect(await violations(page)).toEqual([]);
      await shoot(page, "lent");
      expect(faults).toEqual([]);
      await page.getByRole("button", { name: "Stop politely" }).click();
      await page.getByRole("button", { name: "Lend this tab" }).waitFor();
      expect(house.runner.stats().workers).toEqual([]);
      await house.runner.stop();
      await page.getByText("The listener has stopped").waitFor();
    });
  });
});
