/** `GET status` of a listener: who may read it, and what it costs. */
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { once } from "node:events";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { systemClock } from "../../../../src/core/time/system.ts";
import { listenWebSocket, type WebSocketListenerOptions } from "../../../../src/transports/websocket/node/index.ts";
import { Gate, MAX } from "./gate.ts";
import { RawClient } from "./raw-client.ts";

const TOKEN = "s3cret-token";
/** For what takes long on a machine that is busy. */
const PATIENT = { timeout: 30_000 };
const REPORT = { state: "started", workers: [1, 2, 3] };

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function get(port: number, path = "/status", headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, path, headers, method, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.once("error", reject).end();
  });
}

function open(options: WebSocketListenerOptions = {}): Promise<Gate> {
  return Gate.open({ status: () => REPORT, ...options });
}

describe("the status", () => {
  test("is JSON beside the listener's path, when it was asked for", async () => {
    await using gate = await open({ path: "/jobs" });
    const { status, headers, body } = await get(gate.port, "/jobs/status?x=1");
    expect([status, JSON.parse(body), body.at(-1)]).toEqual([200, REPORT, "\n"]);
    expect(headers).toMatchObject({ "content-type": "application/json", "cache-control": "no-store" });
    for (const path of ["/status", "/jobs/status/", "/jobs/statuses"])
      expect((await get(gate.port, path)).status).toBe(404);
    const posted = await get(gate.port, "/jobs/status", {}, "POST");
    expect([posted.status, posted.headers.allow]).toEqual([405, "GET"]);
    await using without = await Gate.open();
    expect((await get(without.port)).status).toBe(404);
  });

  test("without credentials is for this machine, under this machine's own name, and for no page", async () => {
    await using gate = await open({ origins: ["https://app.example"] });
    const { port } = gate;
    for (const Host of ["localhost:1", `127.0.0.1:${port}`, "[::1]"])
      expect((await get(port, "/status", { Host })).status).toBe(200);
    for (const Host of ["evil.example", "127.0.0.1.evil.example"])
      expect((await get(port, "/status", { Host })).status).toBe(403);
    for (const Origin of ["https://app.example", `http://127.0.0.1:${port}`, "null", ""]) {
      const { status, body } = await get(port, "/status", { Origin });
      expect([status, body]).toEqual([403, "a valid token is required\n"]);
    }
  });

  test("with a token is for what shows it, or the admin's, and for no page", async () => {
    await using gate = await open({ token: ["old", TOKEN], dashboard: { admin: "root" } });
    const answers: number[] = [];
    for (const token of [TOKEN, "old", "root", "wrong", ""]) {
      answers.push((await get(gate.port, "/status", { Authorization: `Bearer ${token}`, Host: "any.example" })).status);
    }
    expect(answers).toEqual([200, 200, 200, 401, 401]);
    const refused = await get(gate.port);
    expect([refused.status, refused.headers["www-authenticate"], refused.body]).toEqual([
      401,
      "Bearer",
      "a valid token is required\n",
    ]);
    expect(
      (await get(gate.port, "/status", { Authorization: `Bearer ${TOKEN}`, Origin: "https://x.example" })).status,
    ).toBe(403);
  });

  test("is for whom the hook lets in, now or later", async () => {
    await using gate = await open({
      authenticate: ({ headers }) =>
        headers["x-later"] === undefined ? String(headers["x-name"] ?? "") : Promise.resolve("ann"),
    });
    expect((await get(gate.port, "/status", { "X-Name": "ann" })).status).toBe(200);
    expect((await get(gate.port, "/status", { "X-Later": "yes" })).status).toBe(200);
    expect((await get(gate.port)).status).toBe(401);
  });

  test("takes a place among the connections, and gives it back", async () => {
    await using gate = await open({ maxConnections: 1 });
    for (let n = 0; n < 5; n++) expect((await get(gate.port)).status).toBe(200);
    using member = new RawClient(gate.port);
    member.send("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await member.end();
    expect((await get(gate.port)).status).toBe(200);
  });

  test("a token that is guessed too often gets no more answers", async () => {
    const now = systemClock.now();
    const spy = vi.spyOn(systemClock, "now").mockReturnValue(now);
    onTestFinished(() => spy.mockRestore());
    await using gate = await open({ token: TOKEN, refusalRatePerAddress: 1 });
    const answers: number[] = [];
    for (let n = 0; n < 12; n++)
      answers.push((await get(gate.port, "/status", { Authorization: `Bearer ${n}` })).status);
    expect(answers).toEqual([...Array.from({ length: 10 }, () => 401), 503, 503]);
  });

  test("that fails to be made says so to its owner and not to the reader", async () => {
    await using gate = await open({
      status: () => {
        throw new Error("secret words");
      },
    });
    const { status, body } = await get(gate.port);
    expect([status, body]).toEqual([500, "the report failed\n"]);
    expect(gate.reports.map(({ message, cause }) => [message, cause])).toEqual([
      [`${gate.listener.address}: \`status\` failed`, new Error("secret words")],
    ]);
  });

  test("that is not read is held four times at most", async () => {
    const made: string[] = [];
    await using gate = await open({
      status: () => {
        made.push("x".repeat(16 * 1024 * 1024));
        return made.at(-1);
      },
    });
    const readers = Array.from({ length: 30 }, () => {
      const client = new RawClient(gate.port);
      client.pause();
      return client.send("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    });
    await vi.waitUntil(() => made.length === 4, PATIENT);
    expect((await get(gate.port)).status).toBe(503);
    expect(made).toHaveLength(4);
    for (const reader of readers) reader[Symbol.dispose]();
    await vi.waitUntil(async () => (await get(gate.port)).status === 200, PATIENT);
  });
});

test("on a shared server its owner asks the listener first", async () => {
  const server = createServer((request, response) => {
    if (!listener.handleRequest(request, response)) response.end("owner");
  });
  const listener = listenWebSocket({ server, token: TOKEN, status: () => REPORT });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  const port = Number(new URL(listener.address).port);
  const headers = { Authorization: `Bearer ${TOKEN}`, Connection: "close" };
  expect((await get(port, "/status", headers)).body).toBe("owner");
  await listener.start(() => undefined, { maxFrameBytes: MAX, report: () => undefined });
  expect((await get(port, "/status", { Connection: "close" })).status).toBe(401);
  expect(JSON.parse((await get(port, "/status", headers)).body)).toEqual(REPORT);
  expect((await get(port, "/", headers)).body).toBe("owner");
  await listener.stop();
  expect((await get(port, "/status", headers)).body).toBe("owner");
});
