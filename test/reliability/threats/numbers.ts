/** Ids that are no numbers, or too large. Row T28. */
import { Job } from "../../../src/core/job/job.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { decode, fromHex } from "../../support/frames.ts";
import { ScriptedPeer, welcome } from "../../support/scripted-peer.ts";
import type { Finding } from "../section.ts";
import { crudeFrame } from "./crude-frame.ts";
import { all, type Row, same } from "./row.ts";
import { stage, type Stage } from "../../support/stage.ts";

const NOBODY = { transport: "memory", address: "", principal: "local" } as const;

/** Eight bytes that are no attempt id: 0, 2^53, 2^63 - 1, -1, and what NaN and 1.5 look like as doubles. */
const NO_IDS: readonly string[] = [
  "0000000000000000",
  "0020000000000000",
  "7fffffffffffffff",
  "ffffffffffffffff",
  "7ff8000000000000",
  "3ff8000000000000",
];
const TYPES_WITH_ID = { JOBRES: "11", JOBERR: "12", REJECT: "13", CANCEL: "14", CANCELLED: "15", JOB: "10" } as const;

/** A frame of that type whose id is not one, and whose rest is right as far as an id can be told from it. */
function misnumbered(type: string, hex: string): Uint8Array {
  const rest = { 10: "00000001".repeat(5), 11: "00", 12: `00${"00".repeat(12)}`, 13: "01", 14: "01" }[type] ?? "";
  return crudeFrame(Number.parseInt(type, 16), [...fromHex(hex + rest)], "");
}

function refusalOf(frame: Uint8Array): string {
  try {
    decode(frame);
    return "taken";
  } catch (error) {
    return error instanceof Error ? error.constructor.name : String(error);
  }
}

async function numbers(): Promise<readonly Finding[]> {
  const frames = NO_IDS.flatMap((hex) => Object.values(TYPES_WITH_ID).map((type) => misnumbered(type, hex)));
  const decoded = frames.map((frame) => refusalOf(frame));
  await using fixture = await stage();
  const ends: string[] = [];
  for (const frame of frames) {
    const peer = await fixture.peer({ identity: "liar" });
    peer.sendBytes(...frame);
    await fixture.clock.settle();
    ends.push(peer.all("ERROR")[0]?.code ?? "");
    await fixture.clock.advance(60_000); // one name, replaced often
  }
  return [
    all(
      "frames with an id that is none, refused",
      decoded.filter((one) => one === "ProtocolError").length,
      frames.length,
    ),
    all("and their sessions ended", ends.filter((code) => code === "PROTOCOL").length, frames.length),
    ...(await counted(fixture)),
  ];
}

/** Ids that are written are counted here, or were read before: nothing else can get into a frame. */
async function counted(fixture: Stage): Promise<readonly Finding[]> {
  const given: number[][] = [];
  for (const identity of ["a", "b"]) {
    const peer = await fixture.peer({ identity, capacity: 10 });
    const calls = await Promise.all([1, 2, 3].map(() => fixture.execute("x")));
    for (const job of peer.all("JOB")) peer.answer("y", job);
    await fixture.clock.settle();
    given.push(
      peer.all("JOB").map(({ attemptId }) => attemptId),
      calls.map(({ value }) => (value === "y" ? 1 : 0)),
    );
    peer.close();
    await fixture.clock.settle();
  }
  return [
    same("ids of the attempts of two sessions, and whether their answers counted", given, [
      [1, 2, 3],
      [1, 1, 1],
      [1, 2, 3],
      [1, 1, 1],
    ]),
    same("the largest id there is, repeated by a worker", await largest(), Number.MAX_SAFE_INTEGER),
  ];
}

async function largest(): Promise<number | undefined> {
  const clock = new VirtualClock();
  const [near, far] = socketPair({ clock, peers: [NOBODY, NOBODY], maxFrameBytes: 100_000 });
  const runner = new ScriptedPeer(far);
  const worker = new Worker({ dial: { dial: () => Promise.resolve(near) }, clock, handler: () => "" });
  const started = worker.start();
  await clock.settle();
  runner.send(welcome());
  const jobId = Number.MAX_SAFE_INTEGER;
  runner.send({ type: "JOB", attemptId: jobId, attempt: 1, jobId, ttl: 1_000, job: new Job("") });
  await clock.settle();
  await started;
  const stopped = worker.stop();
  await clock.settle();
  await stopped;
  return runner.all("JOBRES")[0]?.attemptId;
}

/** Which numbers are taken. */
export const numberRows: readonly Row[] = [
  { name: "T28", threat: "ids that are no numbers, or too large", check: numbers },
];
