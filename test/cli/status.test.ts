import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { powerhose } from "./child.ts";

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
