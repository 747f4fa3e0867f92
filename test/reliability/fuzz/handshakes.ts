/** Anything instead of a handshake, over raw TCP: the listener answers or lets go, and serves the next one. */
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { Gate } from "../../transports/websocket/node/gate.ts";
import { ask, status, upgrade } from "../../transports/websocket/node/raw-client.ts";
import type { Finding, Scale } from "../section.ts";
import { knock } from "../threats/raw-worker.ts";
import { exactly, holds, none, same, sized } from "../threats/row.ts";
import { inParallel } from "../threats/waiting.ts";

/** Words that mean something to HTTP or to WebSocket. */
const PIECES: readonly string[] = [
  "\r\n",
  "\n",
  "\r\n\r\n",
  ": ",
  " HTTP/1.1",
  "HTTP/2.0",
  "GET ",
  "CONNECT ",
  "Upgrade: websocket\r\n",
  "Upgrade: h2c\r\n",
  "Connection: close\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: -1\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Expect: 100-continue\r\n",
  "Sec-WebSocket-Key: x\r\n",
  "Sec-WebSocket-Version: 8\r\n",
  "Sec-WebSocket-Protocol: ,,,\r\n",
  "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n",
  "Authorization: Bearer \r\n",
  "Origin: null\r\n",
  "Host: \r\n",
  "\0",
  "\u0080\u00ff",
  "?a=%",
  "//../",
  "\u0016\u0003\u0001",
];

/** A handshake that was good, spoilt by a seed. */
function spoilt(chance: SeededRandom): Uint8Array {
  let text = upgrade("/");
  for (let left = 1 + chance.below(3); left > 0; left--) {
    const at = chance.below(text.length + 1);
    const more =
      chance.below(4) === 0 ? String.fromCharCode(chance.below(256)).repeat(1 + chance.below(20)) : chance.pick(PIECES);
    text = text.slice(0, at) + more + text.slice(at + chance.below(3));
  }
  if (chance.below(10) === 0) text = text.slice(0, chance.below(text.length));
  return Buffer.from(text, "latin1");
}

/** Fuzzes a listener's door. */
export async function handshakeFindings(scale: Scale): Promise<readonly Finding[]> {
  const count = sized(scale, 2_000, 10_000, 50_000);
  await using gate = await Gate.open({ headersTimeout: 100, requestTimeout: 100, connectionsCheckingInterval: 20 });
  const chance = new SeededRandom(2);
  const answers = new Map<string, number>();
  await inParallel(count, 100, async () => {
    const answer = await knock(gate.port, spoilt(chance));
    const outcome = answer === "" ? "cut off" : String(status(answer));
    answers.set(outcome, (answers.get(outcome) ?? 0) + 1);
  });
  const next = status(await ask(gate.port));
  const strange = [...answers.keys()].filter((outcome) => !KNOWN.has(outcome));
  const upgraded = answers.get("101") ?? 0;
  return [
    none("F2: handshakes answered in a way that is not in the book", strange.length, count),
    holds(
      "F2: what they were answered with",
      answers.size > 2,
      [...answers]
        .map(([outcome, times]) => `${outcome}: ${times}`)
        .sort((a, b) => (a < b ? -1 : 1))
        .join(", "),
      "several of them",
    ),
    exactly(
      "F2: sockets beyond those that were answered with 101",
      Math.max(0, gate.accepted.length - 1 - upgraded),
      0,
    ),
    same("F2: the next handshake", next, 101),
    exactly("F2: errors the listener reported", gate.reports.length, 0),
  ];
}

/** What a listener may answer. */
const KNOWN: ReadonlySet<string> = new Set([
  "cut off",
  "100",
  "101",
  "400",
  "401",
  "403",
  "404",
  "405",
  "408",
  "413",
  "414",
  "417",
  "426",
  "431",
  "503",
  "505",
]);
