/** The connection before anything is said over it: who can listen in, and how large a handshake may be. Rows T5 and T22. */
import { createServer } from "node:https";
import { AuthError } from "../../../src/core/errors.ts";
import { dialWebSocket, type NodeDialOptions } from "../../../src/transports/websocket/node/index.ts";
import { CERTIFICATE, KEY } from "../../transports/websocket/node/certificate.ts";
import { Gate } from "../../transports/websocket/node/gate.ts";
import { ask, RawClient, status, upgrade } from "../../transports/websocket/node/raw-client.ts";
import type { Finding } from "../section.ts";
import { failureOf, told } from "./refused-dial.ts";
import { all, holds, type Row, same } from "./row.ts";
import { until } from "./waiting.ts";

const TOKEN = "s3cret-token";

async function inTheClear(): Promise<readonly Finding[]> {
  const far = ["ws://runner.example/", "ws://192.0.2.1:7070/", "ws://127.0.0.1.evil.example/", "ws://[2001:db8::1]/"];
  const refused = far.filter((address) => {
    try {
      dialWebSocket(address, { token: TOKEN });
      return false;
    } catch (error) {
      return error instanceof AuthError && error.message.includes("use wss:") && !error.message.includes(TOKEN);
    }
  });
  const server = createServer({ cert: CERTIFICATE, key: KEY });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const gate = new Gate({ server });
  await gate.start();
  const dial = (options: NodeDialOptions): Promise<unknown> => failureOf(dialWebSocket(gate.listener.address, options));
  const [blind, informed] = [await dial({}), await dial({ ca: CERTIFICATE })];
  await until("the one that was let in has left", () => gate.closed.length === gate.accepted.length);
  await gate.listener.stop();
  await new Promise((resolve) => server.close(resolve));
  return [
    all("ws: addresses of other machines refused before anything is sent", refused.length, far.length),
    holds("a certificate nobody vouches for", blind instanceof Error, told(blind).split("\n", 1)[0] ?? "", "refused"),
    same("the same certificate, named as trusted", informed === undefined, true),
    same("sockets accepted over it", gate.accepted.length, 1),
    holds("an option that turns the check off", turnsOff(), "TypeError: unknown option", "refused"),
  ];
}

function turnsOff(): boolean {
  try {
    dialWebSocket("wss://localhost/", JSON.parse('{ "rejectUnauthorized": false }') as NodeDialOptions);
    return false;
  } catch (error) {
    return error instanceof TypeError && error.message.includes("rejectUnauthorized");
  }
}

/** A request with far more headers than anybody sends, ours first or last among them. */
function swollen(count: number, first: boolean): string {
  const [line, ...rest] = upgrade("/").split("\r\n").slice(0, -2);
  const noise = Array.from({ length: count }, () => "a:");
  return [line, ...(first ? [...rest, ...noise] : [...noise, ...rest]), "", ""].join("\r\n");
}

async function swelling(): Promise<readonly Finding[]> {
  await using gate = await Gate.open();
  const outcomes: string[] = [];
  for (const count of [3_000, 3_900, 50_000]) {
    for (const first of [true, false]) {
      using client = new RawClient(gate.port);
      client.send(swollen(count, first));
      await until("an answer or an end", () => client.ended || client.text.includes("\r\n\r\n"));
      outcomes.push(client.text === "" ? "cut off" : String(status(client.text)));
    }
  }
  const sane = outcomes.every((outcome) => ["cut off", "101", "400", "426", "431"].includes(outcome));
  return [
    holds(
      "3,000, 3,900 and 50,000 headers, ours first and last",
      sane,
      outcomes.join(", "),
      "served, refused or cut off",
    ),
    same("the next handshake", status(await ask(gate.port)), 101),
    same("errors reported", gate.reports.length, 0),
  ];
}

/** How it begins. */
export const handshakeRows: readonly Row[] = [
  { name: "T5", threat: "eavesdroppers", check: inTheClear },
  { name: "T22", threat: "a handshake with thousands of headers", check: swelling },
];
