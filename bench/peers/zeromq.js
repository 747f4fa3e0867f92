/** zeromq.js, the native addon: ROUTER here, a DEALER in one worker process, as many messages on the way as there are jobs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Router } from "zeromq";
import { PendingEchoes } from "../contestants/pending.js";
import { startProcess } from "../contestants/process.js";

/** @param {{ over: "tcp" | "ipc" }} options */
export async function open({ over }) {
  const folder = await mkdtemp(join(tmpdir(), "powerhose-bench-"));
  const router = new Router({ sendHighWaterMark: 0, receiveHighWaterMark: 0 });
  await router.bind(over === "tcp" ? "tcp://127.0.0.1:*" : `ipc://${join(folder, "socket")}`);
  const worker = startProcess(new URL("./zeromq-process.js", import.meta.url), router.lastEndpoint ?? "");
  const [peer] = await router.receive();
  const pending = new PendingEchoes();
  let isText = true;

  // A socket of zeromq.js sends one message at a time: what comes meanwhile waits here.
  /** @type {[Buffer, string, string | Uint8Array][]} */
  let waiting = [];
  let isSending = false;
  const sendAll = async () => {
    isSending = true;
    while (waiting.length > 0) {
      const now = waiting;
      waiting = [];
      for (const message of now) await router.send(message);
    }
    isSending = false;
  };
  const receiveAll = async () => {
    for await (const [, id, payload] of router) pending.settle(Number(id), isText ? payload.latin1Slice() : payload);
  };
  const received = receiveAll().catch((error) => {
    if (!router.closed) throw error;
  });
  return {
    echo: (payload) => {
      isText = typeof payload === "string";
      return pending.wait((id) => {
        waiting.push([peer, String(id), payload]);
        if (!isSending) void sendAll();
      });
    },
    close: async () => {
      router.close();
      await received;
      await worker.stop();
      await rm(folder, { recursive: true });
    },
  };
}
