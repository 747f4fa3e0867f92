/** Threads without a descriptor left: they are tried until there are some again, and it is told why they are missing. */
import { describe, expect, test } from "vitest";
import { runScarce } from "../support/scarce-process.ts";
import { commands } from "./stage.ts";

const LIMIT = 60_000;
/** What a script tells that has `runner` over threads. */
function scarce(text: string): Promise<unknown> {
  const source = `
    import { once } from "node:events";
    import { createServer, connect } from "node:net";
    import { JobRunner, WorkerStartError } from "powerhose";
    import { threads } from "powerhose/threads";
    const limits = { size: 2, restartMin: 1, restartMax: 5, maxCrashes: 3 };
    const runner = new JobRunner({
      listen: threads(new URL(${JSON.stringify(commands.href)}), limits),
    });
    const reports = [];
    const WANT = /EMFILE|initialization/;
    runner.on((event) => {
      if (event.type === "listener-error") reports.push(event.error);
    });
    const failed = (promise) => promise.then((value) => { throw new Error("it did not fail: " + value); }, (error) => error);
    ${text}
  `;
  return runScarce(source);
}

describe("without a descriptor left", { timeout: LIMIT }, () => {
  test("places are tried until there are some again, beyond every number of crashes", async () => {
    const told = await scarce(`
      await runner.start();
      await until(() => runner.stats().workers.length === 2);
      hog();
      // Threads end with a job in hand, until none is left.
      const lost = [];
      while (runner.stats().workers.length > 0 || reports.length < 2) {
        lost.push((await failed(runner.execute("exit:1", { attempts: 1, acquireTimeout: 20 }))).code);
      }
      // Far more tries than crashes are allowed.
      const first = reports.length;
      const timedOut = await failed(runner.execute("echo:x", { acquireTimeout: 300 }));
      const noWorker = await failed(runner.execute("echo:x", { failFast: true }));
      const unheld = await failed(runner.workers.acquire({ timeout: 100 }));
      const during = [runner.stats().workers.length, reports.length - first];
      letGo();
      const results = await Promise.all(["echo:a", "echo:b"].map((job) => runner.execute(job)));
      await until(() => runner.stats().workers.length === 2);
      await runner.stop();
      tell({
        lost: lost.includes("WORKER_LOST"),
        reports: reports.every((error) => error instanceof WorkerStartError && error.retryIn !== undefined && WANT.test(error.message)),
        timedOut: [timedOut.code, WANT.test(timedOut.message), timedOut.cause === reports.at(-1)],
        noWorker: [noWorker.code, noWorker.cause === reports.at(-1)],
        held: [unheld.code, unheld.cause === reports.at(-1)],
        during,
        results,
      });
    `);
    expect(told).toEqual({
      lost: true,
      reports: true,
      timedOut: ["TIMEOUT", true, true],
      noWorker: ["NO_WORKER", true],
      held: ["TIMEOUT", true],
      during: [0, 0],
      results: ["a", "b"],
    });
  });

  test("idle clients that take them all cost no more than the time they stay", async () => {
    const told = await scarce(`
      const server = createServer((socket) => socket.on("error", () => undefined));
      server.on("error", () => undefined);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      await runner.start();
      await until(() => runner.stats().workers.length === 2);
      const clients = Array.from({ length: 300 }, () => connect(server.address().port, "127.0.0.1").on("error", () => undefined));
      await new Promise((resolve) => setTimeout(resolve, 100));
      hog();
      const lost = [];
      while (reports.length === 0) lost.push((await failed(runner.execute("exit:1", { attempts: 1, acquireTimeout: 20 }))).code);
      for (const client of clients) client.destroy();
      server.close();
      letGo();
      const results = await Promise.all(["echo:a", "echo:b", "echo:c"].map((job) => runner.execute(job)));
      await until(() => runner.stats().workers.length === 2);
      await runner.stop();
      tell([lost[0], results, reports.every((error) => error.retryIn !== undefined)]);
    `);
    expect(told).toEqual(["WORKER_LOST", ["a", "b", "c"], true]);
  });

  test("a start fails, says why, and may be tried again", async () => {
    const told = await scarce(`
      hog();
      const error = await failed(runner.start());
      letGo();
      await runner.start();
      const result = await runner.execute("echo:x");
      await runner.stop();
      tell([error.code, WANT.test(error.message), result]);
    `);
    expect(told).toEqual(["WORKER_START", true, "x"]);
  });

  test("a module that cannot be loaded is given up as ever", async () => {
    const told = await scarce(`
      const broken = new JobRunner({ listen: threads("data:text/javascript,throw new Error('broken')", limits) });
      const error = await failed(broken.start());
      tell([error.code, error.message.includes("broken"), error.retryIn === undefined]);
    `);
    expect(told).toEqual(["WORKER_START", true, true]);
  });
});
