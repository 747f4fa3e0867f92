// Workers on other machines dial in over WebSocket. Here the worker is a process of its own on this one.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { JobRunner } from "powerhose";
import { listenWebSocket } from "powerhose/websocket/node";

// A free port on loopback. To let other machines in: { host: "0.0.0.0", port: 7070, token: process.env.TOKEN }.
const listener = listenWebSocket();
const runner = new JobRunner({ listen: listener });
await runner.start();

const worker = fork(fileURLToPath(new URL("./worker.js", import.meta.url)), [listener.address]);

// Jobs may come before the first worker does: they wait for it, for `acquireTimeout`.
for await (const outcome of runner.map(["3", "4", "five"], { acquireTimeout: 20_000 })) {
  console.log(
    outcome.ok ? `${outcome.input} squared is ${String(outcome.value)}` : `${outcome.input}: ${outcome.error.message}`,
  );
}

// The worker tries to reconnect for ever, until it is told to leave.
worker.kill("SIGTERM");
await new Promise((resolve) => worker.once("exit", resolve));
await runner.stop();
