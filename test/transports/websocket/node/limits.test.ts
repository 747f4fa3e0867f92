/** How many connections a listener holds of one address and in all, and how fast they may come. */
import * as fc from "fast-check";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "../../../../src/core/time/system.ts";
import { VirtualClock } from "../../../../src/testing/time/virtual-clock.ts";
import {
  ConnectionLimits,
  type ConnectionLimitSettings,
  networkOf,
} from "../../../../src/transports/websocket/node/limits.ts";
import { WEBSOCKET_LISTENER_DEFAULTS } from "../../../../src/transports/websocket/node/index.ts";
import { Gate } from "./gate.ts";
import { ask, type Headers, RawClient, status, upgrade } from "./raw-client.ts";

const TOKEN = "s3cret-token";
/** Time stands still, so that no rate is refilled, however slow the machine is. */
function freezeTime(): void {
  const now = systemClock.now();
  const spy = vi.spyOn(systemClock, "now").mockReturnValue(now);
  onTestFinished(() => spy.mockRestore());
}

const isStranger = (): boolean => false;
const BEARER: Headers = { Authorization: `Bearer ${TOKEN}` };

function limits(options: Partial<ConnectionLimitSettings> = {}): {
  readonly clock: VirtualClock;
  readonly limits: ConnectionLimits;
} {
  const clock = new VirtualClock();
  return { clock, limits: new ConnectionLimits({ ...WEBSOCKET_LISTENER_DEFAULTS, ...options }, clock) };
}

describe("one address", () => {
  test.each([
    ["10.1.2.3", "10.1.2.3"],
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["::FFFF:10.1.2.3", "10.1.2.3"],
    ["2001:db8:0:7:1:2:3:4", "2001:db8:0:7::/64"],
    ["2001:db8:0:7::4", "2001:db8:0:7::/64"],
    ["2001:DB8:0:0007:ffff::", "2001:db8:0:7::/64"],
    ["2001:db8::7:1:2:3:4", "2001:db8:0:7::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["", ""],
    ["client-7", "client-7"],
  ])("%s counts as %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  test("of IPv6 is its /64 network, however it is written", () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    const groups = (length: number): fc.Arbitrary<number[]> =>
      fc.array(group, { minLength: length, maxLength: length });
    const written = (all: readonly number[], pad: boolean): string =>
      all.map((one) => one.toString(16).padStart(pad ? 4 : 1, "0")).join(":");
    fc.assert(
      fc.property(groups(4), groups(4), groups(4), (front, one, other) => {
        const network = networkOf(written([...front, ...one], false));
        expect(networkOf(written([...front, ...other], true))).toBe(network);
        expect(networkOf(`${written(front, false)}::`)).toBe(network);
      }),
    );
  });

  test("that is refused too often costs the others none of their rate", () => {
    const { clock, limits: table } = limits({ acceptRate: 1_000, refusalRatePerAddress: 10 });
    let tries = 0;
    for (let n = 0; n < 100_000; n++) {
      if (!table.enter("flood", isStranger)) continue;
      tries++;
      table.refused("flood");
      table.leave("flood");
    }
    expect(tries).toBe(100);
    let entered = 0;
    for (let n = 0; n < 1_000; n++) if (table.enter(`worker-${n}`, isStranger)) entered++;
    expect(entered).toBe(900);
    clock.jump(1_000);
    expect([table.enter("flood", isStranger), table.enter("another", isStranger)]).toEqual([true, true]);
  });

  test("is not limited by how many of its workers come at once, when none of them is refused", () => {
    const { limits: table } = limits();
    for (let n = 0; n < 5_000; n++) expect(table.enter("10.0.0.1", isStranger)).toBe(true);
    expect(table.enter("10.0.0.1", isStranger)).toBe(false);
  });

  test("is remembered for its refusals only while there is room: the one refused longest ago is forgotten", () => {
    const { limits: table } = limits({ refusalRatePerAddress: 1 });
    const exhaust = (network: string): void => {
      for (let n = 0; n < 10; n++) table.refused(network);
    };
    exhaust("first");
    exhaust("second");
    for (let n = 0; n < 100_000; n++) table.refused(`2001:db8:0:${n.toString(16)}::/64`);
    expect(table.refusedNetworks).toBe(4_096);
    expect(table.enter("first", isStranger)).toBe(true);
    exhaust("last");
    expect([table.refusedNetworks, table.enter("last", isStranger)]).toEqual([4_096, false]);
  });

  test("has a share of the handshakes that wait", () => {
    const { limits: table } = limits({ maxPending: 6, maxPendingPerAddress: 4 });
    const begun = ["a", "a", "a", "a", "a", "b", "b", "b"].map((network) => table.beginPending(network));
    expect(begun).toEqual([true, true, true, true, false, true, true, false]);
    table.endPending("a");
    expect([table.beginPending("b"), table.beginPending("a")]).toEqual([true, false]);
  });
});

test("a flood without tokens keeps out nobody with a token", async () => {
  freezeTime();
  await using gate = await Gate.open({ token: TOKEN, acceptRate: 60, refusalRatePerAddress: 2 });
  const seen = new Map<number, number>();
  for (let n = 0; n < 200; n++) {
    const answer = status(await ask(gate.port, "/", {}, "127.0.0.2"));
    seen.set(answer, (seen.get(answer) ?? 0) + 1);
  }
  // Without a share of its own it would use up all 60.
  expect(seen).toEqual(
    new Map([
      [401, 20],
      [503, 180],
    ]),
  );
  expect(status(await ask(gate.port, "/", BEARER))).toBe(101);
  expect(status(await ask(gate.port, "/", BEARER, "127.0.0.2")), "nor of the same address").toBe(101);
});

test("an address that was refused too often is let in with a token or a ticket, and the hook is not asked", async () => {
  let asked = 0;
  const authenticate = ({ headers }: { headers: Readonly<Record<string, unknown>> }): string | undefined => {
    asked++;
    return headers["x-name"] === "ann" ? "ann" : undefined;
  };
  freezeTime();
  await using gate = await Gate.open({ token: TOKEN, authenticate, refusalRatePerAddress: 1 });
  for (let n = 0; n < 50; n++) await ask(gate.port);
  expect(asked).toBe(10);
  const ticket = gate.listener.issueTicket({ principal: "volunteer" });
  const known: readonly (readonly [string, Headers])[] = [
    ["/", { "X-Name": "ann" }],
    ["/?ticket=guess", {}],
    [`/?ticket=${ticket}`, {}],
    [`/?ticket=${ticket}`, {}],
    ["/", BEARER],
  ];
  const answers: number[] = [];
  for (const [path, headers] of known) answers.push(status(await ask(gate.port, path, headers)));
  expect(answers).toEqual([503, 503, 101, 503, 101]);
  expect(asked).toBe(10);
});

test("handshakes of one address that wait leave places to the others", async () => {
  const waiting: (() => void)[] = [];
  const authenticate = (): Promise<string> => new Promise((resolve) => waiting.push(() => resolve("guest")));
  await using gate = await Gate.open({ authenticate, maxPending: 8, maxPendingPerAddress: 2 });
  const greedy = [1, 2].map(() => ask(gate.port, "/", {}, "127.0.0.2"));
  await vi.waitUntil(() => waiting.length === 2);
  expect(status(await ask(gate.port, "/", {}, "127.0.0.2"))).toBe(503);
  const other = ask(gate.port);
  await vi.waitUntil(() => waiting.length === 3);
  for (const answer of waiting) answer();
  expect((await Promise.all([...greedy, other])).map(status)).toEqual([101, 101, 101]);
});

test("behind a proxy, its header names the address; a failing function is reported and the connection's counts", async () => {
  const addressOf = ({ headers }: { headers: Readonly<Record<string, unknown>> }): string | undefined => {
    const named = headers["x-real-ip"];
    if (named === "throw") throw new Error("no such proxy");
    return typeof named === "string" ? named : undefined;
  };
  await using gate = await Gate.open({ maxConnectionsPerAddress: 1, addressOf });
  const clients = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "10.0.0.1", "throw"].map((ip) => {
    return new RawClient(gate.port).send(upgrade("/", { "X-Real-IP": ip }));
  });
  const heads: number[] = [];
  for (const client of clients) heads.push(status(await client.head()));
  expect(heads).toEqual([101, 101, 101, 503, 503, 101]);
  expect(gate.accepted.map(({ peer }) => peer.address.replace(/:\d+$/, ""))).toEqual([
    "10.0.0.1",
    "10.0.0.2",
    "2001:db8:",
    "127.0.0.1",
  ]);
  expect(new Set(gate.reports.map(({ message }) => message))).toEqual(new Set(["`addressOf` failed"]));
  for (const client of clients) client[Symbol.dispose]();
});

test("silent connections make room for those that speak, the oldest first", async () => {
  await using gate = await Gate.open({ maxConnections: 4, maxPending: 4, headersTimeout: 600_000 });
  const silent = Array.from({ length: 40 }, () => new RawClient(gate.port, "127.0.0.2"));
  await vi.waitUntil(() => silent.filter((client) => client.ended).length === 32);
  const members = Array.from({ length: 4 }, () => new RawClient(gate.port));
  for (const client of members) expect(status(await client.send(upgrade("/")).head())).toBe(101);
  await vi.waitUntil(() => silent.filter((client) => client.ended).length === 36);
  for (const client of [...silent, ...members]) client[Symbol.dispose]();
});
