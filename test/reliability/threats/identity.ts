/** Who is who: names that are stolen, addresses that are claimed, ids that are guessed. Rows T14, T27 and T29. */
import { createServer } from "node:net";
import { systemRandom } from "../../../src/core/time/system.ts";
import type { Message } from "../../../src/core/protocol/message.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { dialWebSocket, listenWebSocket } from "../../../src/transports/websocket/node/index.ts";
import { readImports } from "../../support/import-graph.ts";
import { textsBelow } from "../../support/package-files.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";
import type { Finding, Scale } from "../section.ts";
import { all, exactly, holds, none, type Row, same, sized } from "./row.ts";
import { until } from "./waiting.ts";

/** Lets everybody in as who they say they are, which stands for a hook that knows its users. */
function asNamed(request: { readonly headers: { readonly authorization?: string | undefined } }): string | undefined {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
}

/** A runner whose workers belong to principals, and what has become of them. */
class House {
  readonly gone: string[] = [];
  readonly #listener = listenWebSocket({ authenticate: asNamed });
  readonly runner: JobRunner = new JobRunner({ listen: this.#listener });

  async start(): Promise<void> {
    this.runner.on(
      (event) => void (event.type === "worker-gone" && this.gone.push(`${event.identity} ${event.reason}`)),
    );
    await this.runner.start();
  }

  worker(identity: string, principal: string): Worker {
    const dial = dialWebSocket(this.#listener.address, { token: principal });
    return new Worker({ dial, identity, handler: () => identity });
  }

  async peer(principal: string): Promise<ScriptedPeer> {
    const dialer = dialWebSocket(this.#listener.address, { token: principal });
    return new ScriptedPeer(await dialer.dial(new AbortController().signal, { maxFrameBytes: 100_000 }));
  }

  /** Says HELLO under a name, and resolves to what the runner answered. */
  async claim(identity: string, principal: string): Promise<string> {
    const peer = await this.peer(principal);
    peer.send(hello({ identity }));
    await until("an answer to HELLO", () => peer.received.length > 0);
    const [answer] = peer.received;
    if (answer?.type === "ERROR") return answer.code;
    peer.close();
    return answer?.type ?? "nothing";
  }
}

async function theft(scale: Scale): Promise<readonly Finding[]> {
  const names = Array.from({ length: sized(scale, 50, 50, 200) }, (_, i) => `worker-${i}`);
  const house = new House();
  await house.start();
  const workers = names.map((name) => house.worker(name, "alice"));
  await Promise.all(workers.map((worker) => worker.start()));
  const answers = await Promise.all(names.map((name) => house.claim(name, "mallory")));
  const evictions = house.gone.length;
  const meddling = await meddle(house);
  const owners = await Promise.all(workers.map(() => house.runner.execute("who")));
  await Promise.all(workers.map((worker) => worker.stop()));
  await house.runner.stop();
  return [
    all("names of others, refused with ID_TAKEN", answers.filter((code) => code === "ID_TAKEN").length, names.length),
    none("evictions", evictions, names.length),
    none("evictions by REMOVE, by an ERROR and by answers from another session", meddling, names.length),
    all(
      "jobs served by the owners afterwards",
      owners.filter((name) => names.includes(String(name))).length,
      names.length,
    ),
    ...(await takeover()),
  ];
}

/** What could end or confuse a session, if it counted for another than the one it came in on. */
const MEDDLING: readonly Message[] = [
  { type: "REMOVE" },
  { type: "CANCELLED", attemptId: 1 },
  { type: "JOBRES", attemptId: 1, value: "forged" },
  { type: "ERROR", code: "REPLACED", text: "worker-1", retryAfter: 0 },
];

/** Registers under a name of its own and sends each of {@link MEDDLING}; how many sessions of others have ended by that. */
async function meddle(house: House): Promise<number> {
  const before = house.gone.length;
  for (const message of MEDDLING) {
    const peer = await house.peer("mallory");
    peer.send(hello({ identity: "mallory" }), message);
    await until("its own session has ended", () => peer.closed !== undefined);
  }
  return house.gone.slice(before).filter((gone) => !gone.startsWith("mallory ")).length;
}

/** The same principal may take its own name over, but not over and over. */
async function takeover(): Promise<readonly Finding[]> {
  const house = new House();
  await house.start();
  const answers: string[] = [];
  const peers: ScriptedPeer[] = [];
  for (let i = 0; i < 8; i++) {
    const peer = await house.peer("alice");
    peer.send(hello({ identity: "twin", instance: `twin${i}` }));
    await until("an answer to HELLO", () => peer.received.length > 0);
    const [answer] = peer.received;
    answers.push(answer?.type === "ERROR" ? answer.code : (answer?.type ?? ""));
    peers.push(peer);
  }
  await house.runner.stop();
  await until("all are closed", () => peers.every((peer) => peer.closed !== undefined));
  const wanted = [...Array.from({ length: 6 }, () => "WELCOME"), "FLAPPING", "FLAPPING"];
  return [same("one principal that takes its own name over again and again", answers, wanted)];
}

/** The only files that may open a connection: dialers of addresses that a user passed in. */
const MAY_CONNECT: ReadonlySet<string> = new Set([
  "src/transports/websocket/node/dialer.ts",
  "src/transports/websocket/index.ts",
  "src/dashboard-client/connection.ts", // in a browser, back to the listener it came from
  "src/cli/status/status.ts", // asks the address on its command line
]);
const CONNECTS =
  /\bnew (?:this\.#)?WebSocket\(|\bfetch\(|\b(?:net|tls|http|https)\.(?:connect|request|get)\(|\bcreateConnection\(/;
const NETWORK: ReadonlySet<string> = new Set([
  "node:net",
  "node:tls",
  "node:http",
  "node:https",
  "node:dgram",
  "node:http2",
  "ws",
]);

async function addresses(): Promise<readonly Finding[]> {
  const sources = textsBelow("src", ".ts");
  const connecting = [...sources].filter(([path, text]) => CONNECTS.test(text) && !MAY_CONNECT.has(path));
  const coreReaches = readImports(sources).filter(({ from, to }) => from.startsWith("src/core/") && NETWORK.has(to));
  return [
    none("source files that open connections besides the dialers", connecting.length, sources.size),
    none("imports of the network in the core, where messages are read", coreReaches.length, sources.size),
    exactly("connections made to an address that a worker gave as its name and labels", await lured(), 0),
  ];
}

/** Registers a worker whose name, labels and words are an address, lets it work, fail and go, and counts who comes to it. */
async function lured(): Promise<number> {
  let visits = 0;
  const trap = createServer((socket) => {
    visits++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => void trap.listen(0, "127.0.0.1", resolve));
  const address = trap.address();
  const place = `127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  const house = new House();
  await house.start();
  const peer = await house.peer("mallory");
  peer.send(hello({ identity: place, instance: place, labels: [place, `ws:${place}`], capacity: 2 }));
  const url = `http://${place}/`;
  const job = house.runner.execute(url, { attempts: 2 }).catch(() => undefined);
  await until("the job has come", () => peer.jobs.length > 0);
  const error = { name: url, message: `${url} ws://${place}/`, code: url, stack: url };
  peer.send({ type: "JOBERR", attemptId: peer.last("JOB").attemptId, error, retryable: false, retryAfter: 0 });
  await job;
  peer.send({ type: "ERROR", code: "PROTOCOL", text: `ws://${place}/`, retryAfter: 1 });
  await until("its session has ended", () => peer.closed !== undefined);
  await house.runner.stop();
  await new Promise((resolve) => trap.close(resolve));
  return visits;
}

async function chance(scale: Scale): Promise<readonly Finding[]> {
  const count = sized(scale, 100_000, 100_000, 1_000_000);
  const ids = new Set<string>();
  const ones = new Uint32Array(128);
  for (let i = 0; i < count; i++) {
    const id = systemRandom.id();
    ids.add(id);
    if (i < 20_000)
      for (let bit = 0; bit < 128; bit++)
        ones[bit] = (ones[bit] ?? 0) + ((Number.parseInt(id[bit >> 2] ?? "", 16) >> (bit & 3)) & 1);
  }
  // Six standard deviations of a fair coin thrown 20,000 times.
  const unfair = ones.filter((times) => Math.abs(times - 10_000) > 6 * 70.7).length;
  const guesses = [...textsBelow("src", ".ts")].filter(([, text]) => /Math\.random\(/.test(text));
  return [
    all("ids of 32 hexadecimal digits, no two alike", [...ids].filter((id) => /^[0-9a-f]{32}$/.test(id)).length, count),
    none("bits of them that are not evenly drawn", unfair, 128),
    holds("what they are drawn from", drawsFromCrypto(), "crypto.getRandomValues", "the same"),
    none("source files that call Math.random", guesses.length, textsBelow("src", ".ts").size),
  ];
}

/** Puts something predictable in the place of the host's chance, and sees it in the next ids. */
function drawsFromCrypto(): boolean {
  const real = crypto.getRandomValues.bind(crypto);
  let asked = 0;
  crypto.getRandomValues = (array) => {
    asked++;
    return real(array);
  };
  // More than what was drawn ahead.
  for (let i = 0; i < 32; i++) systemRandom.id();
  crypto.getRandomValues = real;
  return asked >= 2;
}

/** Who is who. */
export const identityRows: readonly Row[] = [
  { name: "T14", threat: "a worker that takes another's name", check: theft },
  { name: "T27", threat: "a worker that names an address to be connected to", check: addresses },
  { name: "T29", threat: "ids that can be guessed", check: chance },
];
