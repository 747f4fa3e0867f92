/**
 * Hostile frames over every transport to a real runner: each session that is sent one goes on or ends for it, nothing is
 * registered by mistake, nobody else notices.
 */
import { decodeFrame } from "../../../src/core/protocol/codec.ts";
import { ProtocolError } from "../../../src/core/errors.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import type { Harness } from "../../../src/testing/conformance/harness.ts";
import { transports } from "../../conformance/harnesses.ts";
import { encode } from "../../support/frames.ts";
import { hello } from "../../support/scripted-peer.ts";
import type { Finding, Scale } from "../section.ts";
import { all, exactly, none, sized } from "../threats/row.ts";
import { FrameForge, goodFrames, SPOILERS } from "./hostile-frames.ts";

const LIMITS = { maxFrameBytes: 2_000_000 };

/** One who registers, or does not, and sends a frame. */
class Vandal {
  closed = false;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.open({ frame: () => undefined, closed: () => void (this.closed = true) });
  }

  send(...frames: Uint8Array<ArrayBuffer>[]): void {
    for (const frame of frames) this.#socket.send(frame);
  }

  close(): void {
    this.#socket.close();
  }
}

/** Whether a frame is malformed: then its session must end. */
function isMalformed(frame: Uint8Array): boolean {
  try {
    decodeFrame(frame, () => undefined);
    return false;
  } catch (error) {
    return error instanceof ProtocolError;
  }
}

/** What a transport's runner was put through. */
interface Toll {
  readonly sessions: number;
  /** Malformed frames whose session went on. */
  readonly survived: number;
  /** Jobs of an honest worker beside them that did not come back right. */
  readonly spoilt: number;
  readonly jobs: number;
  /** Sessions and calls that are left in the end. */
  readonly left: number;
}

async function vandalise(harness: Harness, sessions: number): Promise<Toll> {
  const runner = new JobRunner({ listen: harness.listener, clock: harness.clock });
  await harness.settle(runner.start());
  const dial = { dial: (signal: AbortSignal) => harness.dialer().dial(signal, LIMITS) };
  const honest = new Worker({ dial, clock: harness.clock, identity: "honest", handler: (job) => job.data });
  await harness.settle(honest.start());
  const forge = new FrameForge(new SeededRandom(sessions));
  const codes = [...goodFrames.keys()];
  let [survived, spoilt, jobs] = [0, 0, 0];
  for (let i = 0; i < sessions; i++) {
    const vandal = new Vandal(await harness.settle(dial.dial(new AbortController().signal)));
    const how = SPOILERS[Math.floor(i / codes.length) % SPOILERS.length] ?? "noise";
    const frame = forge.spoilt(codes[i % codes.length] ?? 0, how);
    const malformed = isMalformed(frame);
    // A copy: what is sent is the socket's, and a port takes it away.
    if (i % 2 === 0) vandal.send(encode(hello({ identity: `vandal-${i}` })), frame.slice());
    else vandal.send(frame.slice());
    if (malformed) await harness.until(() => vandal.closed).catch(() => survived++);
    vandal.close();
    if (i % 10 !== 0) continue;
    jobs++;
    // By the one who is honest: another may be registered for a moment, and may answer what it likes.
    const answer = await harness.settle(
      runner.execute(`job ${i}`, { attempts: 10, maxLost: 10 }).catch(() => undefined),
    );
    if (answer !== `job ${i}`) spoilt++;
  }
  await harness.until(() => runner.stats().pending === 0 && runner.workers.size === 1);
  await harness.settle(honest.stop());
  await harness.settle(runner.stop());
  const { pending, queued, running, workers } = runner.stats();
  return { sessions, survived, spoilt, jobs, left: pending + queued + running + workers.length };
}

/** All transports. */
export async function peerFindings(scale: Scale): Promise<readonly Finding[]> {
  const sessions = sized(scale, 300, 1_000, 20_000);
  const findings: Finding[] = [];
  for (const { name, make } of transports) {
    await using harness = await make();
    const toll = await vandalise(harness, sessions);
    findings.push(
      none(`F1: sessions over ${name} that went on after a malformed frame`, toll.survived, toll.sessions),
      all(`F1: jobs of an honest worker beside them over ${name}`, toll.jobs - toll.spoilt, toll.jobs),
      exactly(`F1: sessions and calls left over ${name}`, toll.left, 0),
    );
  }
  return findings;
}
