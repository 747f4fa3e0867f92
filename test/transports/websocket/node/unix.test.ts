/** Sockets of the file system: a listener on one is shown by an address that can be dialled. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { JobRunner, Worker } from "../../../../src/index.ts";
import { dialWebSocket as dialFromAnywhere } from "../../../../src/transports/websocket/index.ts";
import {
  dialWebSocket,
  listenWebSocket,
  type NodeDialOptions,
} from "../../../../src/transports/websocket/node/index.ts";
import { CERTIFICATE, KEY } from "./certificate.ts";

interface Served {
  readonly runner: JobRunner;
  readonly address: string;
}

async function served(server: Server, path: string, token?: string): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), "powerhose-"));
  server.listen(join(folder, "jobs.sock"));
  await once(server, "listening");
  const listener = listenWebSocket({ server, path, token });
  const runner = new JobRunner({ listen: listener });
  await runner.start();
  onTestFinished(async () => {
    await runner.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });
  return { runner, address: listener.address };
}

async function answerOver({ runner, address }: Served, options: NodeDialOptions): Promise<unknown> {
  const worker = new Worker({ dial: dialWebSocket(address, options), handler: ({ data }) => `${String(data)}!` });
  onTestFinished(() => worker.stop());
  await worker.start();
  return await runner.execute("x");
}

test.each(["/", "/jobs"])("ws+unix: with the path %s", async (path) => {
  const there = await served(createServer(), path, "t");
  expect(there.address).toMatch(/^ws\+unix:\/.*jobs\.sock:\//);
  expect(await answerOver(there, { token: "t" })).toBe("x!");
});

test("wss+unix: verifies the certificate as any other", async () => {
  const there = await served(createTlsServer({ cert: CERTIFICATE, key: KEY }), "/jobs");
  expect(there.address).toMatch(/^wss\+unix:\//);
  const dialer = dialWebSocket(there.address);
  await expect(dialer.dial(new AbortController().signal, { maxFrameBytes: 1_000 })).rejects.toThrow(
    /wss\+unix:\/.*CERT/,
  );
  expect(await answerOver(there, { ca: CERTIFICATE })).toBe("x!");
});

test("nothing there: the error names the address, and not its query", async () => {
  const dialer = dialWebSocket("ws+unix:/nowhere/at.sock:/jobs?ticket=t1ck3t");
  const error: unknown = await dialer
    .dial(new AbortController().signal, { maxFrameBytes: 1_000 })
    .catch((reason: unknown) => reason);
  expect(String(error)).toBe("Error: could not connect to ws+unix:/nowhere/at.sock:/jobs: ENOENT");
});

test("a browser's dialer says where such an address is dialled", () => {
  expect(() => dialFromAnywhere("ws+unix:/run/jobs.sock:/", { WebSocket })).toThrow(
    "ws+unix: is dialled from Node only, by dialWebSocket of `powerhose/websocket/node`",
  );
});
