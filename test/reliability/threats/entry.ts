/** The door of a WebSocket listener: who may come in at all. Rows T1 to T4; how many and how slowly is crowd.ts. */
import { WebSocketServer } from "ws";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { bearerSubprotocol } from "../../../src/transports/websocket/address.ts";
import { dialWebSocket, listenWebSocket } from "../../../src/transports/websocket/node/index.ts";
import { ALLOWED_ORIGIN, HOSTILE_ORIGINS } from "../../support/hostile-origins.ts";
import { read } from "../../support/package-files.ts";
import { Gate } from "../../transports/websocket/node/gate.ts";
import { ask, type Headers, status } from "../../transports/websocket/node/raw-client.ts";
import type { Finding, Scale } from "../section.ts";
import { failureOf, told } from "./refused-dial.ts";
import { all, none, type Row, same, sized } from "./row.ts";
import { inParallel } from "./waiting.ts";

const TOKEN = "s3cret-token";
/** Every refusal is answered: beyond its share of them an address is not answered at all: see limits.test.ts. */
const ANSWERED = { refusalRatePerAddress: Number.POSITIVE_INFINITY };
const TICKET = "t1ck3t";

function bearer(token: string): Headers {
  return { Authorization: `Bearer ${token}` };
}

function inProtocol(token: string): Headers {
  return { "Sec-WebSocket-Protocol": `powerhose.v1, ${bearerSubprotocol(token)}` };
}

type Upgrade = (...args: Parameters<WebSocketServer["handleUpgrade"]>) => void;

/** Counts how many WebSockets the listeners make meanwhile. */
class Upgrades {
  readonly #real = Reflect.get(WebSocketServer.prototype, "handleUpgrade") as Upgrade;
  count = 0;

  constructor() {
    const note = (): void => void this.count++;
    const real = this.#real;
    WebSocketServer.prototype.handleUpgrade = function counted(...args): void {
      note();
      real.apply(this, args);
    };
  }

  [Symbol.dispose](): void {
    WebSocketServer.prototype.handleUpgrade = this.#real;
  }
}

const CLUELESS: readonly Headers[] = [
  {},
  bearer(""),
  bearer(`${TOKEN}x`),
  inProtocol("wrong"),
  { Authorization: `Basic ${TOKEN}` },
  { Cookie: `token=${TOKEN}` },
  { "X-Token": TOKEN },
  { "Sec-WebSocket-Protocol": `powerhose.v1, bearer.${TOKEN}` },
];

async function strangers(scale: Scale): Promise<readonly Finding[]> {
  const tries = sized(scale, 1_000, 1_000, 10_000);
  await using gate = await Gate.open({ token: TOKEN, ...ANSWERED });
  using upgrades = new Upgrades();
  let refused = 0;
  await inParallel(tries, 20, async (i) => {
    const path = i % 2 === 0 ? "/" : `/?token=${TOKEN}`;
    if (status(await ask(gate.port, path, CLUELESS[i % CLUELESS.length])) === 401) refused++;
  });
  const hosts = ["0.0.0.0", "::", "192.0.2.1", "runner.example"];
  const opened = await Promise.all(
    hosts.map((host) =>
      new Gate({ host }).start().then(
        () => host,
        () => undefined,
      ),
    ),
  );
  return [
    all("upgrades without the token that are answered with 401", refused, tries),
    none("of them, sockets handed to the runner", gate.accepted.length, tries),
    none("of them, WebSockets made", upgrades.count, tries),
    none("addresses off loopback that listen without token or hook", opened.filter(Boolean).length, hosts.length),
  ];
}

/** Who shows a one-time ticket in the query, as a page that cannot set headers may. */
function tickets(): { readonly hook: (request: { url?: string | undefined }) => string | undefined } {
  const valid = new Set([TICKET]);
  const hook = ({ url = "" }: { url?: string | undefined }): string | undefined => {
    const ticket = new URL(url, "ws://localhost").searchParams.get("ticket") ?? "";
    return valid.delete(ticket) ? "ticket holder" : undefined;
  };
  return { hook };
}

async function secrets(): Promise<readonly Finding[]> {
  await using gate = await Gate.open({ token: TOKEN, authenticate: tickets().hook });
  const ways: readonly (readonly [string, Headers])[] = [
    ["/", bearer(TOKEN)],
    ["/", { Authorization: `bearer ${TOKEN}` }],
    ["/", inProtocol(TOKEN)],
    [`/?ticket=${TICKET}`, {}],
  ];
  const heads: string[] = [];
  for (const [path, headers] of ways) heads.push(await ask(gate.port, path, headers));
  const replay = await ask(gate.port, `/?ticket=${TICKET}`);
  const words = [...heads, replay, ...(await overheard(gate.port))].join("\n");
  const secret = [TOKEN, TICKET, "wr0ng", Buffer.from(TOKEN).toString("base64url"), "bearer."];
  return [
    same("header, subprotocol and ticket open", heads.map(status), [101, 101, 101, 101]),
    same("the same ticket again", status(replay), 401),
    same(
      "principals",
      gate.accepted.map((one) => one.peer.principal),
      ["token", "token", "token", "ticket holder"],
    ),
    none(
      "secrets found in answers, errors and events",
      secret.filter((text) => words.includes(text)).length,
      secret.length,
    ),
  ];
}

/** All that both ends tell of dialling with a wrong token, and of working with the right one. */
async function overheard(port: number): Promise<string[]> {
  const words: string[] = [];
  const hear = (event: object): void => void words.push(JSON.stringify(event), ...Object.values(event).map(told));
  words.push(told(await failureOf(dialWebSocket(`ws://127.0.0.1:${port}/?ticket=${TICKET}`, { token: "wr0ng" }))));
  const listener = listenWebSocket({ token: TOKEN });
  await using runner = new JobRunner({ listen: listener });
  runner.on(hear);
  await runner.start();
  const address = `${listener.address}?ticket=${TICKET}`;
  await using worker = new Worker({ dial: dialWebSocket(address, { token: TOKEN }), handler: () => "" });
  worker.on(hear);
  await worker.start();
  const stranger = new Worker({ dial: dialWebSocket(address, { token: "wr0ng" }), handler: () => "" });
  stranger.on(hear);
  await stranger.start().catch((error: unknown) => words.push(told(error)));
  words.push(JSON.stringify(runner.stats()));
  await stranger.stop();
  return words;
}

async function comparison(scale: Scale): Promise<readonly Finding[]> {
  const lengths = sized(scale, 200, 200, 4_000);
  await using gate = await Gate.open({ token: TOKEN, ...ANSWERED });
  let refused = 0;
  await inParallel(lengths, 20, async (length) => {
    const wrong = "x".repeat(length);
    const answers = [await ask(gate.port, "/", bearer(wrong)), await ask(gate.port, "/", inProtocol(wrong))];
    refused += answers.filter((answer) => status(answer) === 401).length;
  });
  const sources = ["src/transports/websocket/node/admission.ts"];
  const constant = sources.filter((path) => /timingSafeEqual\((known|digest\()/.test(read(path)));
  return [
    all("wrong tokens of all lengths refused with 401", refused, 2 * lengths),
    none("errors reported over them", gate.reports.length, 2 * lengths),
    all("places that compare tokens, and compare digests in constant time", constant.length, sources.length),
  ];
}

/** The last two may come in: the page that is allowed, and a program, which sends no origin. */
const ORIGINS: readonly (string | undefined)[] = [...HOSTILE_ORIGINS, ALLOWED_ORIGIN, undefined];

async function pages(): Promise<readonly Finding[]> {
  const authenticate = ({ url = "" }: { url?: string | undefined }): string | undefined =>
    url.includes(`ticket=${TICKET}`) ? "ticket" : undefined;
  await using gate = await Gate.open({ token: TOKEN, origins: [ALLOWED_ORIGIN], authenticate });
  const credentials: readonly (readonly [string, Headers, boolean])[] = [
    ["/", bearer(TOKEN), true],
    ["/", inProtocol(TOKEN), true],
    [`/?ticket=${TICKET}`, {}, true],
    ["/", { Cookie: `token=${TOKEN}` }, false],
  ];
  let right = 0;
  for (const origin of ORIGINS) {
    for (const [path, headers, valid] of credentials) {
      const welcome = origin === ALLOWED_ORIGIN || origin === undefined;
      const wanted = !welcome ? 403 : valid ? 101 : 401;
      if (status(await ask(gate.port, path, { ...headers, Origin: origin })) === wanted) right++;
    }
  }
  await using open = await Gate.open();
  const answers = await Promise.all(ORIGINS.map((Origin) => ask(open.port, "/", { Origin })));
  return [
    all("origins × credentials answered as they must be: 403, 401 or 101", right, ORIGINS.length * credentials.length),
    none(
      "origins let in when none was allowed",
      answers.filter((head) => status(head) === 101).length - 1,
      ORIGINS.length - 1,
    ),
  ];
}

/** Who may come in. */
export const entryRows: readonly Row[] = [
  { name: "T1", threat: "no authentication, or the wrong one", check: strangers },
  { name: "T2", threat: "a token on its way, and where it shows", check: secrets },
  { name: "T3", threat: "a token guessed from how long its comparison takes", check: comparison },
  { name: "T4", threat: "a web page that opens a WebSocket in its visitor's name", check: pages },
];
