/** Tabs join a run of the command, and come and go while it runs. */
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { Command, linesOf, seq } from "../cli/child.ts";
import { describeInChromium } from "../support/chromium.ts";
import { root } from "../support/package-files.ts";
import { TabStage } from "./tab-stage.ts";

const JOBS = 80;

describeInChromium("powerhose run --listen --origin", (browser) => {
  test("one tab joins, then eight: one is closed midway, one is reloaded, every line is there once", async () => {
    // Only for its pages: the runner is the command's.
    await using stage = await TabStage.start(browser());
    const module = join(root, "test/browser/fixtures/jobs.js#slow");
    const args = ["run", "--listen", "0", "--origin", stage.server.origin, "-w", "0", module];
    await using run = new Command(args, { input: seq(JOBS) });
    const [, url = ""] = await run.says(/listening on (ws:\S+);/);
    const open = (): Promise<Page> => stage.open({ url, token: undefined, export: "slow" });
    const pages = [await open()];
    await run.until(() => linesOf(run.stdout).length > 1);
    pages.push(...(await Promise.all(Array.from({ length: 7 }, open))));
    await run.until(() => run.stderr.match(/worker tab-\w+ joined/g)?.length === 8);
    await Promise.all([pages[2]?.close(), pages[4]?.reload()]);
    const { code, stdout, stderr } = await run.ended;
    expect(linesOf(stdout)).toEqual(linesOf(seq(JOBS)).map((n) => `${n}!`));
    expect(stderr.match(/worker tab-\w+ left/g)?.length).toBeGreaterThan(1);
    expect(stderr).toMatch(/80 jobs in .* none failed/);
    expect(code).toBe(0);
  });
});
