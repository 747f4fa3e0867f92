/** A process that stops its runner ends by itself: nothing of ours is a reason for it to stay. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a module; it is killed, and fails, when it has not ended after a hundred seconds. */
function run(source: string): Promise<Ended> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], { cwd: root, timeout: 100_000 });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

const SETUP = `
import { JobRunner, Worker } from "powerhose";
import { listenWebSocket, dialWebSocket } from "powerhose/websocket/node";
import { threads } from "powerhose/threads";
const handler = (job) => job.data + "!";
const ended = () => { const from = performance.now(); process.on("exit", () => console.log("ms", Math.round(performance.now() - from))); };
`;

describe("the process ends by itself", () => {
  it.each([
    ["after nothing but an import", `ended();`],
    ["after runner and worker were made and never started", `new Worker({ dial: new JobRunner(), handler }); ended();`],
    [
      "after the runner stopped, with its in-process worker left alone",
      `const runner = new JobRunner(); await runner.start();
       await new Worker({ dial: runner, handler }).start();
       console.log(await runner.execute("in process")); await runner.stop(); ended();`,
    ],
    [
      "without a stop, once nothing is left to do in process",
      `const runner = new JobRunner(); await runner.start();
       await new Worker({ dial: runner, handler }).start();
       console.log(await runner.execute("in process")); ended();`,
    ],
    [
      "after a WebSocket runner and its worker stopped",
      `const listen = listenWebSocket(); const runner = new JobRunner({ listen }); await runner.start();
       const worker = new Worker({ dial: dialWebSocket(listen.address), handler }); await worker.start();
       console.log(await runner.execute("websocket")); await worker.stop(); await runner.stop(); ended();`,
    ],
    [
      "after a runner with threads stopped",
      `const runner = new JobRunner({ listen: threads(new URL("./examples/square.js", "file://" + process.cwd() + "/"), { size: 2 }) });
       await runner.start(); console.log(await runner.execute("12")); await runner.stop(); ended();`,
    ],
  ])("%s", async (_name, source) => {
    const { code, out, err } = await run(SETUP + source);
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out).toMatch(/ms \d+\n$/);
  });

  it.each([
    [
      "a worker's start that comes before the runner's",
      `const runner = new JobRunner(); const worker = new Worker({ dial: runner, handler });
       await Promise.all([worker.start(), runner.start()]);
       console.log(await runner.execute("x")); await runner.stop(); await worker.stop();`,
      "x!\n",
    ],
    [
      "a job without a time limit",
      `const runner = new JobRunner({ acquireTimeout: Infinity }); await runner.start();
       const worker = new Worker({ dial: runner, handler }); await worker.start();
       await runner.stop(); await runner.start();
       console.log(await runner.execute("x")); await runner.stop(); await worker.stop();`,
      "x!\n",
    ],
  ])("stays for %s", async (_name, source, expected) => {
    expect(await run(SETUP + source)).toEqual({ code: 0, out: expected, err: "" });
  });

  it("stays while a job waits, and then tells the caller", async () => {
    const { code, out } = await run(
      `${SETUP} const runner = new JobRunner({ acquireTimeout: 300 }); await runner.start();
       await runner.execute("x").catch((error) => console.log(error.name)); await runner.stop();`,
    );
    expect({ code, out }).toEqual({ code: 0, out: "TimeoutError\n" });
  });
});
