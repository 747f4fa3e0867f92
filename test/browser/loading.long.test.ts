/** What a page loads: the build as it is, a Vite build of it, one file with everything in it, and all that under a strict policy. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "vite";
import { describe, expect, test } from "vitest";
import { describeInChromium } from "../support/chromium.ts";
import { PARTS, sizeOf } from "../support/bundle-size.ts";
import { root } from "../support/package-files.ts";
import { modulePage, PageServer } from "../support/page-server.ts";
import { JobRunner } from "../../src/index.ts";
import { listenWebSocket } from "../../src/transports/websocket/node/index.ts";

const ADDRESS = `location.hash.slice(1)`;
const INLINE = `
import { Worker } from "powerhose";
import { dialWebSocket } from "powerhose/websocket";
new Worker({ dial: dialWebSocket(${ADDRESS}), handler: (job) => job.data.toUpperCase() }).start();
`;
const LENT = `
import { serveFromTab } from "powerhose/browser";
await serveFromTab(${ADDRESS}, { module: new URL("./shout.js", import.meta.url), size: 1 });
`;
const SHOUT = `export default (job) => job.data.toUpperCase();`;

describeInChromium("what a page loads", (browser) => {
  /** One job, run by a page. */
  async function shout(server: PageServer, path: string): Promise<unknown> {
    const listener = listenWebSocket({ origins: [server.origin] });
    const runner = new JobRunner({ listen: listener, acquireTimeout: 15_000 });
    await runner.start();
    const page = await browser().newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    try {
      await page.goto(`${server.origin}${path}#${listener.address}`);
      return await runner.execute("hello").catch((error: unknown) => [String(error), ...said]);
    } finally {
      await page.close();
      await runner.stop();
    }
  }

  test.each([
    ["a Worker in the page", INLINE],
    ["serveFromTab", LENT],
  ])("the build as it is, by an import map: %s", async (_what, script) => {
    await using server = await PageServer.start({
      files: {
        "/": `${modulePage("")}<script type="module" src="/main.js"></script>`,
        "/main.js": script,
        "/shout.js": SHOUT,
      },
    });
    expect(await shout(server, "/")).toBe("HELLO");
  });

  test("the build as it is, under a strict Content-Security-Policy", async () => {
    await using server = await PageServer.start({
      headers: {
        "Content-Security-Policy":
          "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src ws://127.0.0.1:*",
      },
      files: {
        "/": `<!doctype html><script type="module" src="/main.js"></script>`,
        "/main.js": LENT.replace("powerhose/browser", "/dist/browser/index.js"),
        "/shout.js": SHOUT,
      },
    });
    expect(await shout(server, "/")).toBe("HELLO");
  });

  test("one page with everything in it", async () => {
    const [page, socket, handler] = await Promise.all(
      PARTS.filter(({ name }) => name.startsWith("serveFromTab: ")).map((part) => sizeOf(part)),
    );
    const text = (code: string | undefined): string => JSON.stringify(code).replaceAll("<", "\\u003c");
    await using server = await PageServer.start({
      files: {
        "/": `<!doctype html><script type="module">
          const blob = (code) => URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
          const { serveFromTab } = await import(blob(${text(page?.code)}));
          await serveFromTab(${ADDRESS}, {
            module: blob(${text(SHOUT)}),
            size: 1,
            scripts: { socket: blob(${text(socket?.code)}), handler: blob(${text(handler?.code)}) },
          });
        </script>`,
      },
    });
    expect(await shout(server, "/")).toBe("HELLO");
  });

  describe("built by Vite", () => {
    test.each([
      ["a Worker in the page", INLINE],
      ["serveFromTab", LENT],
    ])("%s", async (_what, script) => {
      const folder = await mkdtemp(join(root, "node_modules/.page-"));
      try {
        await writeFile(join(folder, "index.html"), `<!doctype html><script type="module" src="/main.js"></script>`);
        await writeFile(join(folder, "main.js"), script);
        await writeFile(join(folder, "shout.js"), SHOUT);
        await build({ root: folder, configFile: false, logLevel: "error", build: { outDir: join(folder, "built") } });
        await using server = await PageServer.start({ folders: { "/": join(folder, "built") } });
        expect(await shout(server, "/index.html")).toBe("HELLO");
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
});
