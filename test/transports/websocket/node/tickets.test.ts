import { expect, test } from "vitest";
import { Worker } from "../../../../src/index.ts";
import { JobRunner, type WorkerEvent } from "../../../../src/index.ts";
import { VirtualClock } from "../../../../src/testing/time/virtual-clock.ts";
import { dialWebSocket, listenWebSocket } from "../../../../src/transports/websocket/node/index.ts";
import { Tickets } from "../../../../src/transports/websocket/node/tickets.ts";
import { Gate } from "./gate.ts";
import { ask, type Headers, status } from "./raw-client.ts";

const TOKEN = "correct horse battery staple";

function at(ticket: string): string {
  return `/?ticket=${ticket}`;
}

test("a ticket opens once, for its principal, and shows up nowhere", async () => {
  await using gate = await Gate.open({ token: TOKEN });
  const ticket = gate.listener.issueTicket({ principal: "volunteer-7" });
  expect(ticket).toMatch(/^[\w-]{43}$/);
  const heads = [await ask(gate.port, at(ticket)), await ask(gate.port, at(ticket))];
  expect(heads.map(status)).toEqual([101, 401]);
  expect(gate.accepted.map(({ peer }) => peer.principal)).toEqual(["volunteer-7"]);
  expect(JSON.stringify([heads, gate.reports, gate.accepted.map(({ peer }) => peer)])).not.toContain(ticket);
});

test("an unknown ticket is refused, also where everybody else is let in", async () => {
  for (const options of [{}, { token: TOKEN }]) {
    await using gate = await Gate.open(options);
    const made = gate.listener.issueTicket({ principal: "p" });
    for (const wrong of ["", "x", made.slice(1), `${made}x`, made.toUpperCase() + made.toLowerCase()]) {
      expect(status(await ask(gate.port, at(wrong)))).toBe(401);
    }
    expect(status(await ask(gate.port, at(made)))).toBe(101);
  }
});

test("a ticket of one listener, or of its last start, is unknown to another", async () => {
  await using gate = await Gate.open({ token: TOKEN });
  await using other = await Gate.open({ token: TOKEN });
  const ticket = gate.listener.issueTicket({ principal: "p" });
  expect(status(await ask(other.port, at(ticket)))).toBe(401);
  await gate.listener.stop();
  await gate.start();
  expect(status(await ask(gate.port, at(ticket)))).toBe(401);
});

test("a ticket of the hook's own making is still the hook's to judge", async () => {
  await using gate = await Gate.open({ authenticate: ({ url }) => (url === at("theirs") ? "guest" : undefined) });
  expect(status(await ask(gate.port, at("theirs")))).toBe(101);
  expect(status(await ask(gate.port, at("nobodys")))).toBe(401);
  expect(gate.accepted.map(({ peer }) => peer.principal)).toEqual(["guest"]);
});

test("origins × credentials: a ticket opens no door to a page that may not come in", async () => {
  const allowed = "https://app.example";
  await using gate = await Gate.open({ token: TOKEN, origins: [allowed] });
  const fresh = (): readonly (readonly [string, Headers, boolean])[] => [
    ["/", { Authorization: `Bearer ${TOKEN}` }, true],
    ["/", { "Sec-WebSocket-Protocol": `powerhose.v1, bearer.${Buffer.from(TOKEN).toString("base64url")}` }, true],
    [at(gate.listener.issueTicket({ principal: "p" })), {}, true],
    ["/", { Cookie: `token=${TOKEN}` }, false],
  ];
  const origins = ["https://evil.example", `http://127.0.0.1:${gate.port}`, "null", "", allowed, undefined];
  for (const origin of origins) {
    for (const [path, headers, valid] of fresh()) {
      const welcome = origin === allowed || origin === undefined;
      const answer = status(await ask(gate.port, path, { ...headers, Origin: origin }));
      expect([origin, path.length, headers, answer]).toEqual([
        origin,
        path.length,
        headers,
        welcome ? (valid ? 101 : 401) : 403,
      ]);
    }
  }
});

test("who has a ticket for one name cannot work under another", async () => {
  const listener = listenWebSocket({ token: TOKEN });
  await using runner = new JobRunner({ listen: listener });
  await runner.start();
  const join = async (identity: string): Promise<WorkerEvent | "registered"> => {
    const url = `${listener.address}?ticket=${listener.issueTicket({ principal: "tab-1", identity: "tab-1" })}`;
    const worker = new Worker({ dial: dialWebSocket(url), identity, handler: () => "" });
    const refused = new Promise<WorkerEvent>((resolve) => {
      worker.on((event) => {
        if (event.type === "disconnected") resolve(event);
      });
    });
    const started = worker.start().then(
      () => "registered" as const,
      () => refused,
    );
    const outcome = await started;
    await worker.stop();
    return outcome;
  };
  expect(await join("tab-1")).toBe("registered");
  expect(await join("tab-2")).toMatchObject({ reason: "refused", message: expect.stringContaining("tab-2") as string });
  expect(runner.stats()).toMatchObject({ registered: 1, refused: 1 });
});

test("a ticket is good for so long and no longer", async () => {
  const clock = new VirtualClock();
  const tickets = new Tickets(100, clock);
  const early = tickets.issue({ principal: "a" });
  await clock.advance(99);
  const late = tickets.issue({ principal: "b", identity: "b-1" });
  expect(tickets.take(early)).toMatchObject({ principal: "a" });
  await clock.advance(100);
  expect(tickets.take(late)).toBeUndefined();
  expect(tickets.size).toBe(0);
});

test("so many tickets are out and no more; those that have expired make room", async () => {
  const clock = new VirtualClock();
  const tickets = new Tickets(100, clock);
  for (let out = 0; out < 10_000; out++) tickets.issue({ principal: "p" });
  expect(() => tickets.issue({ principal: "p" })).toThrow(RangeError);
  await clock.advance(100);
  expect(tickets.issue({ principal: "p" })).toMatch(/^[\w-]{43}$/);
  expect(tickets.size).toBe(1);
});

test.each([
  [{}, TypeError],
  [{ principal: "" }, TypeError],
  [{ principal: "p", identity: "no spaces" }, TypeError],
  [{ principal: "p", identity: "x".repeat(129) }, TypeError],
  [{ principal: "p", forever: true }, TypeError],
])("a ticket for %j is refused", async (options, kind) => {
  await using gate = await Gate.open();
  expect(() => gate.listener.issueTicket(options as { principal: string })).toThrow(kind);
});

test("a listener that does not listen gives out none, and none that outlives half a minute", () => {
  expect(() => listenWebSocket().issueTicket({ principal: "p" })).toThrow("started");
  expect(() => listenWebSocket({ ticketLifetime: 30_001 })).toThrow(RangeError);
  expect(() => listenWebSocket({ ticketLifetime: 0 })).toThrow(RangeError);
});
