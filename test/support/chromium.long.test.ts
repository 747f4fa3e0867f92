import { expect, test } from "vitest";
import { describeInChromium } from "./chromium.ts";
import { modulePage, PageServer } from "./page-server.ts";

describeInChromium("the browser itself", (browser) => {
  test("opens a page that imports the build by name", async () => {
    await using server = await PageServer.start({
      files: {
        "/index.html": modulePage(`import { Job } from "powerhose"; document.title = new Job("in a page").data;`),
      },
    });
    const page = await browser().newPage();
    await page.goto(`${server.origin}/`);
    await page.waitForFunction(() => document.title === "in a page");
    await page.close();
    expect((await fetch(`${server.origin}/dist/../package.json`)).status).toBe(404);
    expect((await fetch(`${server.origin}/dist/%2e%2e%2fpackage.json`)).status).toBe(404);
  });
});
