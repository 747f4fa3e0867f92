/** Tabs as workers, in a real browser: they join, leave, come back, and every job settles once and right. */
import type { IncomingMessage } from "node:http";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { Worker } from "../../src/index.ts";
import { dialWebSocket } from "../../src/transports/websocket/node/index.ts";
import { describeInChromium } from "../support/chromium.ts";
import { BackgroundTab } from "./background-tab.ts";
import { look, TabStage, until } from "./tab-stage.ts";

const squares = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i * i));
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

describeInChromium("a tab as a worker", (browser) => {
  test("joins, runs jobs and tells the page of it", async () => {
    await using stage = await TabStage.start(browser());
    const page = await stage.open({ size: 2, labels: ["gpu"] });
    // A tab joins once its first handler is ready, and tells of the others as they come.
    const tab = await stage.until(() => stage.runner.stats().workers.find(({ capacity }) => capacity === 2));
    expect(tab).toMatchObject({ labels: ["browser", "chrome", "gpu"], peer: { transport: "websocket" } });
    expect(await look(page, "share.identity")).toBe(tab?.identity);
    expect(await Promise.all(numbers(20).map((n) => stage.runner.execute(n)))).toEqual(squares(20));
    await until(page, "share.stats.done === 20 && share.stats.running === 0");
    expect(await look(page, "share.stats")).toMatchObject({ state: "registered", size: 2, failed: 0 });
    expect(await look(page, "share.stats.rate")).toBeGreaterThan(0);
    expect(
      await look(page, "events.filter((event) => event.type === 'tab-state').map((event) => event.state)"),
    ).toEqual(["connecting", "registered"]);
  });

  test("what a handler throws reaches the caller as it was thrown", async () => {
    await using stage = await TabStage.start(browser());
    const page = await stage.open();
    await expect(stage.runner.execute("throw")).rejects.toMatchObject({
      code: "EXECUTION",
      remoteName: "RangeError",
      remoteMessage: "no such <b>number</b>",
      remoteCode: "E_NUMBER",
    });
    await until(page, "share.stats.failed === 1");
  });

  test("a handler that loops for ever is terminated, and the tab goes on", async () => {
    await using stage = await TabStage.start(browser());
    await stage.open();
    expect(await stage.runner.execute("2")).toBe("4");
    const spun = stage.runner.execute("spin", { timeout: 200, attempts: 1 });
    await expect(spun).rejects.toMatchObject({ code: "TIMEOUT", kind: "attempt" });
    // Its slot is given away once it is free, so that this one waits at the runner and not in the tab.
    expect(await stage.runner.execute("3", { attempts: 1 })).toBe("9");
    expect(stage.count("worker-gone")).toBe(0);
  });

  test.each(["crash", "close"])(
    "a handler that ends its Web Worker (%s) costs its job an attempt, not the tab",
    async (word) => {
      await using stage = await TabStage.start(browser());
      await stage.open();
      await expect(stage.runner.execute(word, { attempts: 2 })).rejects.toMatchObject({ code: "WORKER_LOST" });
      expect(stage.count("job-retried")).toBe(1);
      expect(await stage.runner.execute("3")).toBe("9");
      expect(stage.count("worker-gone")).toBe(0);
    },
  );

  test("a module that is of no use is named by serveFromTab", async () => {
    await using stage = await TabStage.start(browser());
    const page = await stage.open({ later: true });
    for (const [given, words] of [
      [{ module: "/handlers/none.js" }, "/handlers/none.js could not be loaded: TypeError"],
      [{ module: "data:text/javascript,throw new Error('at the top')" }, "could not be loaded: Error: at the top"],
      [{ export: "nothing" }, "has no export `nothing`; it exports: default, slow, text"],
      [{ export: "text" }, "jobs.js is not a function but string"],
    ] as const) {
      await look(page, `serve(${JSON.stringify(given)})`);
      const why = await look(page, "failure");
      expect(why).toContain("WorkerStartError: web worker 1 could not start: ");
      expect(why).toContain(words);
    }
    expect(stage.count("worker-joined")).toBe(0);
    // And the page can try again.
    await look(page, "serve()");
    expect(await stage.runner.execute("4")).toBe("16");
  });

  test("drains: what runs is finished, and nothing is left", async () => {
    await using stage = await TabStage.start(browser());
    const page = await stage.open({ export: "slow" });
    const running = stage.runner.execute("a");
    await stage.until(() => stage.count("job-started") === 1);
    await look(page, "share.drain()");
    expect(await running).toBe("a!");
    expect(await look(page, "share.state")).toBe("stopped");
    await stage.until(() => stage.events.some((event) => event.type === "worker-gone" && event.reason === "removed"));
  });

  test("without a network it waits, and with one it dials at once", async () => {
    await using stage = await TabStage.start(browser());
    const page = await stage.open({ reconnectMax: 30_000 });
    const [tab] = await stage.workers(1);
    const context = await stage.context();
    await context.setOffline(true);
    stage.runner.workers.delete(tab?.identity ?? "");
    await until(page, "share.state === 'offline'");
    const job = stage.runner.execute("5");
    await context.setOffline(false);
    expect(await job).toBe("25");
    await until(page, "share.state === 'registered'");
  });

  test("asks once for a token when the network is back, and stays at it though its name is taken meanwhile", async () => {
    const authenticate = ({ headers }: IncomingMessage): string | undefined =>
      headers.authorization ?? headers["sec-websocket-protocol"];
    await using stage = await TabStage.start(browser(), {}, { authenticate });
    const page = await stage.open({ later: true, identity: "the-tab", reconnectMax: 200 });
    // Each dial is somebody else's, as with a ticket for each.
    await look(page, "(window.asked = 0, serve({ token: () => `token-${++asked}` }))");
    await stage.workers(1);
    const context = await stage.context();
    await context.setOffline(true);
    stage.runner.workers.delete("the-tab");
    await until(page, "share.state === 'offline'");
    const other = new Worker({
      dial: dialWebSocket(stage.listener.address, { token: "other" }),
      identity: "the-tab",
      handler: () => "",
    });
    await other.start();
    await context.setOffline(false);
    await until(page, "events.some((event) => event.type === 'trouble' && event.message.includes('ID_TAKEN'))");
    expect(await look(page, "events.some((event) => event.final)")).toBe(false);
    await other.stop();
    expect(await stage.runner.execute("5")).toBe("25");
    const { said, asked } = await look<{ said: number; asked: number }>(
      page,
      "({ asked, said: events.filter((event) => event.type === 'trouble' && event.message.includes('ID_TAKEN')).length })",
    );
    expect(asked, "one for each dial").toBe(2 + said);
  });

  test("a page that is left and is back before a handler is loaded is one worker", async () => {
    await using stage = await TabStage.start(browser());
    const asked = new Promise<() => void>((resolve) => {
      stage.server.files.set("/late.js", (_request, response) => {
        resolve(() => response.end("export default (job) => job.data + '!'"));
      });
    });
    const page = await stage.open({ later: true });
    await look(page, "void (window.serving = serve({ module: '/late.js' }))");
    const answer = await asked;
    for (const type of ["pagehide", "pageshow"])
      await look(page, `window.dispatchEvent(new PageTransitionEvent('${type}', { persisted: true }))`);
    answer();
    await look(page, "serving");
    expect(await stage.runner.execute("a")).toBe("a!");
    await look(page, "share.drain()");
    expect(stage.count("worker-joined")).toBe(1);
  });

  test("a page that is left is gone at once, and joins again when it is back", async () => {
    await using stage = await TabStage.start(browser());
    const page = await stage.open();
    await stage.workers(1);
    await page.goto("about:blank");
    await stage.workers(0);
    await page.goBack();
    expect(await stage.runner.execute("6")).toBe("36");
  });

  test.each([
    [
      "window",
      "new PageTransitionEvent('pagehide', { persisted: true })",
      "new PageTransitionEvent('pageshow', { persisted: true })",
    ],
    ["document", "new Event('freeze')", "new Event('resume')"],
  ])("a page that is kept while it is away is the same worker when it is back (%s)", async (target, gone, back) => {
    await using stage = await TabStage.start(browser());
    const page = await stage.open();
    const [before] = await stage.workers(1);
    await look(page, `${target}.dispatchEvent(${gone})`);
    await stage.workers(0);
    expect(stage.count("worker-draining")).toBe(1); // a REMOVE, not only a connection that is gone
    await until(page, "share.state === 'away'");
    await look(page, `${target}.dispatchEvent(${back})`);
    expect(await stage.runner.execute("6")).toBe("36");
    expect(stage.runner.stats().workers[0]?.identity).toBe(before?.identity);
  });

  // A second a tick: POWERHOSE_HIDDEN_TICKS=120 hides it for two minutes.
  const ticks = Number(process.env["POWERHOSE_HIDDEN_TICKS"] ?? 3);
  test(
    "a hidden tab, whose page is throttled, keeps its session and its pace",
    { timeout: 120_000 + 10_000 * ticks },
    async () => {
      // Three missed heartbeats are less than one turn of the page's throttled timers.
      await using stage = await TabStage.start(browser(), { heartbeat: 200 });
      const seen = { hidden: 0 };
      stage.server.files.set("/tick", (request, response) => {
        if (request.url?.endsWith("hidden") === true) seen.hidden++;
        response.end();
      });
      await using tab = await BackgroundTab.open(browser(), stage.address({ ticks: true }));
      await stage.workers(1);
      await tab.hide();
      let done = 0;
      while (seen.hidden < ticks) {
        expect(await stage.runner.execute("7", { attempts: 1 })).toBe("49");
        if (seen.hidden > 0) done++;
      }
      expect(done).toBeGreaterThan(5 * ticks);
      expect(stage.count("worker-joined")).toBe(1);
      expect(stage.count("worker-gone")).toBe(0);
    },
  );

  test("a tab that is closed is gone at once, and what it ran runs elsewhere", async () => {
    await using stage = await TabStage.start(browser());
    const page = await stage.open({ export: "slow" });
    const job = stage.runner.execute("a");
    await stage.until(() => stage.count("job-started") === 1);
    await page.close();
    await stage.workers(0);
    await stage.open({ export: "slow" });
    expect(await job).toBe("a!");
    expect(stage.count("job-started")).toBe(2);
  });

  test("eight tabs: one is closed midway, one is reloaded, and every job settles once and right", async () => {
    await using stage = await TabStage.start(browser());
    const pages: Page[] = [await stage.open()];
    const results = Promise.all(numbers(600).map((n) => stage.runner.execute(n, { attempts: 5, maxLost: 5 })));
    await stage.until(() => stage.runner.stats().succeeded >= 20);
    pages.push(...(await Promise.all(Array.from({ length: 7 }, () => stage.open()))));
    await stage.workers(8);
    await Promise.all([pages[3]?.close(), pages[5]?.reload()]);
    expect(await results).toEqual(squares(600));
    const { submitted, succeeded, failed } = stage.runner.stats();
    expect({ submitted, succeeded, failed }).toEqual({ submitted: 600, succeeded: 600, failed: 0 });
    expect(stage.count("worker-gone")).toBe(2);
    await stage.workers(7);
  });
});
