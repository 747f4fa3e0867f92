// A worker in another language: worker.py is written from docs/protocol.md, with Python's standard library alone.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Job, JobRunner } from "powerhose";
import { client } from "powerhose/tasks";
import { listenWebSocket } from "powerhose/websocket/node";

const token = "schlüssel-鍵";
const listener = listenWebSocket({ token });
const runner = new JobRunner({ listen: listener, heartbeat: 500, maxPayload: 100_000, acquireTimeout: 20_000 });
await runner.start();

const worker = spawn("python3", [fileURLToPath(new URL("./worker.py", import.meta.url)), listener.address, "snake"], {
  env: { ...process.env, POWERHOSE_TOKEN: token },
  stdio: ["ignore", "inherit", "inherit"],
});
const ended = new Promise((resolve) => worker.once("exit", (code) => resolve(code)));

/** What came of one job, in a line. */
async function show(name, job, options) {
  const result = await runner.execute(job, options).then(
    (value) => (typeof value === "string" ? value : `bytes ${[...value].join(" ")}`),
    (error) => `${error.code}: ${error.message}`,
  );
  console.log(`${name}: ${result.length > 80 ? `${result.length} characters` : result}`);
}

const named = new Job("who");
named.addHeader("user", "Ada: mathematician");

await show("text", "12");
await show("bytes", new Uint8Array([1, 2, 255]));
await show("headers", named);
await show("an error", "four");
await show("another attempt", "later");
await show("a large result", "fill 100000");
await show("one that is too large", "fill 100001");
await show("a time limit", "sleep", { timeout: 200, attempts: 1 });
const numbers = Array.from({ length: 200 }, (_, n) => String(n));
const squares = await Promise.all(numbers.map((number) => runner.execute(number)));
console.log(`many: ${squares.every((square, n) => square === String(n ** 2)) ? "all right" : "wrong"}`);

// A typed task: its values are what they are in both languages.
const python = client(runner);
const since = new Date("2025-12-31T00:00:00Z");
const { mean, distinct, days, until, packed, product } = await python.summary({
  numbers: Uint8Array.of(1, 2, 2, 7).map((n) => n * 2),
  since,
});
console.log(`a task: mean ${mean}, ${[...distinct].sort((a, b) => a - b).join(" and ")}, ${days} day`);
console.log(`its values: ${until.toISOString()}, bytes ${[...packed].join(" ")}, ${typeof product} ${product}`);
const failed = await python.summary({ numbers: [], since }).catch((error) => error.cause);
console.log(
  `what it raised: ${failed.name}: ${failed.message}, need ${failed.need}, since ${failed.since.toISOString()}`,
);

// It finishes what it has, and leaves.
worker.kill("SIGTERM");
console.log(`it left with code ${await ended}`);
await runner.stop();
