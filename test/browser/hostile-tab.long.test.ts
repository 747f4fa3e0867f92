/** Tabs that may not serve: whoever has the wrong address, token, ticket or name is refused, and told as little as can be. */
import type { IncomingMessage } from "node:http";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { describeInChromium } from "../support/chromium.ts";
import { PageServer } from "../support/page-server.ts";
import { look, TabStage, until } from "./tab-stage.ts";

const troubles = (page: Page): Promise<string[]> =>
  look(page, "events.filter((event) => event.type === 'trouble').map((event) => event.message)");

describeInChromium("a hostile tab", (browser) => {
  test("from a foreign origin, without a token, or with a wrong one is not let in", async () => {
    await using stage = await TabStage.start(browser());
    await using foreign = await PageServer.start({ files: Object.fromEntries(stage.server.files) });
    const module = `${stage.server.origin}/handlers/jobs.js`;
    const pages = await Promise.all([
      stage.open({ module: "data:text/javascript,export default () => 'mine now'" }, foreign.origin),
      stage.open({ module, token: "a token that somebody has made up" }),
      stage.open({ module, later: true }),
    ]);
    const [, , bare] = pages;
    await bare?.evaluate("serve({ token: undefined })");
    for (const page of pages) {
      await until(page, "window.events.filter((event) => event.type === 'trouble').length > 1");
      const [said] = await troubles(page);
      expect(said).toBe(`could not connect to ${stage.listener.address}: unreachable, or the server refused`);
      expect(await look(page, "share.state")).not.toBe("registered");
      // It would go on for ever; that it is told to stop is no trouble.
      await look(page, "share.stop()");
      expect(await look(page, "[share.state, events.some((event) => event.final)]")).toEqual(["stopped", false]);
    }
    expect(stage.count("worker-joined")).toBe(0);
    expect(stage.runner.stats().registered).toBe(0);
  });

  test("with another tab's name is turned away for good, and the other one stays", async () => {
    const authenticate = ({ headers }: IncomingMessage): string | undefined =>
      /bearer\.(\S+)$/.exec(headers["sec-websocket-protocol"] ?? "")?.[1];
    await using stage = await TabStage.start(browser(), {}, { authenticate });
    const owner = await stage.open({ identity: "the-tab", token: "one" });
    await stage.workers(1);
    const thief = await stage.open({ identity: "the-tab", token: "two" });
    await until(thief, "window.share !== undefined && share.state === 'stopped'");
    expect(await look(thief, "events.find((event) => event.final).message")).toContain("ID_TAKEN");
    expect(await stage.runner.execute("8")).toBe("64");
    expect(await look(owner, "share.stats.state")).toBe("registered");
    expect(stage.count("worker-joined")).toBe(1);
  });

  test("that replays a ticket is refused; one that asks for a fresh one each time comes back", async () => {
    const valid = new Set<string>();
    const authenticate = ({ url = "" }: IncomingMessage): string | undefined => {
      const ticket = new URL(url, "http://localhost").searchParams.get("ticket") ?? "";
      return valid.delete(ticket) ? `holder of ${ticket}` : undefined;
    };
    await using stage = await TabStage.start(browser(), {}, { authenticate });
    let given = 0;
    stage.server.files.set("/ticket", (_request, response) => {
      const ticket = `ticket-${++given}`;
      valid.add(ticket);
      response.end(ticket);
    });
    const page = await stage.open({ later: true });
    await look(page, `serve({ token: undefined, ticket: () => fetch("/ticket").then((answer) => answer.text()) })`);
    const [first] = await stage.workers(1);
    stage.runner.workers.delete(first?.identity ?? "");
    await stage.until(() => stage.count("worker-joined") === 2);
    const principals = stage.events.map((event) => (event.type === "worker-joined" ? event.peer.principal : ""));
    expect(principals.filter((one) => one !== "")).toEqual(["holder of ticket-1", "holder of ticket-2"]);

    const replayer = await stage.open({ later: true });
    await look(replayer, `serve({ token: undefined, ticket: () => "ticket-1" })`);
    await until(replayer, "events.some((event) => event.type === 'trouble')");
    expect(stage.count("worker-joined")).toBe(2);
  });
});
