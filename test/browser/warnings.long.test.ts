/** What a tab says on the console, in a real browser, while it cannot get to its runner: one line for each cause. */
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { CERTIFICATE, KEY } from "../transports/websocket/node/certificate.ts";
import { describeInChromium } from "../support/chromium.ts";
import { look, TabStage, TOKEN, until } from "./tab-stage.ts";

/** Failed dials to wait for: what is told once was not told each time. */
const DIALS = 4;

/** What the library says on the page's console; the browser's own lines are left out. */
function warningsOf(page: Page): string[] {
  const lines: string[] = [];
  page.on("console", (message) => {
    if (message.text().includes("it tries on")) lines.push(`${message.type()}: ${message.text()}`);
  });
  return lines;
}

/** A page whose tab serves when it is told to, and its warnings. */
async function quietPage(stage: TabStage): Promise<{ readonly page: Page; readonly lines: readonly string[] }> {
  const page = await stage.open({ later: true, reconnectMax: 100 });
  return { page, lines: warningsOf(page) };
}

function troubles(page: Page, count: number): Promise<void> {
  return until(page, `events.filter(({ type }) => type === "trouble").length >= ${count}`);
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => void server.close(resolve));
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await close(server);
  return port;
}

interface Door extends AsyncDisposable {
  readonly url: string;
}

const doors: readonly (readonly [string, () => Promise<Door>])[] = [
  [
    "a wrong port",
    async () => ({ url: `ws://127.0.0.1:${await closedPort()}/`, [Symbol.asyncDispose]: () => Promise.resolve() }),
  ],
  [
    "a 404",
    async () => {
      const server = createServer();
      server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
      return { url: `ws://127.0.0.1:${await listen(server)}/`, [Symbol.asyncDispose]: () => close(server) };
    },
  ],
  [
    "a certificate that the browser does not trust",
    async () => {
      const server = createSecureServer({ cert: CERTIFICATE, key: KEY });
      return { url: `wss://127.0.0.1:${await listen(server)}/`, [Symbol.asyncDispose]: () => close(server) };
    },
  ],
];

describeInChromium("what keeps a tab from its runner", (browser) => {
  test.each(doors)("%s is one warning on the console, and it tries on", async (_, open) => {
    await using stage = await TabStage.start(browser());
    await using door = await open();
    const { page, lines } = await quietPage(stage);
    await look(page, `serve({ reconnectMin: 10 }, ${JSON.stringify(door.url)})`);
    await troubles(page, DIALS);
    expect(lines).toEqual([expect.stringMatching(/^warning: .*worker tab-\w+: /)]);
  });

  test("a page that was frozen meanwhile is not told it again", async () => {
    await using stage = await TabStage.start(browser());
    const { page, lines } = await quietPage(stage);
    await look(page, `serve({ reconnectMin: 10 }, "ws://127.0.0.1:${await closedPort()}/")`);
    await troubles(page, DIALS);
    await look(page, "document.dispatchEvent(new Event('freeze'))");
    await until(page, "share.state === 'away'");
    await look(page, "(events.length = 0, document.dispatchEvent(new Event('resume')))");
    await troubles(page, DIALS);
    expect(lines).toHaveLength(1);
  });

  test("each cause is told, and told again once it has been registered", async () => {
    await using stage = await TabStage.start(browser());
    const { page, lines } = await quietPage(stage);
    const noToken =
      "window.isClosed = true; window.token = () => { if (isClosed) throw new Error('no token yet'); return key; }";
    await look(page, `(() => { const key = "${TOKEN}"; ${noToken} })()`);
    await look(page, "serve({ token, reconnectMin: 10 })");
    await troubles(page, DIALS);
    expect(lines).toEqual([expect.stringContaining("no token yet")]);
    await look(page, "(isClosed = false, undefined)");
    await stage.workers(1);
    await until(page, "share.state === 'registered'");
    await look(page, "(isClosed = true, events.length = 0)");
    const [tab] = stage.runner.stats().workers;
    stage.runner.workers.delete(tab?.identity ?? "");
    await troubles(page, DIALS);
    expect(lines.filter((line) => line.includes("no token yet"))).toHaveLength(2);
    expect(new Set(lines.slice(1)).size, "of the second time, too, each once").toBe(lines.length - 1);
  });
});
