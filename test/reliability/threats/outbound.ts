/** What leaves this process unasked: errors, refusals, close frames. Row T25. */
import { Job } from "../../../src/core/job/job.ts";
import type { JobMessage, Message } from "../../../src/core/protocol/message.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { closeFrame, TOO_MANY_PINGS_FRAME } from "../../../src/transports/websocket/close-codes.ts";
import { hello, ScriptedPeer, welcome } from "../../support/scripted-peer.ts";
import { Gate } from "../../transports/websocket/node/gate.ts";
import { type Headers, RawClient, upgrade } from "../../transports/websocket/node/raw-client.ts";
import type { Finding } from "../section.ts";
import { all, none, type Row, same } from "./row.ts";
import { Doorway } from "./doorway.ts";
import { stage, type Stage } from "../../support/stage.ts";

/** Everybody a runner may have reason to complain of, and the runner. */
class Complaints {
  readonly doorway: Doorway = new Doorway();
  readonly #fixture: Stage;

  constructor(fixture: Stage) {
    this.#fixture = fixture;
  }

  /** What the runner answers to these messages from a new connection of a principal. */
  async of(principal: string, ...messages: (Message | readonly number[])[]): Promise<ScriptedPeer> {
    const peer = this.connect(principal);
    for (const message of messages) {
      if ("type" in message) peer.send(message);
      else peer.sendBytes(...message);
      await this.#fixture.clock.settle();
    }
    return peer;
  }

  connect(principal: string, unread: number = 0): ScriptedPeer {
    const { clock } = this.#fixture;
    const peer = { transport: "memory", address: "here", principal };
    const [near, far] = socketPair({ clock, peers: [peer, peer], maxFrameBytes: 2_000_000 });
    const stuck = Object.create(near) as Socket;
    Object.defineProperties(stuck, {
      bufferedBytes: { get: () => unread },
      send: { value: (frame: Uint8Array<ArrayBuffer>) => near.send(frame) },
      open: { value: (receiver: Parameters<Socket["open"]>[0]) => near.open(receiver) },
      close: { value: () => near.close() },
      peer: { value: peer },
      faults: { value: "stream" },
    });
    this.doorway.accept?.(stuck);
    return new ScriptedPeer(far);
  }
}

/** Every reason a runner has to send an ERROR, and what it says then. */
async function runnerErrors(): Promise<string[]> {
  const doorway = new Doorway();
  await using fixture = await stage({
    listen: doorway,
    maxPending: 1,
    maxWorkers: 3,
    maxStrikes: 1,
    cancelGrace: 10,
    heartbeat: 1_000,
    helloTimeout: 500,
  });
  const complaints = new Complaints(fixture);
  complaints.doorway.accept = doorway.accept;
  const peers: ScriptedPeer[] = [];
  const on = async (...how: Parameters<Complaints["of"]>): Promise<ScriptedPeer> => {
    const peer = await complaints.of(...how);
    peers.push(peer);
    return peer;
  };
  await on("a", [0xff, 0, 0, 0, 0]);
  await on("a", [0x11, 0, 0, 0, 200, 1]);
  await on("a", { type: "REMOVE" });
  await on("a", { ...hello(), version: 7 });
  await on("a", hello({ identity: "mine" }));
  await on("b", hello({ identity: "mine" }));
  for (let i = 0; i < 7; i++) await on("a", hello({ identity: "mine", instance: `i${i}` }));
  await on("a", hello({ identity: "odd" }), hello({ identity: "odd" }));
  await on("a", hello({ identity: "odd" }), { type: "JOBRES", attemptId: 9, value: "x" });
  await on("a", hello({ identity: "odd" }), welcome());
  await on("a", hello({ identity: "odd" }), { type: "PONG", nonce: 1 }, { type: "PONG", nonce: 1 });
  for (let i = 0; i < 3; i++) await on("a", hello({ identity: `full-${i}` }));
  for (let i = 0; i < 2; i++) peers.push(complaints.connect("a"));
  await fixture.clock.advance(600);
  await fixture.clock.advance(10_000);
  await timeouts(fixture, on);
  peers.push(await slow(fixture, complaints));
  return peers.flatMap((peer) => peer.all("ERROR").map(({ code, text }) => `${code}: ${text}`));
}

/** One that does not confirm a CANCEL. */
async function timeouts(
  fixture: Stage,
  on: (...how: Parameters<Complaints["of"]>) => Promise<ScriptedPeer>,
): Promise<void> {
  await on("a", hello({ identity: "deaf" }));
  await fixture.execute("x", { timeout: 10, attempts: 1 });
  await fixture.clock.advance(100);
}

/** One that does not read. */
async function slow(fixture: Stage, complaints: Complaints): Promise<ScriptedPeer> {
  const peer = complaints.connect("a", 100 * 1024 * 1024);
  peer.send(hello({ identity: "slow" }));
  await fixture.clock.settle();
  await fixture.execute("x", { attempts: 1 });
  await fixture.clock.advance(100);
  return peer;
}

/** Every reason a worker has, and what its errors tell of a handler that fails. */
async function workerErrors(): Promise<string[]> {
  const said: string[] = [];
  const job: JobMessage = { type: "JOB", attemptId: 1, attempt: 1, jobId: 1, ttl: 1_000, job: new Job("") };
  const conversations: readonly (readonly (Message | readonly number[])[])[] = [
    [[0xff, 0, 0, 0, 0]],
    [hello()],
    [job],
    [welcome(), welcome()],
    [welcome(), job, job],
    [welcome(), job],
  ];
  for (const conversation of conversations) said.push(...(await workerSays(conversation)));
  return said;
}

async function workerSays(conversation: readonly (Message | readonly number[])[]): Promise<string[]> {
  const clock = new VirtualClock();
  const peer = { transport: "test", address: "", principal: "stranger" };
  const [near, far] = socketPair({ clock, peers: [peer, peer], maxFrameBytes: 100_000 });
  const runner = new ScriptedPeer(far);
  const handler = (): Promise<string> => Promise.reject(new RangeError("no luck"));
  const worker = new Worker({ dial: { dial: () => Promise.resolve(near) }, clock, handler });
  const started = worker.start().catch(() => undefined);
  await clock.settle();
  for (const message of conversation) {
    if ("type" in message) runner.send(message);
    else runner.sendBytes(...message);
  }
  await clock.settle();
  const stopped = worker.stop();
  await clock.settle();
  await Promise.all([started, stopped]);
  const failures = runner
    .all("JOBERR")
    .map(({ error }) => `JOBERR: ${error.name} ${error.message} ${error.code}|${error.stack}`);
  return [...runner.all("ERROR").map(({ code, text }) => `${code}: ${text}`), ...failures];
}

/** Every way in which a listener says no before there is a WebSocket, without the date. */
async function httpRefusals(): Promise<string[]> {
  await using gate = await Gate.open({ token: "t", maxConnections: 1, origins: ["https://a"] });
  const asked: readonly (readonly [string, Headers])[] = [
    ["/", {}],
    ["/", { Origin: "https://evil" }],
    ["/", { "Sec-WebSocket-Protocol": "other" }],
    ["/elsewhere", {}],
    ["/", { Authorization: "Bearer t", "Sec-WebSocket-Version": "1" }],
    ["/", { Connection: "close", Upgrade: undefined }],
    ["/x", { Connection: "close", Upgrade: undefined }],
  ];
  const said: string[] = [];
  for (const [path, headers] of asked) said.push(await refusal(gate.port, path, headers));
  using member = new RawClient(gate.port);
  await member.send(upgrade("/", { Authorization: "Bearer t" })).head();
  said.push(await refusal(gate.port, "/", { Authorization: "Bearer t" }));
  return said;
}

async function refusal(port: number, path: string, headers: Headers): Promise<string> {
  using client = new RawClient(port);
  const answer = await client.send(upgrade(path, headers)).end();
  const [status = ""] = answer.split("\r\n", 1);
  const body = answer.slice(answer.indexOf("\r\n\r\n") + 4).replace(/^[0-9a-f]+\r\n(.*)\r\n0\r\n\r\n$/, "$1"); // may come in chunks
  return `${status.slice("HTTP/1.1 ".length)}: ${body}`;
}

/** A path, an address in a source, a stack, a version or a process id: what says something of this process. */
const REVEALING = /[/\\][\w.-]+[/\\]|\.[cm]?[jt]s\b|node:|\bat \S+ \(|\n|v?20\.\d|\bpid\b/;

const CLOSE_CODES = ["local", "peer", "error", "too-large", "too-slow", "violation"] as const;

async function leakage(): Promise<readonly Finding[]> {
  const [runner, worker, http] = [await runnerErrors(), await workerErrors(), await httpRefusals()];
  const frames = [...CLOSE_CODES.map(closeFrame), TOO_MANY_PINGS_FRAME];
  const closes = frames.map(({ standard, text }) => `${standard}: ${text}`);
  const said = [...runner, ...worker, ...http, ...closes];
  const codes = [...new Set(runner.map((text) => text.split(":", 1)[0] ?? ""))].sort((a, b) => (a < b ? -1 : 1));
  return [
    same("codes of the ERRORs a runner was made to send", codes, [
      "BUSY",
      "FLAPPING",
      "ID_TAKEN",
      "PROTOCOL",
      "REPLACED",
      "TOO_SLOW",
      "UNRESPONSIVE",
      "VERSION",
    ]),
    none(
      "words sent to peers that reveal a path, a file, a stack or a version",
      said.filter((text) => REVEALING.test(text)).length,
      said.length,
    ),
    none("of them, longer than 200 characters", said.filter((text) => text.length > 200).length, said.length),
    all(
      "of them, in the table of what may be said",
      said.filter((text) => SAYABLE.some((known) => known.test(text))).length,
      said.length,
    ),
    same("a failed handler, as it is told without `remoteStacks`", worker.at(-1), "JOBERR: RangeError no luck |"),
  ];
}

/** All that is ever said to a peer, with numbers and names left open. */
const SAYABLE: readonly RegExp[] = [
  /^PROTOCOL: byte \d+ of a frame of \d+: (the frame ends within a message|a message ends within a field)$/,
  /^PROTOCOL: an unknown message type: \d+$/,
  /^PROTOCOL: expected HELLO, got [A-Z]+$/,
  /^PROTOCOL: [A-Z]+ is not a (worker|runner)'s to send( now)?$/,
  /^PROTOCOL: an answer to attempt \d+, which was never made$/,
  /^PROTOCOL: PONGs nobody asked for: over \d+$/,
  /^PROTOCOL: (an unexpected JOB|a second WELCOME)$/,
  /^VERSION: this runner speaks version \d+, not \d+$/,
  /^ID_TAKEN: the identity \S+ belongs to somebody else$/,
  /^FLAPPING: \S+ is used by several workers$/,
  /^REPLACED: a newer worker of this identity registered$/,
  /^BUSY: too many (new connections|workers)$/,
  /^UNRESPONSIVE: (no HELLO in|nothing heard for|no answer to CANCEL in) \d+ ms$/,
  /^TOO_SLOW: it does not read: \d+ bytes wait$/,
  /^JOBERR: RangeError no luck \|$/,
  /^401 Unauthorized: a valid token is required$/,
  /^403 Forbidden: this origin is not allowed$/,
  /^400 Bad Request: expected the subprotocol powerhose\.v1$/,
  /^400 Bad Request: Missing or invalid Sec-WebSocket-Version header$/,
  /^404 Not Found: (nothing here|Not Found)$/,
  /^426 Upgrade Required: Upgrade Required$/,
  /^503 Service Unavailable: too many connections, try again later$/,
  /^1000: closed$/,
  /^1011: internal error$/,
  /^1009: frame too large$/,
  /^1013: frame too slow$/,
  /^1003: binary frames only$/,
  /^1008: too many pings$/,
];

/** What is said. */
export const outboundRows: readonly Row[] = [
  { name: "T25", threat: "errors that tell strangers about this process", check: leakage },
];
