/** WebSockets without a descriptor left: at the end that listens, and at the end that dials. */
import { describe, expect, test } from "vitest";
import { JobRunner } from "../../../../src/core/runner/runner.ts";
import type { WorkerEvent } from "../../../../src/core/events.ts";
import { Worker } from "../../../../src/core/worker/worker.ts";
import { dialWebSocket, listenWebSocket } from "../../../../src/transports/websocket/node/index.ts";
import { runScarce, startScarce } from "../../../support/scarce-process.ts";

const LIMIT = 60_000;
const PAUSES = { reconnectMin: 5, reconnectMax: 20 };

describe("without a descriptor left", { timeout: LIMIT }, () => {
  test("a listener lets nobody in, and everybody again once there are some", async () => {
    const child = startScarce(`
      import { JobRunner } from "powerhose";
      import { listenWebSocket } from "powerhose/websocket/node";
      const listen = listenWebSocket({ port: 0 });
      const runner = new JobRunner({ listen });
      await runner.start();
      process.stdin.once("data", async () => {
        letGo();
        tell(await runner.execute("x", { acquireTimeout: Infinity }));
        await runner.stop();
        process.exit(0);
      });
      hog();
      process.stdout.write(listen.address + "\\n");
    `);
    const closed = new Promise((resolve) => child.once("close", resolve));
    let out = "";
    const address = await new Promise<string>((resolve) => {
      child.stdout.on("data", (data: Buffer) => {
        out += data.toString();
        if (out.includes("\n")) resolve(out.trim());
      });
    });
    const worker = new Worker({ dial: dialWebSocket(address), handler: (job) => `${String(job.data)}!`, ...PAUSES });
    const failed: WorkerEvent[] = [];
    const enough = new Promise<void>((resolve) => {
      worker.on((event) => {
        if (event.type === "disconnected" && failed.push(event) === 20) resolve();
      });
    });
    const started = worker.start();
    await enough;
    expect(worker.state).toBe("disconnected");
    expect(new Set(failed.map((event) => event.type === "disconnected" && event.reason))).toEqual(
      new Set(["unreachable"]),
    );
    child.stdin.write("go\n");
    await started;
    expect(await closed).toBe(0);
    expect(out).toContain('"x!"');
    await worker.stop();
  });

  test("a dialer says so, and dials until it can", async () => {
    const listen = listenWebSocket({ port: 0 });
    await using runner = new JobRunner({ listen });
    await runner.start();
    const told = await runScarce(`
      import { Worker } from "powerhose";
      import { dialWebSocket } from "powerhose/websocket/node";
      const dial = dialWebSocket(${JSON.stringify(listen.address)});
      const worker = new Worker({ dial, handler: () => "", ...${JSON.stringify(PAUSES)} });
      const failed = [];
      worker.on((event) => event.type === "disconnected" && failed.push(event));
      hog();
      const started = worker.start();
      await until(() => failed.length >= 20);
      letGo();
      await started;
      const { state } = worker;
      await worker.stop();
      tell([state, failed.every(({ message, retryIn }) => message.includes("EMFILE") && retryIn >= 0)]);
    `);
    expect(told).toEqual(["registered", true]);
  });
});
