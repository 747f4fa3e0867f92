/** Real WebSockets whose other end does not read: what waits is bounded at both ends, and nothing is lost once it reads. */
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { expect, onTestFinished, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { decodeFrame, FrameWriter } from "../../../../src/core/protocol/codec.ts";
import { systemClock } from "../../../../src/core/time/system.ts";
import { Job } from "../../../../src/core/job/job.ts";
import type { Message } from "../../../../src/core/protocol/message.ts";
import { JobRunner } from "../../../../src/core/runner/runner.ts";
import type { Dialer } from "../../../../src/core/transport/listener.ts";
import type { Socket } from "../../../../src/core/transport/socket.ts";
import { Worker } from "../../../../src/core/worker/worker.ts";
import { dialWebSocket, listenWebSocket } from "../../../../src/transports/websocket/node/index.ts";
import { SUBPROTOCOL } from "../../../../src/transports/websocket/address.ts";
import { CERTIFICATE, KEY } from "./certificate.ts";
import { Gate } from "./gate.ts";
import { recordSockets } from "../../../support/record-sockets.ts";
import { hello, welcome } from "../../../support/scripted-peer.ts";

const MB = 1_000_000;
const PATIENCE = 15_000; // ms
/** What the kernel holds of a connection that is not read, at both its ends, at most. */
const KERNEL = 16 * MB;

function frameOf(...messages: readonly Message[]): Uint8Array {
  const writer = new FrameWriter();
  for (const message of messages) writer.append(message);
  return writer.take();
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => systemClock.nextTurn(resolve));
}

/** A runner that sends jobs and reads nothing. */
class DeafRunner {
  readonly server: WebSocketServer = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    handleProtocols: () => SUBPROTOCOL,
  });
  ws: WebSocket | undefined;
  results = 0;

  constructor() {
    this.server.on("connection", (ws) => {
      this.ws = ws;
      ws.on("message", (data: Buffer) =>
        decodeFrame(new Uint8Array(data), (message) => {
          if (message.type === "HELLO") {
            ws.send(frameOf(welcome({ heartbeat: 600_000, maxPayload: 2 * MB })));
            ws.pause();
          } else if (message.type === "JOBRES") this.results++;
        }),
      );
    });
  }

  get url(): string {
    const address = this.server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `ws://127.0.0.1:${address.port}/`;
  }

  jobs(from: number, count: number): void {
    for (let id = from; id < from + count; id++)
      this.ws?.send(frameOf({ type: "JOB", attemptId: id, attempt: 1, jobId: id, ttl: 1_000_000, job: new Job("x") }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ws?.terminate();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

test("a worker whose runner does not read holds little of 60 MB, and sends all of it once it reads", async () => {
  await using runner = new DeafRunner();
  await vi.waitUntil(() => runner.server.address() !== null, PATIENCE);
  let socket: Socket | undefined;
  let calls = 0;
  let most = 0;
  const inner = dialWebSocket(runner.url);
  const dial: Dialer = { dial: async (...args) => (socket = await inner.dial(...args)) };
  const worker = new Worker({
    dial,
    capacity: 4,
    handler: () => {
      calls++;
      most = Math.max(most, socket?.bufferedBytes ?? 0);
      return "x".repeat(MB);
    },
  });
  onTestFinished(() => worker.stop());
  await worker.start();
  runner.jobs(1, 60);
  await vi.waitUntil(() => (socket?.bufferedBytes ?? 0) > MB, PATIENCE);
  await turns(500);
  expect(calls).toBeLessThan((KERNEL + 8 * MB) / MB);
  expect(most).toBeLessThan(2 * MB + 6 * MB);
  runner.ws?.resume();
  await vi.waitUntil(() => runner.results === 60, PATIENCE);
  expect([calls, worker.served]).toEqual([60, 60]);
});

test("all workers that do not read hold the budget of all, and a frame each", async () => {
  const budget = 4 * MB;
  const { listener, sockets } = recordSockets(listenWebSocket());
  await using runner = new JobRunner({
    listen: listener,
    maxBufferedTotal: budget,
    attempts: 1,
    maxPayload: 2 * MB,
    prefetch: 0,
  });
  await runner.start();
  const workers = await Promise.all(
    Array.from({ length: 10 }, async (_, number) => {
      const ws = new WebSocket(listener.address, SUBPROTOCOL);
      await new Promise((resolve) => ws.once("open", resolve));
      ws.send(frameOf(hello({ identity: `w${number}`, capacity: 100 })));
      await new Promise((resolve) => ws.once("message", resolve));
      ws.pause();
      return ws;
    }),
  );
  const held = (): number => sockets.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0);
  const large = "x".repeat(500_000);
  const calls = Array.from({ length: 600 }, () => runner.execute(large).catch(() => undefined));
  await vi.waitUntil(() => held() > budget, PATIENCE);
  await turns(200);
  expect(held()).toBeLessThan(budget + 10 * (500_000 + 100_000));
  expect(runner.stats().queued, "the others wait here").toBeGreaterThan(200);
  for (const ws of workers) ws.terminate();
  await runner.stop();
  await Promise.all(calls);
});

test.each(["ws", "wss"])(
  "over %s: what waits of a large frame shrinks as it leaves, and not only at its end",
  async (scheme) => {
    const server = scheme === "ws" ? createServer() : createTlsServer({ cert: CERTIFICATE, key: KEY });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const gate = await Gate.open({ server }, { maxFrameBytes: 24 * MB });
    onTestFinished(async () => {
      await gate.listener.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    const ws = new WebSocket(gate.listener.address, SUBPROTOCOL, { ca: CERTIFICATE });
    onTestFinished(() => ws.terminate());
    await once(ws, "open");
    ws.pause();
    const [socket] = gate.accepted;
    socket?.send(new Uint8Array(24 * MB));
    const waiting = (): number => socket?.bufferedBytes ?? 0;
    expect(waiting()).toBeGreaterThan(24 * MB - KERNEL);
    ws.resume();
    const seen = new Set<number>();
    while (waiting() > 0) {
      seen.add(waiting());
      await turns(1);
    }
    expect(seen.size).toBeGreaterThan(2);
  },
);
