/** WebSocket frames that cost the runner more than they cost who sends them. Rows T6 to T9. */
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import { deflateRawSync } from "node:zlib";
import { frameLimit } from "../../../src/core/protocol/codec.ts";
import { dialWebSocket } from "../../../src/transports/websocket/node/index.ts";
import { ask, frame } from "../../transports/websocket/node/raw-client.ts";
import type { Finding, Scale } from "../section.ts";
import type { Lab, Victim } from "./lab.ts";
import { frameHeads, rawWorker, said, upgraded } from "./raw-worker.ts";
import { all, atMost, exactly, holds, type Row, same, sized } from "./row.ts";
import { until } from "./waiting.ts";

const MIB = 1024 * 1024;
/** What the allocator and the code's own warming up may add, in MiB. */
const SLACK = 5;

/** A runner that would wait for ever: what ends a connection is what was sent on it. */
const PATIENT = { runner: { helloTimeout: 3_600_000, heartbeat: 3_600_000 } };

/** What one wave of an attack left behind in the runner's process, in MiB. */
interface Growth {
  readonly rss: number;
  readonly heap: number;
}

/**
 * The smallest growth of three waves, after one that warms up: memory that was kept grows with each of them, the
 * allocator's moods do not.
 */
async function growth(victim: Victim, wave: () => Promise<void>): Promise<Growth> {
  await wave();
  const seen: Growth[] = [];
  for (let i = 0; i < 3; i++) {
    const before = await victim.figures();
    await wave();
    const after = await victim.figures();
    seen.push({ rss: (after.rss - before.rss) / MIB, heap: (after.heap - before.heap) / MIB });
  }
  return { rss: Math.min(...seen.map(({ rss }) => rss)), heap: Math.min(...seen.map(({ heap }) => heap)) };
}

/** Sends something on so many fresh connections and waits until the server has let go of them; their close codes. */
async function assault(victim: Victim, count: number, words: readonly Uint8Array[]): Promise<number[]> {
  const { connections } = await victim.figures();
  const clients = await Promise.all(Array.from({ length: count }, () => upgraded(victim.port)));
  for (const client of clients) for (const part of words) client.send(part);
  await until("the server has let go of all of them", () => clients.every((client) => client.ended));
  // A client sees the end before the server does, which still holds what it had received until then.
  await until("it holds none of them", async () => (await victim.figures()).connections <= connections);
  return clients.map((client) => closeCode(client.frames));
}

/** The code in a server's first frame when that is a close frame; 0 when the connection was just cut. */
function closeCode(bytes: Uint8Array): number {
  return bytes[0] === 0x88 ? ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0) : 0;
}

async function giants(scale: Scale, lab: Lab): Promise<readonly Finding[]> {
  const count = sized(scale, 10, 20, 100);
  await using victim = await lab.victim(PATIENT);
  const giant = frame(0x82, new Uint8Array(2 * MIB));
  const codes: number[] = [];
  const { rss } = await growth(victim, async () => void codes.push(...(await assault(victim, count, [giant]))));
  const over = frame(0x82, new Uint8Array(0), frameLimit(MIB) + 1);
  const [byOne] = await assault(victim, 1, [over]);
  return [
    // A peer that still sends when it is cut off may lose the close frame to the reset.
    all(
      "frames of 2 MiB closed with 1009 or cut off",
      codes.filter((code) => code === 1009 || code === 0).length,
      codes.length,
    ),
    same("one byte over the limit, told in the head alone", byOne, 1009),
    atMost(`memory that ${count} of them leave behind`, rss, SLACK, "MiB RSS"),
    exactly("registered", (await victim.figures()).registered, 0),
  ];
}

/** The answer of RFC 6455 to a client's key. */
function accept(key: string = ""): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

/** A server that upgrades everybody and sends these bytes at once; it notes what was asked for. */
function hostileServer(bytes: Uint8Array, asked: string[]): Server {
  const server = createServer();
  server.on("upgrade", (request, socket) => {
    asked.push(JSON.stringify(request.headers));
    const head = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${accept(request.headers["sec-websocket-key"])}`,
      "Sec-WebSocket-Protocol: powerhose.v1",
    ];
    socket.on("error", () => undefined);
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    socket.write(bytes);
    socket.resume().on("end", () => socket.end());
  });
  return server;
}

/** What one of our own workers asks for when it dials, and what becomes of it when it is answered with these bytes. */
async function asDialer(bytes: Uint8Array): Promise<{ readonly asked: string; readonly closed: string }> {
  const asked: string[] = [];
  const server = hostileServer(bytes, asked);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const dialer = dialWebSocket(`ws://127.0.0.1:${port}/`);
  const socket = await dialer.dial(new AbortController().signal, { maxFrameBytes: MIB });
  const closed = await new Promise<string>((resolve) => {
    socket.open({ frame: () => resolve("read it"), closed: ({ code }) => resolve(code) });
  });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  return { asked: asked.join(), closed };
}

function lengthOf(bytes: Uint8Array): Uint8Array {
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes.length));
  return length;
}

async function bombs(scale: Scale, lab: Lab): Promise<readonly Finding[]> {
  const [count, size] = [sized(scale, 5, 10, 50), sized(scale, 16, 64, 64) * MIB];
  const bomb = deflateRawSync(new Uint8Array(size), { level: 9 });
  await using victim = await lab.victim(PATIENT);
  const offer = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
  const offered = await ask(victim.port, "/", offer);
  const { rss } = await growth(victim, async () => void (await assault(victim, count, [frame(0xc2, bomb)])));
  const dialled = await asDialer(Buffer.concat([Buffer.from([0xc2, 127]), lengthOf(bomb), bomb]));
  return [
    same("compression that a client offers, agreed on", /sec-websocket-extensions/i.test(offered), false),
    atMost(`memory that ${count} bombs of 1:${Math.round(size / bomb.length)} leave behind`, rss, SLACK, "MiB RSS"),
    same("compression that our own dialer offers", /sec-websocket-extensions/i.test(dialled.asked), false),
    same("our own dialer, sent a bomb by its server", dialled.closed, "violation"),
  ];
}

/** A frame of one byte in seven, as a client sends it. */
function tiny(firstByte: number): Uint8Array {
  return Uint8Array.of(firstByte, 0x81, 0, 0, 0, 0, 1);
}

async function fragments(scale: Scale, lab: Lab): Promise<readonly Finding[]> {
  const [count, pieces] = [sized(scale, 50, 50, 200), 16_000];
  await using victim = await lab.victim(PATIENT);
  const words = Buffer.concat([tiny(0x02), ...Array.from({ length: pieces }, () => tiny(0x00))]);
  let closed = 0;
  const { heap } = await growth(victim, async () => void (closed += (await assault(victim, count, [words])).length));
  const { connections, registered } = await victim.figures();
  return [
    atMost(`heap growth by ${count} × ${pieces.toLocaleString("en")} fragments`, heap, SLACK, "MiB"),
    all("closed", closed - connections, 4 * count),
    exactly("registered", registered, 0),
  ];
}

async function pings(scale: Scale, lab: Lab): Promise<readonly Finding[]> {
  const count = sized(scale, 400_000, 400_000, 2_000_000);
  await using victim = await lab.victim(PATIENT);
  using client = await rawWorker(victim.port, "pinger");
  await until("it is registered", async () => (await victim.figures()).workers === 1);
  const before = await victim.figures();
  const ping = Uint8Array.of(0x89, 0x80, 0, 0, 0, 0);
  const thousand = Buffer.concat(Array.from({ length: 1_000 }, () => ping));
  for (let sent = 0; sent < count && !client.ended; sent += 1_000) client.send(thousand);
  await client.end();
  await until("its session has ended", async () => (await victim.figures()).workers === 0);
  const after = await victim.figures();
  const pongs = frameHeads(client.frames).filter((head) => head === 0x8a).length;
  const protocol = await protocolPings(victim);
  return [
    same(`session after ${count.toLocaleString("en")} WebSocket pings`, after.gone, { closed: 1 }),
    // One a second beyond the first 64; nobody can read so slowly that it would be many more.
    holds(
      "of them answered",
      pongs <= 200,
      `${pongs}, in ${Math.round(after.cpu - before.cpu)} ms of CPU in all`,
      "at most 200",
    ),
    same("sessions after PINGs of our own protocol", protocol, { closed: 1, violation: 1 }),
  ];
}

/** The same with messages of our own: strikes, and then the session ends. */
async function protocolPings(victim: Victim): Promise<Readonly<Record<string, number>>> {
  using client = await rawWorker(victim.port, "asker");
  const questions = Array.from({ length: 1_000 }, (_, nonce) => ({ type: "PING", nonce }) as const);
  client.send(said(...questions));
  await client.end();
  return (await victim.figures()).gone;
}

/** Frames that cost too much. */
export const frameRows: readonly Row[] = [
  { name: "T6", threat: "a message of any size", check: giants },
  { name: "T7", threat: "a decompression bomb", check: bombs },
  { name: "T8", threat: "a message in thousands of fragments", check: fragments },
  { name: "T9", threat: "pings without end", check: pings },
];
