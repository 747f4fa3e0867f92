/** What a submitter may ask for, in this process and from another. Row T26. */
import { EncodingError, QueueFullError } from "../../../src/core/errors.ts";
import { Job, JOB_LIMITS } from "../../../src/core/job/job.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { ScriptedPeer, welcome } from "../../support/scripted-peer.ts";
import type { Finding } from "../section.ts";
import { Doorway } from "./doorway.ts";
import { all, exactly, type Row, same } from "./row.ts";
import { stage } from "../../support/stage.ts";

/** Whatever a submitter asks for beyond the limits is refused before it waits or is sent. */
async function greed(): Promise<readonly Finding[]> {
  await using fixture = await stage({ maxPayload: 1_000, maxQueue: 3 });
  const { maxHeaders, maxHeaderBytes } = JOB_LIMITS;
  const many = Array.from({ length: maxHeaders + 1 }, (_, i) => [`h${i}`, ""] as const);
  const tooMuch: readonly (() => unknown)[] = [
    () => fixture.runner.execute("x".repeat(1_001)),
    () => fixture.runner.execute("é".repeat(501)),
    () => fixture.runner.execute(new Uint8Array(1_001)),
    () => new Job("", many),
    () => new Job("", [["h", "x".repeat(maxHeaderBytes)]]),
    () => new Job("").addHeader(":".repeat(maxHeaderBytes / 2), ""),
  ];
  const outcomes = await Promise.all(
    tooMuch.map((ask) =>
      Promise.resolve()
        .then(ask)
        .catch((error: unknown) => error),
    ),
  );
  const calls = [];
  for (let i = 0; i < 5; i++) calls.push(await fixture.execute("x", { acquireTimeout: 60_000 }));
  const { queued, running } = fixture.runner.stats();
  return [
    all(
      "jobs too large, headers too many or too long, refused",
      outcomes.filter((one) => one instanceof EncodingError).length,
      tooMuch.length,
    ),
    exactly(
      "jobs refused with a full queue of 3",
      calls.filter(({ error }) => error instanceof QueueFullError).length,
      2,
    ),
    exactly("jobs in memory then", queued + running, 3),
    ...(await hostileRunner()),
  ];
}

/** A worker that listens is somebody's to submit to: it begins its capacity, keeps what it offered to, and no more. */
async function hostileRunner(): Promise<readonly Finding[]> {
  const clock = new VirtualClock();
  const doorway = new Doorway();
  let running = 0;
  const ends: (() => void)[] = [];
  const handler = (): Promise<string> =>
    new Promise((resolve) => {
      running++;
      ends.push(() => resolve(""));
    });
  const worker = new Worker({ listen: doorway, clock, capacity: 2, handler });
  const started = worker.start();
  await clock.settle();
  await started;
  const connect = (): ScriptedPeer => {
    const peer = { transport: "memory", address: "", principal: "anybody" };
    const [near, far] = socketPair({ clock, peers: [peer, peer], maxFrameBytes: 2_000_000 });
    doorway.accept?.(near);
    return new ScriptedPeer(far);
  };
  const greedy = connect();
  await clock.settle();
  greedy.send(welcome());
  const ttl = Number.POSITIVE_INFINITY;
  for (let attemptId = 1; attemptId <= 1_000; attemptId++)
    greedy.send({ type: "JOB", attemptId, attempt: 1, jobId: attemptId, ttl, job: new Job("") });
  await clock.settle();
  const begun = running;
  const prefetchLimit = greedy.last("HELLO").prefetchLimit ?? 0;
  const refused = greedy.all("REJECT").filter(({ reason }) => reason === "overloaded").length;
  const malformed = connect();
  await clock.settle();
  malformed.send(welcome());
  malformed.sendBytes(0x10, 0, 0, 0, 29, ...Array.from({ length: 29 }, () => 1));
  await clock.settle();
  for (const end of ends) end();
  await clock.settle();
  const answered = greedy.all("JOBRES").length;
  const stopped = worker.stop();
  await clock.settle();
  await stopped;
  return [
    exactly("of 1,000 jobs pushed at a listening worker of 2 slots, handlers started", begun, 2),
    exactly("handed back as `overloaded`", refused, 1_000 - 2 - prefetchLimit),
    exactly("answered, after another submitter sent a malformed job", answered, 2),
    same(
      "that one was told",
      malformed.all("ERROR").map(({ code }) => code),
      ["PROTOCOL"],
    ),
  ];
}

/** What is asked. */
export const greedRows: readonly Row[] = [{ name: "T26", threat: "a submitter that asks for too much", check: greed }];
