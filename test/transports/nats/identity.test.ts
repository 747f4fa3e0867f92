/** What one party can do to another over NATS, and what is refused; on a server in memory. */
import { describe, expect, test } from "vitest";
import { AuthError } from "../../../src/core/errors.ts";
import { dialNats, listenNats } from "../../../src/transports/nats/index.ts";
import { encodePacket, PACKET } from "../../../src/transports/nats/packet.ts";
import { RESERVED_PRINCIPALS } from "../../../src/core/transport/principal.ts";
import type { FakeConnection, FakePermissions, FakePublication } from "./fake-nats.ts";
import { FakeFleet, filled } from "./fake-fleet.ts";

const RUNNER: FakePermissions = { subscribe: ["ph.jobs.dial.*", "ph.jobs.in.>"], publish: ["ph.jobs.out.>"] };

function guest(name: string): FakePermissions {
  return {
    publish: [`ph.jobs.dial.${name}`, `ph.jobs.in.${name}.>`],
    subscribe: [`ph.jobs.out.${name}.>`],
  };
}

async function fenced(): Promise<FakeFleet> {
  const fleet = new FakeFleet({ permissions: RUNNER });
  await fleet.start();
  return fleet;
}

function dialled(payload: Uint8Array | string, reply: string): readonly [string, Uint8Array, { reply: string }] {
  const data = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  return ["ph.jobs.dial.alice", data, { reply }];
}

const HANDSHAKE = JSON.stringify({ version: 1, maxFrameBytes: 1_000, windowBytes: 65_536 });
const PORT = "0123456789abcdef0123456789abcdef";

/** What is published from now on. */
function watch(fleet: FakeFleet): FakePublication[] {
  const seen: FakePublication[] = [];
  fleet.server.passes = (publication) => seen.push(publication) > 0;
  return seen;
}

describe("with the server's permissions", () => {
  test("a worker is the principal that its user may be", async () => {
    const fleet = await fenced();
    const ends = await fleet.pair(fleet.server.connect({ permissions: guest("alice") }));
    expect(fleet.accepted[0]?.peer).toEqual({
      transport: "nats",
      address: expect.stringMatching(/^alice\/[0-9a-f]{8}\.1$/) as string,
      principal: "alice",
    });
    expect(ends[0].socket.peer).toEqual({ transport: "nats", address: "nats:jobs", principal: "nats:jobs" });
    await fleet.end(...ends);
  });

  test("it cannot dial as another: an AuthError, with nothing accepted", async () => {
    const fleet = await fenced();
    const alice = fleet.server.connect({ permissions: guest("alice") });
    await expect(fleet.settle(fleet.dial(alice, "bob"))).rejects.toThrow(AuthError);
    expect(fleet.accepted).toEqual([]);
    await fleet.end();
  });

  test("it can put nothing into the socket of another, whose subject it knows", async () => {
    const fleet = await fenced();
    const seen = watch(fleet);
    const [near, far] = await fleet.pair(fleet.server.connect({ permissions: guest("bob") }), "bob");
    near.socket.send(filled(1, 1));
    await fleet.clock.advance(20);
    const subject = seen.find((one) => one.subject.startsWith("ph.jobs.in.bob."))?.subject ?? "";
    const alice = fleet.server.connect({ permissions: guest("alice") });
    alice.publish(subject, encodePacket(PACKET.whole, 1, 0, filled(1, 9)));
    // The same port and number, below its own name: no socket of that subject.
    alice.publish(subject.replace(".bob.", ".alice."), encodePacket(PACKET.whole, 1, 0, filled(1, 9)));
    await fleet.clock.advance(20);
    near.socket.send(filled(1, 2));
    await fleet.clock.advance(20);
    expect([far.frames.map((frame) => frame[0]), far.codes]).toEqual([[1, 2], []]);
    await fleet.end(near, far);
  });

  test("listening without the right to is an AuthError of start", async () => {
    const fleet = new FakeFleet({ permissions: guest("alice") });
    await expect(fleet.start()).rejects.toThrow(AuthError);
    await fleet.end();
  });

  test("an end that may not publish to the other closes, and says so", async () => {
    const fleet = new FakeFleet({ permissions: { ...RUNNER, publish: ["ph.jobs.out.bob.>"] } });
    await fleet.start();
    const dial = fleet.dial(fleet.server.connect());
    await expect(fleet.settle(dial)).rejects.toThrow("no answer within 5000 ms");
    expect(fleet.accepted).toHaveLength(1);
    expect(fleet.accepted[0]?.send(filled(1, 1))).toBe(false);
    await fleet.end();
  });

  test("another account finds nothing", async () => {
    const fleet = await fenced();
    await expect(fleet.settle(fleet.dial(fleet.server.connect({ account: "other" })))).rejects.toThrow(
      "nothing listens",
    );
    await fleet.end();
  });
});

describe("a foreign packet", () => {
  async function stranger(): Promise<{ fleet: FakeFleet; nc: FakeConnection; seen: FakePublication[]; port: string }> {
    const fleet = new FakeFleet();
    await fleet.start();
    const seen = watch(fleet);
    const [near] = await fleet.pair();
    near.socket.close();
    await fleet.clock.advance(20);
    const port = seen.find(({ reply }) => reply.startsWith("ph.jobs.in."))?.reply.split(".")[4] ?? "";
    seen.length = 0;
    return { fleet, nc: fleet.server.connect(), seen, port };
  }

  test("for no socket is answered by a reset, and a reset by nothing", async () => {
    const { fleet, nc, seen, port } = await stranger();
    const reply = `ph.jobs.out.alice.${PORT}.7`;
    const subscription = nc.subscribe(reply, {});
    nc.publish(`ph.jobs.in.alice.${port}.99`, encodePacket(PACKET.ack, 0, 0), { reply });
    nc.publish(`ph.jobs.in.alice.${port}.99`, encodePacket(PACKET.reset, 0, 0), { reply });
    await fleet.clock.advance(0);
    expect(seen.slice(2)).toEqual([
      { subject: reply, reply: `ph.jobs.in.alice.${port}.99`, data: encodePacket(PACKET.reset, 0, 0) },
    ]);
    subscription.unsubscribe();
    await fleet.end();
  });

  test("is not answered anywhere but at its principal's own sockets", async () => {
    const { fleet, nc, seen, port } = await stranger();
    for (const reply of [
      "",
      "other",
      `ph.jobs.out.bob.${PORT}.1`,
      `ph.jobs.out.alice.${PORT}.x`,
      "ph.jobs.out.alice.>",
    ])
      nc.publish(`ph.jobs.in.alice.${port}.99`, encodePacket(PACKET.ack, 0, 0), { reply });
    await fleet.clock.advance(0);
    expect(seen).toHaveLength(5);
    await fleet.end();
  });

  test("that is none is dropped", async () => {
    const fleet = new FakeFleet();
    await fleet.start();
    const seen = watch(fleet);
    const [near, far] = await fleet.pair();
    const target = seen.find(({ reply }) => reply.startsWith("ph.jobs.in."))?.reply ?? "";
    const nc = fleet.server.connect();
    for (const bytes of [[], [1], [0, 0, 0, 0, 0, 0, 0, 0, 0], [99, 0, 0, 0, 0, 0, 0, 0, 0]])
      nc.publish(target, Uint8Array.from(bytes));
    near.socket.send(filled(1, 1));
    await fleet.clock.advance(20);
    expect([far.frames.length, far.codes]).toEqual([1, []]);
    await fleet.end(near, far);
  });

  test.each([
    ["of another number", encodePacket(PACKET.whole, 5, 0, filled(1, 1)), "error"],
    ["that says more was taken than was sent", encodePacket(PACKET.ack, 0, 9), "violation"],
    ["that answers no dial", encodePacket(PACKET.accept, 0, 0), "violation"],
    ["that goes on with no frame", encodePacket(PACKET.next, 0, 0, filled(1, 1)), "violation"],
    ["whose frame is no longer than its beginning", encodePacket(PACKET.first, 0, 0, filled(4, 1), 4), "violation"],
    ["whose frame is empty", encodePacket(PACKET.first, 0, 0, filled(0, 1), 10), "violation"],
    ["whose frame is over the limit", encodePacket(PACKET.first, 0, 0, filled(1, 1), 0xffff_ffff), "too-large"],
  ])("%s closes both ends", async (_name, packet, code) => {
    const fleet = new FakeFleet();
    await fleet.start();
    const seen = watch(fleet);
    const [near, far] = await fleet.pair();
    const accepted = seen.find(({ reply }) => reply.startsWith("ph.jobs.in."));
    fleet.server.connect().publish(accepted?.reply ?? "", packet, { reply: accepted?.subject ?? "" });
    await fleet.clock.advance(1_500);
    expect(far.codes).toEqual([code]);
    expect(near.closes).toHaveLength(1);
    await fleet.end();
  });
});

describe("a listener", () => {
  test.each(RESERVED_PRINCIPALS)("refuses the principal %s, which transports give out", async (name) => {
    const fleet = new FakeFleet();
    await fleet.start();
    const seen = watch(fleet);
    const reply = `ph.jobs.out.${name}.${PORT}.1`;
    fleet.server.connect().publish(`ph.jobs.dial.${name}`, new TextEncoder().encode(HANDSHAKE), { reply });
    await fleet.clock.advance(0);
    expect([fleet.accepted.length, seen[1]?.subject, seen[1]?.data[0]]).toEqual([0, reply, PACKET.refuse]);
    await fleet.end();
  });

  test.each([
    ["version", JSON.stringify({ version: 2, maxFrameBytes: 1_000, windowBytes: 65_536 })],
    ["window", JSON.stringify({ version: 1, maxFrameBytes: 1_000, windowBytes: 1e12 })],
    ["limit", JSON.stringify({ version: 1, maxFrameBytes: -1, windowBytes: 65_536 })],
    ["JSON", "not JSON"],
    ["length", `${HANDSHAKE}${" ".repeat(2_000)}`],
  ])("refuses a dial of another %s", async (_name, payload) => {
    const fleet = new FakeFleet();
    await fleet.start();
    const seen = watch(fleet);
    fleet.server.connect().publish(...dialled(payload, `ph.jobs.out.alice.${PORT}.1`));
    await fleet.clock.advance(0);
    expect([fleet.accepted.length, seen[1]?.data[0]]).toEqual([0, PACKET.refuse]);
    await fleet.end();
  });

  test.each(["", "elsewhere", `ph.jobs.out.bob.${PORT}.1`, `ph.jobs.in.alice.${PORT}.1`])(
    "does not answer a dial at %j",
    async (reply) => {
      const fleet = new FakeFleet();
      await fleet.start();
      const seen = watch(fleet);
      fleet.server.connect().publish(...dialled(HANDSHAKE, reply));
      await fleet.clock.advance(0);
      expect([fleet.accepted.length, seen.length]).toEqual([0, 1]);
      await fleet.end();
    },
  );

  test("refuses more than maxConnections, until one is free", async () => {
    const fleet = new FakeFleet({ maxConnections: 1 });
    await fleet.start();
    const first = await fleet.pair();
    await expect(fleet.settle(fleet.dial(fleet.server.connect()))).rejects.toThrow(
      "could not connect to nats:jobs: the runner refused: it has as many connections as it takes",
    );
    first[0].socket.close();
    await fleet.clock.advance(20);
    await fleet.end(...(await fleet.pair()));
  });
});

test("options are checked", () => {
  const nc = new FakeFleet().server.connect();
  const loose = (options: object): never => options as never;
  expect(() => listenNats(nc, loose({}))).toThrow("listenNats: `fleet` is needed: 1 to 64 characters");
  expect(() => listenNats(nc, { fleet: "a.b" })).toThrow(TypeError);
  expect(() => listenNats(nc, { fleet: "jobs", maxConnections: 0 })).toThrow(RangeError);
  expect(() => listenNats(nc, loose({ fleet: "jobs", flet: 1 }))).toThrow("unknown option `flet`");
  expect(() => listenNats(loose({}), { fleet: "jobs" })).toThrow(
    "expected a connection of the NATS client, got `object`",
  );
  expect(() => dialNats(nc, loose({ fleet: "jobs" }))).toThrow("dialNats: `principal` is needed");
  for (const principal of ["", "*", "a b", "a.b", ">", "x".repeat(65), ...RESERVED_PRINCIPALS])
    expect(() => dialNats(nc, { fleet: "jobs", principal }), principal).toThrow(TypeError);
  expect(() => dialNats(nc, { fleet: "jobs", principal: "local" })).toThrow("such as `local`");
});
