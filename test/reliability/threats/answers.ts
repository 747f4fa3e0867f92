/** Answers that are false, malformed, missing or deadly. Rows T15 to T18. */
import { JobRunner } from "powerhose";
import { threads } from "powerhose/threads";
import { frameLimit } from "../../../src/core/protocol/codec.ts";
import { EncodingError, TimeoutError, WorkerLostError } from "../../../src/core/errors.ts";
import type { Message } from "../../../src/core/protocol/message.ts";
import type { ScriptedPeer } from "../../support/scripted-peer.ts";
import type { Finding, Scale } from "../section.ts";
import { Slander } from "./liar.ts";
import { atMost, exactly, holds, none, type Row, same, sized } from "./row.ts";
import { stage, type Stage } from "../../support/stage.ts";

const SEEDS = 8;

async function lies(scale: Scale): Promise<readonly Finding[]> {
  const each = sized(scale, 100_000, 200_000, 1_000_000) / SEEDS;
  const sum = { sent: 0, accepted: 0, failed: 0, wrong: 0, unsettled: 0, sessions: 0, strikes: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const slander = new Slander(seed);
    await slander.run(each);
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += slander.counts[key];
  }
  return [
    none("answers accepted that were forged, repeated, late or another session's", sum.wrong, sum.sent),
    none("jobs that settled twice or never", sum.unsettled, sum.accepted + sum.failed),
    holds("jobs that got an answer all the same", sum.accepted > 0, sum.accepted.toLocaleString("en"), "over 0"),
    holds("lies that were noticed as such", sum.strikes > 0, `${sum.strikes.toLocaleString("en")} strikes`, "over 0"),
  ];
}

const LIMIT = 1_000;

/** Bodies of JOBRES that are wrong, behind the attempt id 1. */
const MALFORMED: readonly (readonly number[])[] = [
  [0x11, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0xff], // not UTF-8
  [0x11, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0x41], // a flag of no meaning
  [0x11, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1], // cut short
  [0x11, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0], // longer than the frame
];

async function badResults(): Promise<readonly Finding[]> {
  await using fixture = await stage({ maxPayload: LIMIT });
  let calls = 0;
  const honest = await fixture.worker(
    (job) => {
      calls++;
      return "x".repeat(Number(job.data));
    },
    { identity: "honest" },
  );
  const fits = await fixture.execute(String(LIMIT));
  const tooLarge = await fixture.execute(String(LIMIT + 1));
  const { error } = tooLarge;
  await fixture.settle(honest.stop());
  const findings = [
    same("a result of the limit", String(fits.value).length, LIMIT),
    same("one byte more fails the job", error instanceof EncodingError && error.code, "ENCODING"),
    exactly("handler calls for it: it is not tried again", calls - 1, 1),
    same("the worker meanwhile", fixture.gone, ["honest removed"]),
  ];
  return [...findings, ...(await hostileResults(fixture))];
}

/** A result of so many bytes. */
function giant(size: number): Message {
  return { type: "JOBRES", attemptId: 1, value: "A".repeat(size) };
}

/** Malformed and giant results end the session, and the job runs elsewhere. */
async function hostileResults(fixture: Stage): Promise<readonly Finding[]> {
  const before = fixture.gone.length;
  const ways: readonly ((peer: ScriptedPeer) => void)[] = [
    ...MALFORMED.map((bytes) => (peer: ScriptedPeer) => peer.sendBytes(...bytes)),
    (peer) => peer.send(giant(frameLimit(LIMIT))),
  ];
  const values: unknown[] = [];
  for (const [i, way] of ways.entries()) {
    const liar = await fixture.peer({ identity: `liar-${i}` });
    const outcome = await fixture.execute("5");
    way(liar);
    await fixture.clock.advance(100);
    const honest = await fixture.worker(() => "right", { identity: `honest-${i}` });
    await fixture.clock.advance(1_000);
    values.push(outcome.value);
    await fixture.settle(honest.stop());
  }
  const ends = fixture.gone.slice(before).filter((gone) => gone.startsWith("liar"));
  const wanted = MALFORMED.map((_, i) => `liar-${i} violation`).concat(`liar-${MALFORMED.length} closed`);
  const wordy = await fixture.peer({ identity: "wordy" });
  const call = await fixture.execute("5");
  wordy.send(giant(frameLimit(LIMIT) - 14));
  await fixture.clock.settle();
  const over = String(call.value).length - LIMIT;
  return [
    same("sessions ended by malformed and giant results", ends, wanted),
    same(
      "their jobs, run elsewhere",
      values,
      ways.map(() => "right"),
    ),
    // The limit is told to workers and kept by them; for one that does not, the frame's limit is what bounds the memory.
    atMost("the largest result that a lying worker gets accepted", over, frameLimit(0), "bytes over maxPayload"),
  ];
}

async function silence(): Promise<readonly Finding[]> {
  await using fixture = await stage({ heartbeat: 60_000, cancelGrace: 500 });
  const mute = await fixture.peer({ identity: "mute" });
  const call = await fixture.execute("one", { timeout: 1_000, attempts: 1 });
  await fixture.clock.advance(999);
  const early = call.error;
  await fixture.clock.advance(1);
  const { error } = call;
  const waiting = await fixture.execute("two");
  const reused = mute.jobs.length - 1;
  const cancels = mute.all("CANCEL").length;
  await fixture.clock.advance(500);
  await fixture.worker(() => "done elsewhere");
  await fixture.clock.advance(1_000);
  const told = mute.all("ERROR").map(({ code }) => code);
  return [
    same(
      "a job without an answer, at its timeout and not before",
      [early === undefined, error instanceof TimeoutError && error.kind],
      [true, "attempt"],
    ),
    exactly("CANCELs it was sent", cancels, 1),
    exactly("jobs handed to it before it confirmed", reused, 0),
    same("its session, once the grace is over", [...fixture.gone, ...told], ["mute unresponsive", "UNRESPONSIVE"]),
    same("the job behind it", waiting.value, "done elsewhere"),
    ...(await deafFleet()),
  ];
}

/** A whole fleet that never answers: the call still settles, after the attempts and losses it was allowed. */
async function deafFleet(): Promise<readonly Finding[]> {
  await using fixture = await stage({ cancelGrace: 10 });
  for (let i = 0; i < 10; i++) await fixture.peer({ identity: `deaf-${i}` });
  const call = await fixture.execute("x", { timeout: 100, attempts: 4, deadline: 60_000 });
  await fixture.clock.advance(10_000);
  const { error } = call;
  const seen = error instanceof TimeoutError ? error.attempts.map(({ outcome }) => outcome) : [];
  return [same("attempts at a job that nobody answers", seen, ["timeout", "timeout", "timeout", "timeout"])];
}

async function poison(): Promise<readonly Finding[]> {
  await using fixture = await stage();
  const peers = await Promise.all(Array.from({ length: 6 }, (_, i) => fixture.peer({ identity: `w${i}` })));
  const call = await fixture.execute("poison", { attempts: 10 });
  for (let round = 0; round < peers.length; round++) {
    for (const peer of peers) if (peer.jobs.length > 0) peer.close();
    await fixture.clock.advance(2_000); // the longest pause before another attempt
  }
  const { error } = call;
  const outcomes = error instanceof WorkerLostError ? error.attempts.map(({ outcome }) => outcome) : [];
  return [
    exactly(
      "workers of 6 that a job which kills them takes along",
      fixture.gone.filter((gone) => gone.endsWith("closed")).length,
      2,
    ),
    same("what its caller is told", outcomes, ["lost", "lost"]),
    ...(await realPoison()),
  ];
}

const MORTAL = `data:text/javascript,${encodeURIComponent("export default (job) => job.data === 'poison' ? process.exit(1) : job.data;")}`;

/** The same with threads that really exit. */
async function realPoison(): Promise<readonly Finding[]> {
  const listen = threads(new URL(MORTAL), { size: 4, restartMin: 1, restartMax: 20, execArgv: [] });
  const runner = new JobRunner({ listen });
  let deaths = 0;
  runner.on((event) => {
    if (event.type === "worker-gone" && event.reason === "closed") deaths++;
  });
  await runner.start();
  const error = await runner.execute("poison", { attempts: 10 }).catch((thrown: unknown) => thrown);
  const after = await Promise.all(Array.from({ length: 20 }, (_, i) => runner.execute(String(i))));
  await runner.stop();
  return [
    exactly("threads of 4 that exit over it", deaths, 2),
    same("what its caller is told then", error instanceof Error && error.name, "WorkerLostError"),
    same("answers given afterwards", after.join(" "), Array.from({ length: 20 }, (_, i) => String(i)).join(" ")),
  ];
}

/** What workers answer. */
export const answerRows: readonly Row[] = [
  { name: "T15", threat: "answers that are forged, repeated, late, or to another session's job", check: lies },
  { name: "T16", threat: "results that are giant or malformed", check: badResults },
  { name: "T17", threat: "a worker that never answers, or never lets go", check: silence },
  { name: "T18", threat: "a job that kills its workers", check: poison },
];
