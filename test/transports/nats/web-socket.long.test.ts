/** A worker over the server's WebSocket listener, as a page has it: `wsconnect` with a WebSocket class of the W3C's shape. */
import { wsconnect } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { JobRunner, Worker } from "../../../src/index.ts";
import { dialNats, listenNats } from "../../../src/transports/nats/index.ts";
import { connectTo, describeWithNats } from "../../support/nats-server.ts";

describeWithNats(
  "a connection of wsconnect",
  (server) => {
    test("carries a worker beside one over TCP, with frames in pieces", async () => {
      const host = globalThis as { WebSocket?: unknown };
      const before = host.WebSocket;
      host.WebSocket = WebSocket;
      try {
        const workerNc = await wsconnect({ servers: server().webSocket ?? "" });
        const runnerNc = await connectTo(server());
        const runner = new JobRunner({ listen: listenNats(runnerNc, { fleet: "jobs" }) });
        await runner.start();
        const dial = dialNats(workerNc, { fleet: "jobs", principal: "page" });
        const worker = new Worker({ dial, handler: ({ data }) => `${String(data)}!` });
        await worker.start();
        expect(await runner.execute("x".repeat(1_000_000))).toHaveLength(1_000_001);
        const outcomes = await Promise.all(Array.from({ length: 500 }, (_, i) => runner.execute(String(i))));
        expect(outcomes).toEqual(Array.from({ length: 500 }, (_, i) => `${i}!`));
        await worker.stop();
        await runner.stop();
        await workerNc.close();
        await runnerNc.close();
      } finally {
        host.WebSocket = before;
      }
    });
  },
  'websocket { listen: "127.0.0.1:-1", no_tls: true }',
);
