/** TypeScript tasks with imports, in a page that Vite serves and in one that it builds: a pool, and a tab that joins a fleet. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { build, createServer, type InlineConfig } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { JobRunner } from "powerhose";
import { client } from "powerhose/tasks";
import { listenWebSocket } from "powerhose/websocket/node";
import { describeInChromium } from "../support/chromium.ts";
import { root } from "../support/package-files.ts";
import { PageServer } from "../support/page-server.ts";
import type { Images } from "./fixtures/vite/images.ts";
import { readRows } from "./fixtures/vite/read-rows.ts";
import { until } from "./tab-stage.ts";

/** A server of pages. */
interface Served extends AsyncDisposable {
  readonly origin: string;
}

async function served(folder: string): Promise<Served> {
  const server = await createServer({
    ...configOf(folder),
    server: { host: "127.0.0.1", port: 0, hmr: false, watch: null },
  });
  await server.listen();
  const [address] = server.resolvedUrls?.local ?? [];
  return { origin: new URL(address ?? "").origin, [Symbol.asyncDispose]: () => server.close() };
}

async function built(folder: string): Promise<Served> {
  const input = ["page.html", "tab.html"].map((name) => join(folder, name));
  const outDir = join(folder, "built");
  await build({ ...configOf(folder), build: { outDir, target: "es2022", rolldownOptions: { input } } });
  return await PageServer.start({ folders: { "/": outDir } });
}

/** What a project has that says nothing but where it is. */
function configOf(folder: string): InlineConfig {
  return { root: folder, configFile: false, logLevel: "error" };
}

describeInChromium("TypeScript with imports", (browser) => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "page-"));
    await cp(join(root, "test/browser/fixtures/vite"), folder, { recursive: true });
    // As it is installed: what is in node_modules Vite bundles ahead.
    const installed = join(folder, "node_modules/powerhose");
    for (const name of ["package.json", "dist"]) await cp(join(root, name), join(installed, name), { recursive: true });
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Opens a page, and says what went wrong in it if what is done with it fails. */
  async function withPage<T>(address: string, body: (page: Page) => Promise<T>): Promise<T> {
    const page = await browser().newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    try {
      await page.goto(address);
      return await body(page);
    } catch (error) {
      throw new Error(`${String(error)}; the page said ${said.join("; ")}`, { cause: error });
    } finally {
      await page.close();
    }
  }

  describe.each([
    ["vite dev", served],
    ["vite build", built],
  ])("%s", (_name, serve) => {
    test("webWorkers: a job whose Web Worker is killed runs again, a stream ends, and the next are served", async () => {
      await using server = await serve(folder);
      const result = await withPage(`${server.origin}/page.html`, async (page) => {
        await until(page, "globalThis.result !== undefined");
        return await page.evaluate("result");
      });
      expect(result).toEqual({
        jobs: { value: 42, at: 7, slow: "slept", made: 2 },
        streams: [
          { sum: 18, ended: "end" },
          { sum: 9, ended: "WORKER_LOST" },
          { sum: 3, ended: "end" },
        ],
      });
    });

    test("serveFromTab: a job whose Web Worker is killed runs again", async () => {
      await using server = await serve(folder);
      const listen = listenWebSocket({ origins: [server.origin] });
      await using runner = new JobRunner({ listen, acquireTimeout: 60_000 });
      await runner.start();
      const api = client<Images>(runner);
      const made = await withPage(`${server.origin}/tab.html#${listen.address}`, async (page) => {
        const at = new Date(7);
        expect(await api.double({ value: 21, at })).toEqual({ value: 42, at });
        expect(runner.stats().workers[0]?.labels).toContain("task:double");
        const begun = new Promise<void>((resolve) => void runner.on(({ type }) => type === "job-started" && resolve()));
        const slow = api.slow(1_000, { attempts: 5, maxLost: 5 });
        await begun;
        await page.evaluate("made[0].terminate()");
        expect(await slow).toBe("slept");
        await page.evaluate("share.drain()");
        return await page.evaluate("made.length");
      });
      expect(made).toBe(2);
    });

    test("serveFromTab: a stream whose Web Worker is killed ends, and the next is served", async () => {
      await using server = await serve(folder);
      const listen = listenWebSocket({ origins: [server.origin] });
      await using runner = new JobRunner({ listen, acquireTimeout: 60_000 });
      await runner.start();
      await withPage(`${server.origin}/tab.html?rows#${listen.address}`, async (page) => {
        expect(await readRows(runner, 4)).toEqual({ sum: 18, ended: "end" });
        const killed = await readRows(runner, 1_000_000_000, () => page.evaluate("made.at(-1).terminate()"));
        expect(killed).toEqual({ sum: 9, ended: "WORKER_LOST" });
        expect(await readRows(runner, 2)).toEqual({ sum: 3, ended: "end" });
      });
    });
  });
});
