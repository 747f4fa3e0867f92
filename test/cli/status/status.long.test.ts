import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { type StatusReport, statusTable, type WorkerReport } from "../../../src/cli/status/report.ts";
import { powerhose } from "../child.ts";

/** A server that is no run, and where it is. */
async function impostor(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const JSON_TYPE = { "Content-Type": "application/json" };

test.each<[string, RequestListener]>([
  ["a page", (_request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<p>hello")],
  ["JSON that is cut off", (_request, response) => response.writeHead(200, JSON_TYPE).end('{"state":')],
  ["JSON of another", (_request, response) => response.writeHead(200, JSON_TYPE).end("[]")],
  [
    "an answer without end",
    (_request, response) => {
      response.writeHead(200, JSON_TYPE).on("error", () => undefined);
      const chunk = Buffer.alloc(65_536, 32);
      const more = (): void => void (response.destroyed || response.write(chunk, more));
      more();
    },
  ],
])("%s is no run: one clear line", async (_what, answer) => {
  const url = await impostor(answer);
  const { code, stdout, stderr } = await powerhose(["status", url]);
  expect([code, stdout, stderr]).toEqual([1, "", `powerhose: ${url} is not a powerhose run (HTTP 200)\n`]);
});

test("an answer that stops in its middle is waited for only so long", async () => {
  const url = await impostor((_request, response) => void response.writeHead(200, JSON_TYPE).write("{"));
  const { code, stderr } = await powerhose(["status", url]);
  expect([code, stderr]).toEqual([1, `powerhose: cannot ask ${url}: no answer within 5 s\n`]);
});

describe("a run of 10,000 workers with 32 long labels each", () => {
  const WORKERS = 10_000;
  const labels = Array.from({ length: 32 }, (_, n) => `label-${n}-`.padEnd(128, "x"));
  const worker = (n: number): WorkerReport => ({
    identity: `worker-${n}-`.padEnd(128, "y"),
    transport: "websocket",
    address: `10.0.${n >> 8}.${n & 255}:50000`,
    state: n === 9_999 ? "suspect" : n % 10 === 0 ? "idle" : "busy",
    labels,
    capacity: 4,
    inFlight: n % 5,
    unread: 0,
    served: n,
    ageMs: 1_000 * n,
  });
  const report: StatusReport = {
    state: "started",
    uptimeMs: 60_000,
    jobsPerSecond: 1_234,
    read: 9,
    succeeded: 7,
    failed: 1,
    queued: 0,
    running: 1,
    backoff: 0,
    retries: 2,
    capacity: 40_000,
    tasks: [],
    workers: Array.from({ length: WORKERS }, (_, n) => worker(n)),
  };
  const body = JSON.stringify(report);
  /** In parts, as a network delivers it. */
  const answer: RequestListener = (_request, response) => {
    response.writeHead(200, JSON_TYPE);
    for (let at = 0; at < body.length; at += 1_000_000) response.write(body.slice(at, at + 1_000_000));
    response.end();
  };

  test("is read whole: 45 MB, of which --json prints all", async () => {
    expect(body.length).toBeGreaterThan(44_500_000);
    const { code, stdout } = await powerhose(["status", await impostor(answer), "--json"]);
    expect([code, stdout.length]).toEqual([0, body.length + 1]);
    expect(isDeepStrictEqual(JSON.parse(stdout), report)).toBe(true);
  });

  test("is shown in 100 lines, those that are not well first, and in one that sums it up", async () => {
    const { code, stdout } = await powerhose(["status", await impostor(answer)]);
    const lines = stdout.split("\n");
    expect([code, lines.length]).toEqual([0, 107]);
    expect(lines[1]).toBe("10,000 workers: 8,999 busy, 1,000 idle, 1 suspect");
    expect(lines[3]).toMatch(/^WORKER +WHERE/);
    expect(lines[4]).toMatch(/^worker-9999-y+… +10\.0\.39\.15:50000 +suspect /);
    expect(lines[5]).toMatch(/^worker-0-/);
    expect(lines.at(-2)).toBe("and 9,900 more workers; --json lists all of them");
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(200);
  });
});

test("a table of as many workers as fit has no line about others", () => {
  const worker = { identity: "w", transport: "t", address: "a", state: "idle", labels: [], capacity: 1 };
  const workers = Array.from({ length: 100 }, () => ({ ...worker, inFlight: 0, unread: 0, served: 0, ageMs: 0 }));
  const counts = { uptimeMs: 1, jobsPerSecond: 0, read: 0, succeeded: 0, failed: 0, queued: 0, running: 0 };
  const shown = statusTable({ state: "started", ...counts, backoff: 0, retries: 0, capacity: 100, tasks: [], workers });
  expect(shown.split("\n")).toHaveLength(103);
  expect(shown).not.toContain("more");
});
