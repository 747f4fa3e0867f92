// Work for whoever opens a page: its tab becomes a worker, with as many Web Workers as there are cores.
// `node main.js`, then open the address it prints, in as many tabs and browsers of this machine as you like.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { JobRunner } from "powerhose";
import { listenWebSocket } from "powerhose/websocket/node";

// The page, the handler, and the library as it is: no bundler needed.
const files = new Map([
  ["/", new URL("./index.html", import.meta.url)],
  ["/page.js", new URL("./page.js", import.meta.url)],
  ["/primes.js", new URL("./primes.js", import.meta.url)],
]);
const library = new URL(".", import.meta.resolve("powerhose"));

async function answer({ url }, response) {
  const { pathname } = new URL(url, "http://localhost");
  const inLibrary = pathname.startsWith("/powerhose/") && pathname.endsWith(".js");
  const file = inLibrary ? new URL(pathname.slice("/powerhose/".length), library) : files.get(pathname);
  const text = file === undefined ? undefined : await readFile(file).catch(() => undefined);
  const type = pathname.endsWith(".js") ? "text/javascript" : "text/html";
  response.writeHead(text === undefined ? 404 : 200, { "Content-Type": `${type}; charset=utf-8` }).end(text);
}

const server = createServer((request, response) => void answer(request, response));
await new Promise((resolve) => server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

// The same server takes the tabs' connections, from its own page and no other.
const runner = new JobRunner({ listen: listenWebSocket({ server, path: "/work", origins: [origin] }) });
await runner.start();
console.error(`open ${origin}/`);

// However long it takes until somebody opens it, and whoever closes a tab midway: each range is counted once.
const ranges = Array.from({ length: 40 }, (_, i) => `${i * 50_000} ${(i + 1) * 50_000}`);
let primes = 0;
for await (const outcome of runner.map(ranges, { acquireTimeout: Infinity, maxLost: 10, attempts: 10 })) {
  if (!outcome.ok) throw outcome.error;
  primes += Number(outcome.value);
}
console.log(`${primes.toLocaleString("en-US")} primes below 2,000,000, counted in browser tabs`);

await runner.stop();
server.close();
server.closeAllConnections();
