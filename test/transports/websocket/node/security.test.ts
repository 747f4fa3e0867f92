/**
 * The threats to a WebSocket listener that are the transport's to meet, each in a short form, over real connections. The figures
 * of the whole threat model are in test/reliability/threats.ts.
 */
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { AuthError } from "../../../../src/core/errors.ts";
import { systemClock } from "../../../../src/core/time/system.ts";
import { bearerSubprotocol } from "../../../../src/transports/websocket/address.ts";
import { dialWebSocket } from "../../../../src/transports/websocket/node/index.ts";
import { ALLOWED_ORIGIN, HOSTILE_ORIGINS } from "../../../support/hostile-origins.ts";
import { Gate, MAX } from "./gate.ts";
import { ask, frame, type Headers, RawClient, status, upgrade } from "./raw-client.ts";

const TOKEN = "s3cret-token";
const limits = { maxFrameBytes: MAX };

function bearer(token: string): Headers {
  return { Authorization: `Bearer ${token}` };
}

function inProtocol(token: string): Headers {
  return { "Sec-WebSocket-Protocol": `powerhose.v1, ${bearerSubprotocol(token)}` };
}

/** Asks many times, a few at once, and counts the answers by their status. */
async function statuses(count: number, one: () => Promise<string>): Promise<Map<number, number>> {
  const seen = new Map<number, number>();
  for (let left = count; left > 0; left -= 20) {
    for (const head of await Promise.all(Array.from({ length: Math.min(20, left) }, one))) {
      seen.set(status(head), (seen.get(status(head)) ?? 0) + 1);
    }
  }
  return seen;
}

test("T1: who shows no token is refused before the upgrade, every time", async () => {
  await using gate = await Gate.open({ token: TOKEN });
  expect(await statuses(300, () => ask(gate.port))).toEqual(new Map([[401, 300]]));
  expect(gate.accepted).toEqual([]);
});

test.each(["0.0.0.0", "::", "192.0.2.1", "runner.example"])(
  "T1: listening on %s without token or hook is refused",
  async (host) => {
    const gate = new Gate({ host });
    await expect(gate.start()).rejects.toThrow(AuthError);
    await expect(gate.start()).rejects.toThrow("pass `token` or `authenticate`");
  },
);

test("T1: a refused connection is closed by the server", async () => {
  await using gate = await Gate.open({ token: TOKEN });
  using client = new RawClient(gate.port);
  const answer = await client.send(upgrade("/")).end();
  expect(answer).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/);
  expect(answer).toContain("WWW-Authenticate: Bearer");
});

test("T2: a token is taken from the header and from the subprotocol, and never sent back", async () => {
  await using gate = await Gate.open({ token: TOKEN });
  for (const headers of [bearer(TOKEN), inProtocol(TOKEN), { ...bearer(TOKEN), Authorization: `bearer ${TOKEN}` }]) {
    const head = await ask(gate.port, "/", headers);
    expect(status(head)).toBe(101);
    expect(head).toMatch(/^Sec-WebSocket-Protocol: powerhose\.v1$/m);
    expect(head).not.toContain(TOKEN);
    expect(head).not.toContain("bearer");
  }
  expect(gate.accepted.map((socket) => socket.peer.principal)).toEqual(["token", "token", "token"]);
});

test("T2: any text is a token, on both ways from Node", async () => {
  const token = "schlüssel 鍵 🔑";
  await using gate = await Gate.open({ token });
  const socket = await dialWebSocket(gate.listener.address, { token }).dial(new AbortController().signal, limits);
  socket.close();
  expect(gate.accepted).toHaveLength(1);
});

test.each(["schlüssel", "鍵", "🔑", "a\u00a0b", "\u00a0", "é\u0085"])(
  "T2: the token %j is taken from the header as UTF-8",
  async (token) => {
    await using gate = await Gate.open({ token });
    const utf8 = Buffer.from(token, "utf8").toString("latin1");
    using client = new RawClient(gate.port);
    const head = await client.send(Buffer.from(upgrade("/", bearer(utf8)), "latin1")).head();
    expect(status(head)).toBe(101);
    expect(status(await ask(gate.port, "/", bearer(`${token}x`)))).toBe(401);
  },
);

test("T2: a token is taken from the header as Latin-1 where it has such a form", async () => {
  await using gate = await Gate.open({ token: "schlüssel" });
  using client = new RawClient(gate.port);
  expect(status(await client.send(Buffer.from(upgrade("/", bearer("schlüssel")), "latin1")).head())).toBe(101);
});

test("T2: neither token nor query is in the error of a refused dial", async () => {
  await using gate = await Gate.open({ token: TOKEN });
  const dialer = dialWebSocket(`${gate.listener.address}?ticket=t1ck3t`, { token: "wr0ng" });
  const error: unknown = await dialer.dial(new AbortController().signal, limits).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(AuthError);
  expect(String((error as Error).stack)).not.toMatch(/t1ck3t|wr0ng/);
});

test.each(["", "s", "s3cret-tokem", `${TOKEN}${TOKEN}`, "x".repeat(4_000), "\u00ff"])(
  "T3: a wrong token of any length is refused and throws nothing (%#)",
  async (wrong) => {
    await using gate = await Gate.open({ token: TOKEN });
    expect(status(await ask(gate.port, "/", bearer(wrong)))).toBe(401);
    expect(status(await ask(gate.port, "/", inProtocol(wrong)))).toBe(401);
    expect(gate.reports).toEqual([]);
  },
);

test("T3: each of several tokens opens, as the same principal", async () => {
  await using gate = await Gate.open({ token: ["old", "new"] });
  for (const token of ["old", "new"]) expect(status(await ask(gate.port, "/", bearer(token)))).toBe(101);
  expect(status(await ask(gate.port, "/", bearer("older")))).toBe(401);
  expect(new Set(gate.accepted.map((socket) => socket.peer.principal))).toEqual(new Set(["token"]));
});

test("T3: another scheme is not a token", async () => {
  await using gate = await Gate.open({ token: TOKEN });
  for (const value of [TOKEN, `Basic ${TOKEN}`, `Bearer${TOKEN}`, "Bearer"]) {
    expect(status(await ask(gate.port, "/", { Authorization: value }))).toBe(401);
  }
});

test("T4: no web page gets in unless its exact origin was allowed, whatever it shows", async () => {
  await using gate = await Gate.open({ token: TOKEN, origins: [ALLOWED_ORIGIN] });
  for (const credentials of [{}, bearer(TOKEN), inProtocol(TOKEN), { Cookie: `token=${TOKEN}` }]) {
    for (const Origin of HOSTILE_ORIGINS)
      expect(status(await ask(gate.port, "/", { ...credentials, Origin }))).toBe(403);
  }
  expect(gate.accepted).toEqual([]);
  expect(status(await ask(gate.port, "/", { ...inProtocol(TOKEN), Origin: ALLOWED_ORIGIN }))).toBe(101);
  expect(status(await ask(gate.port, "/", { Origin: ALLOWED_ORIGIN }))).toBe(401);
});

test("T4: by default no web page gets in at all, and other programs do", async () => {
  await using gate = await Gate.open();
  for (const Origin of [...HOSTILE_ORIGINS, ALLOWED_ORIGIN])
    expect(status(await ask(gate.port, "/", { Origin }))).toBe(403);
  expect(gate.accepted).toEqual([]);
  expect(status(await ask(gate.port))).toBe(101);
  expect(gate.accepted[0]?.peer.principal).toBe("loopback");
});

test("T5: a token is not sent in the clear to another machine", () => {
  for (const address of ["ws://runner.example/", "ws://192.0.2.1:7070/", "ws://127.0.0.1.evil.example/"]) {
    expect(() => dialWebSocket(address, { token: TOKEN })).toThrow(AuthError);
    expect(() => dialWebSocket(address, { token: TOKEN })).toThrow("use wss:");
  }
});

test("T6: a frame over the limit is refused by its head, with 1009", async () => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  await client.send(upgrade("/")).head();
  client.send(frame(0x82, new Uint8Array(10), 2 * 1024 * 1024));
  await client.end();
  // A close frame of two bytes: the code 1009.
  expect([...client.frames]).toEqual([0x88, 2, 1009 >> 8, 1009 & 0xff]);
  expect(gate.closed).toEqual(["too-large"]);
  expect(gate.frames).toBe(0);
});

test("T7: compression is never agreed on, and a compressed frame ends the connection", async () => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  const head = await client.send(upgrade("/", { "Sec-WebSocket-Extensions": "permessage-deflate" })).head();
  expect(head).not.toMatch(/extensions/i);
  client.send(frame(0x82 | 0x40, new Uint8Array(10)));
  await client.end();
  expect(gate.closed).toEqual(["violation"]);
});

test("T8: a flood of fragments ends the connection", async () => {
  await using gate = await Gate.open();
  const clients = Array.from({ length: 10 }, () => new RawClient(gate.port));
  for (const client of clients) {
    await client.send(upgrade("/")).head();
    client.send(frame(0x02, new Uint8Array(1)));
    client.send(Buffer.concat(Array.from({ length: 1_000 }, () => frame(0x00, new Uint8Array(1)))));
  }
  await Promise.all(clients.map((client) => client.end()));
  expect(gate.closed).toEqual(clients.map(() => "violation"));
  expect(gate.frames).toBe(0);
});

/** So many WebSocket pings, or other frames without a body, in one piece. */
function pings(count: number, first: number = 0x89): Uint8Array {
  return Buffer.concat(Array.from({ length: count }, () => Uint8Array.of(first, 0x80, 0, 0, 0, 0)));
}

/** The close frame that ends what a client receives: its code, and its text. */
async function closeOf(client: RawClient): Promise<[code: number, text: string]> {
  await vi.waitUntil(() => client.ended || client.frames.includes(0x88), { interval: 1 });
  const { frames } = client;
  const at = frames.lastIndexOf(0x88);
  return [frames.readUInt16BE(at + 2), frames.toString("utf8", at + 4)];
}

const pongsIn = ({ frames }: RawClient): number => frames.toString("latin1").split("\u008a\0").length - 1;

test.each([1, 60, 61, 64])("T9: %i pings in one piece are answered", async (count) => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  await client.send(upgrade("/")).head();
  client.send(pings(count)).send(frame(0x82, new Uint8Array(3)));
  await vi.waitUntil(() => gate.frames === 1 && pongsIn(client) === count);
  expect(gate.closed).toEqual([]);
});

test.each([
  ["pings in one piece", 65, 0x89],
  ["pings in a flood", 1_000, 0x89],
  ["pongs", 65, 0x8a],
])("T9: too many %s end the connection with a close frame that says so", async (_, count, first) => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  await client.send(upgrade("/")).head();
  client.send(pings(count, first));
  expect(await closeOf(client)).toEqual([1008, "too many pings"]);
  expect(gate.closed).toEqual(["violation"]);
});

test("T9: too many pings one by one end the connection in the same way", async () => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  await client.send(upgrade("/")).head();
  for (let sent = 0; sent < 64; sent++) {
    client.send(pings(1));
    await vi.waitUntil(() => pongsIn(client) === sent + 1, { interval: 1 });
  }
  client.send(pings(2));
  expect(await closeOf(client)).toEqual([1008, "too many pings"]);
});

test("T10: slow and silent clients are cut off", async () => {
  await using gate = await Gate.open({ headersTimeout: 60, requestTimeout: 60, connectionsCheckingInterval: 20 });
  const slow = Array.from({ length: 20 }, () => new RawClient(gate.port).send("GET / HTTP/1.1\r\nHost: a\r\n"));
  const silent = Array.from({ length: 20 }, () => new RawClient(gate.port));
  const garbage = new RawClient(gate.port).send("\u0016\u0003\u0001 not HTTP\r\n\r\n");
  await Promise.all([...slow, ...silent, garbage].map((client) => client.end()));
  expect(gate.accepted).toEqual([]);
});

test("T10: a request head over the limit is cut off", async () => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  client.send(upgrade("/", { "X-Long": "x".repeat(20_000) }));
  await client.end();
  expect(gate.accepted).toEqual([]);
});

test("T11: handshakes under way are bounded in number and in time", async () => {
  let asked = 0;
  const authenticate = (): Promise<string> => {
    asked++;
    return new Promise(() => undefined);
  };
  await using gate = await Gate.open({ authenticate, maxPending: 2, requestTimeout: 200 });
  const pending = [ask(gate.port), ask(gate.port)];
  await vi.waitUntil(() => asked === 2);
  expect(status(await ask(gate.port))).toBe(503);
  expect(asked).toBe(2);
  expect((await Promise.all(pending)).map(status)).toEqual([503, 503]);
  expect(gate.accepted).toEqual([]);
});

test("T11: stopping does not wait for a hook that hangs", async () => {
  let asked = 0;
  await using gate = await Gate.open({ authenticate: () => new Promise(() => void asked++) });
  using client = new RawClient(gate.port).send(upgrade("/"));
  await vi.waitUntil(() => asked === 1);
  await gate.listener.stop();
  expect(await client.end()).toBe("");
});

test("T12: connections over the limit are refused, those that are there stay", async () => {
  await using gate = await Gate.open({ maxConnections: 3 });
  const members = Array.from({ length: 3 }, () => new RawClient(gate.port));
  for (const client of members) expect(status(await client.send(upgrade("/")).head())).toBe(101);
  expect(await statuses(100, () => ask(gate.port))).toEqual(new Map([[503, 100]]));
  for (const client of members) client.send(frame(0x82, new Uint8Array(5)));
  await vi.waitUntil(() => gate.frames === 3);
  expect(gate.closed).toEqual([]);
  members[0]?.[Symbol.dispose]();
  await vi.waitUntil(() => gate.closed.length === 1);
  expect(status(await ask(gate.port))).toBe(101);
  for (const client of members) client[Symbol.dispose]();
});

test("T12: refused handshakes give their place back", async () => {
  await using gate = await Gate.open({ maxConnections: 1, token: TOKEN });
  for (let i = 0; i < 20; i++) {
    using client = new RawClient(gate.port);
    expect(status(await client.send(upgrade("/")).end())).toBe(401);
  }
  expect(status(await ask(gate.port, "/", bearer(TOKEN)))).toBe(101);
});

test("T12: one address has a limit of its own", async () => {
  await using gate = await Gate.open({ maxConnectionsPerAddress: 1 });
  using member = new RawClient(gate.port);
  expect(status(await member.send(upgrade("/")).head())).toBe(101);
  expect(status(await ask(gate.port))).toBe(503);
});

test("T12: handshakes come at a bounded rate", async () => {
  await using gate = await Gate.open({ acceptRate: 1 });
  expect(status(await ask(gate.port))).toBe(101);
  const refused = await ask(gate.port);
  expect(status(refused)).toBe(503);
  expect(refused).toContain("Retry-After: 1");
});

test("T13: what a peer does not read is counted, and does not hold up a close or a stop", async () => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  await client.send(upgrade("/")).head();
  client.pause();
  const [socket] = gate.accepted;
  for (let i = 0; i < 400; i++) socket?.send(new Uint8Array(MAX));
  await vi.waitUntil(() => (socket?.bufferedBytes ?? 0) > 1024 * 1024);
  socket?.close();
  await vi.waitUntil(() => gate.closed.length === 1);
  expect(gate.closed).toEqual(["local"]);
});

test("T13: stop does not sit out the closing handshake of a peer that is stuck", async () => {
  await using gate = await Gate.open();
  using client = new RawClient(gate.port);
  await client.send(upgrade("/")).head();
  client.pause();
  gate.accepted[0]?.send(new Uint8Array(MAX));
  // Set before the handshake's own time limit begins, and as long: it fires first if `stop` waits for that limit.
  let timer: unknown;
  const satOut = new Promise<string>((resolve) => {
    timer = systemClock.set(1_000, () => resolve("sat out"), true);
  });
  const outcome = await Promise.race([gate.listener.stop().then(() => "stopped"), satOut]);
  systemClock.clear(timer);
  expect(outcome).toBe("stopped");
});

test("any bytes instead of a handshake leave the listener as it was", async () => {
  await using gate = await Gate.open({ headersTimeout: 50, requestTimeout: 50, connectionsCheckingInterval: 10 });
  const line = fc.string({ maxLength: 40, unit: "binary-ascii" });
  const mangled = fc
    .tuple(fc.array(line, { maxLength: 5 }), fc.nat(200), fc.string({ unit: "binary", maxLength: 5 }))
    .map(([lines, at, noise]) => {
      const head = upgrade("/", { "X-Noise": lines.join("\r\nX: ") });
      return head.slice(0, at) + noise + head.slice(at + noise.length);
    });
  await fc.assert(
    fc.asyncProperty(mangled, async (text) => {
      using client = new RawClient(gate.port);
      client.send(text);
      await vi.waitUntil(() => client.ended || client.text.includes("\r\n\r\n"), { interval: 1 });
    }),
    { numRuns: 100 },
  );
  expect(status(await ask(gate.port))).toBe(101);
  expect(gate.reports).toEqual([]);
});
