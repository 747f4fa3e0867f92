import { createServer, connect, type AddressInfo } from "node:net";
import { setTimeout as hostSleep } from "node:timers/promises";
import { MessageChannel, Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { LeakWatch } from "./leaks.ts";

/** Runs `leak`, asks the watch, and cleans up, so that the watch over this very test finds nothing. */
async function findings(leak: () => (() => unknown) | Promise<() => unknown>): Promise<readonly string[]> {
  const watch = new LeakWatch();
  const cleanUp = await leak();
  const found = await watch.end(20);
  await cleanUp();
  return found;
}

/** Runs `provoke` while only the watch listens, so that vitest does not fail the run over what is provoked. */
async function trouble(event: "unhandledRejection" | "warning", provoke: () => void): Promise<readonly string[]> {
  const others = process.rawListeners(event);
  process.removeAllListeners(event);
  try {
    const watch = new LeakWatch();
    provoke();
    return await watch.end(20);
  } finally {
    for (const other of others) process.on(event, other as () => void);
  }
}

describe("what is found", () => {
  test("an interval, with the place it was set", async () => {
    const found = await findings(() => {
      const timer = setInterval(() => undefined, 60_000);
      return () => clearInterval(timer);
    });
    expect(found).toEqual([expect.stringMatching(/^setInterval\(…, 60000\), started at .*leaks\.test\.ts/)]);
  });

  test("a timeout, also one that does not hold the process", async () => {
    const found = await findings(() => {
      const timer = setTimeout(() => undefined, 60_000).unref();
      return () => clearTimeout(timer);
    });
    expect(found).toEqual([expect.stringContaining("setTimeout(…, 60000)")]);
  });

  test("a loop of immediates", async () => {
    let stopped = false;
    const loop = (): void => void (stopped || setImmediate(loop));
    const found = await findings(() => {
      loop();
      return () => (stopped = true);
    });
    expect(found).toEqual(["1 × Immediate"]);
  });

  test("a server and a connection", async () => {
    const found = await findings(async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => void server.once("listening", resolve));
      const accepted = new Promise<{ destroy(): unknown }>((resolve) => void server.once("connection", resolve));
      const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
      const peer = await accepted;
      await new Promise((resolve) => void (client.connecting ? client.once("connect", resolve) : resolve(undefined)));
      return () => {
        peer.destroy();
        client.destroy();
        server.close();
      };
    });
    expect([...found].sort()).toEqual(["1 × TCPServerWrap", "2 × TCPSocketWrap"]);
  });

  test("an open message channel", async () => {
    const found = await findings(() => {
      const { port1, port2 } = new MessageChannel();
      port1.on("message", () => undefined);
      return () => {
        port1.close();
        port2.close();
      };
    });
    expect(found).toEqual(["1 × MessagePort"]);
  });

  test("a thread, with the place it was started", async () => {
    const found = await findings(() => {
      const worker = new Worker("setInterval(() => {}, 60_000)", { eval: true });
      worker.unref();
      return () => worker.terminate();
    });
    expect(found).toContainEqual(expect.stringMatching(/^worker thread, started at .*leaks\.test\.ts/));
  });

  test("an unhandled rejection", async () => {
    const found = await trouble("unhandledRejection", () => void Promise.reject(new Error("planted")));
    expect(found).toEqual(["unhandled rejection: Error: planted"]);
  });

  test("a process warning", async () => {
    const found = await trouble("warning", () => process.emitWarning("planted", "PlantedWarning"));
    expect(found).toEqual(["process warning: PlantedWarning: planted"]);
  });
});

describe("what is not", () => {
  test("nothing left, nothing found", async () => {
    expect(await findings(() => () => undefined)).toEqual([]);
  });

  test("what was there before", async () => {
    const timer = setInterval(() => undefined, 60_000);
    expect(await findings(() => () => undefined)).toEqual([]);
    clearInterval(timer);
  });

  test("timers that fired or were cleared", async () => {
    const found = await findings(async () => {
      clearTimeout(setTimeout(() => undefined, 60_000));
      await new Promise((resolve) => setTimeout(resolve, 0));
      return () => undefined;
    });
    expect(found).toEqual([]);
  });

  test("a server that is about to be closed", async () => {
    const watch = new LeakWatch();
    const server = createServer().listen(0, "127.0.0.1");
    const closed = hostSleep(50).then(() => server.close());
    expect(await watch.end()).toEqual([]);
    await closed;
  });
});
