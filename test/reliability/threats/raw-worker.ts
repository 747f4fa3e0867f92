/** A worker of bytes on a TCP connection: says HELLO like any other, and then whatever a test wants. */
import { connect, type Socket } from "node:net";
import type { Message } from "../../../src/core/protocol/message.ts";
import { encode } from "../../support/frames.ts";
import { hello } from "../../support/scripted-peer.ts";
import { frame, RawClient, upgrade } from "../../transports/websocket/node/raw-client.ts";

/** Messages as one WebSocket frame. */
export function said(...messages: Message[]): Uint8Array {
  return frame(0x82, encode(...messages));
}

/** A connection that was upgraded and has not said anything. */
export async function upgraded(port: number): Promise<RawClient> {
  const client = new RawClient(port);
  const head = await client.send(upgrade("/")).head();
  if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`not let in: ${head}`);
  return client;
}

/** A worker that has said HELLO. */
export async function rawWorker(port: number, identity: string, capacity: number = 1): Promise<RawClient> {
  const client = await upgraded(port);
  return client.send(said(hello({ identity, capacity })));
}

/** The short frames a server sent, as first bytes; stops at the first that is longer than 125 bytes. */
export function frameHeads(bytes: Uint8Array): number[] {
  const heads: number[] = [];
  for (let at = 0; at + 1 < bytes.length;) {
    const length = bytes[at + 1] ?? 0;
    if (length > 125) break;
    heads.push(bytes[at] ?? 0);
    at += 2 + length;
  }
  return heads;
}

/**
 * Opens a TCP connection, sends, and waits for the first bytes or the end; then resets it, so that a flood does not run out
 * of ports. Resolves to what came.
 */
export function knock(port: number, words: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, "127.0.0.1");
    let got = "";
    socket.on("data", (chunk) => {
      got += chunk.toString("latin1");
      if (got.includes("\r\n\r\n")) socket.resetAndDestroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(got));
    socket.write(words);
  });
}
