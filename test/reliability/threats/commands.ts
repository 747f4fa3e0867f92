/** The real command among unkind peers: a handler that throws, a runner that refuses, a server that lies. For row T24. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeFrame } from "../../../src/core/protocol/codec.ts";
import { listenWebSocket } from "../../../src/transports/websocket/node/index.ts";
import { powerhose } from "../../cli/child.ts";
import { encode } from "../../support/frames.ts";
import type { Finding } from "../section.ts";
import { exactly, none } from "./row.ts";

/** What `run` says of a job whose handler throws these words. */
async function run(folder: string, words: string): Promise<string> {
  const module = join(folder, "rude.mjs");
  writeFileSync(module, `export default () => { throw new Error(${JSON.stringify(words)}); };`);
  const { stderr } = await powerhose(["run", module], { input: "one\n" });
  return stderr;
}

/** What `work` says of a runner that sends it away with these words. */
async function work(folder: string, words: string): Promise<string> {
  const module = join(folder, "kind.mjs");
  writeFileSync(module, "export default (job) => job.data;");
  const listener = listenWebSocket();
  await listener.start(
    (socket) =>
      socket.open({
        frame: (bytes) =>
          decodeFrame(bytes, () => {
            socket.send(encode({ type: "ERROR", code: "VERSION", text: words, retryAfter: 0 }));
            socket.close();
          }),
        closed: () => undefined,
      }),
    { maxFrameBytes: 100_000, report: () => undefined },
  );
  const { stderr } = await powerhose(["work", module, "--connect", listener.address, "--once"]);
  await listener.stop();
  return stderr;
}

/** What `status` says of a server whose answer is full of these words. */
async function status(words: string): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(500, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ state: words }));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { stdout, stderr } = await powerhose(["status", `http://127.0.0.1:${port}/`]);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  return stdout + stderr;
}

/** Lines that the command prints with such words in them as they are. */
export async function unkindCommands(nasty: readonly string[], unsafe: RegExp): Promise<readonly Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), "powerhose-"));
  const words = nasty.join("");
  try {
    const said = await Promise.all([run(folder, words), work(folder, words), status(words)]);
    const lines = said
      .join("\n")
      .split("\n")
      .filter((line) => line !== "");
    const shown = said.filter((text) => text.includes("\\x1b[31mred")).length;
    return [
      exactly("of `run` and `work`, how many show the words all the same, made harmless", shown, 2),
      none(
        "lines of `run`, `work` and `status` among rude peers with such a character",
        lines.filter((line) => unsafe.test(line)).length,
        lines.length,
      ),
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
