/** The summary of a run: the numbers, and whether handing the work over was worth it. Pure. */
import { counted, grouped, showDuration, threeDigits } from "../terminal/format.ts";

/** What a run comes down to. All times in ms. */
export interface RunNumbers {
  /** Jobs that settled, one way or the other. */
  readonly jobs: number;
  readonly failed: number;
  /** Items of their streams. */
  readonly items: number;
  /** Lines left out, as an earlier run finished them. */
  readonly resumed: number;
  /** From the start of the threads to the last result. */
  readonly wallMs: number;
  /** What this process used of the processors meanwhile, all its threads together. */
  readonly cpuMs: number;
  /** Local threads. */
  readonly threads: number;
  /** Remote workers that took part. */
  readonly remotes: number;
  /** Handlers that ran in local threads, and how long they took together. */
  readonly runs: number;
  readonly runMs: number;
  /** Jobs that remote workers answered, and how long that took from hand-over on: of their handlers nothing is known. */
  readonly remoteRuns: number;
  readonly remoteMs: number;
  /** What hand-over and answer took beyond the handlers' time, over all local jobs. */
  readonly handOverMs: number;
  /** The local jobs. */
  readonly localRuns: number;
}

/** Gains below it are noise. */
const MIN_GAIN = 1.1;
/** A hand-over that seems to cost less, in ms, is not told. */
const MIN_COST_MS = 0.001;
/** Handlers that took this many times the CPU time were waiting. */
const WAITING_FACTOR = 2;

/**
 * How many cores' worth of handlers ran at a time on average: one core would have taken that many times as long. Handlers
 * that wait, or share a core, take time without using it: no more counts than the processors gave. For remote jobs the
 * local ones' time is assumed.
 */
export function speedUp({ runs, runMs, cpuMs, remoteRuns, wallMs }: RunNumbers): number {
  return wallMs > 0 && runs > 0 ? (Math.min(runMs, cpuMs) * (1 + remoteRuns / runs)) / wallMs : 0;
}

/** What a local job costs besides its run. Time the thread stood idle for other reasons is not the hand-over's fault. */
export function handOver({ handOverMs, localRuns, items, threads, wallMs, runMs }: RunNumbers): number {
  // A stream keeps its slot while it stands still: what of that was the hand-over is unknown.
  if (localRuns === 0 || items > 0) return 0;
  const idle = Math.max(0, threads * wallMs - runMs);
  return Math.max(0, Math.min(handOverMs, idle)) / localRuns;
}

/** One sentence: did it pay? `undefined` when it is unknown: nothing ran here, or one job alone, which has no other beside it. */
export function verdict(numbers: RunNumbers): string | undefined {
  const { runs, remoteRuns, runMs, cpuMs, threads, remotes, wallMs } = numbers;
  if (runs === 0 || runs + remoteRuns === 1) return undefined;
  const gain = speedUp(numbers);
  if (gain >= MIN_GAIN) return `Offloading paid: ${threeDigits(gain)}× faster than one core (estimated).`;
  const run = runMs / runs;
  const cost = handOver(numbers);
  if (run < cost) {
    return (
      `Not worth it: the jobs take ${showDuration(run)} each, less than the ${showDuration(cost)} to hand one over; ` +
      "put more work into a job."
    );
  }
  if (runMs > WAITING_FACTOR * cpuMs) {
    return "Whether it paid cannot be told: the handlers waited for most of their time, for which more cores are no help.";
  }
  if (threads + remotes <= 1) return "No gain: one worker is one core; try more --workers.";
  const idle = Math.max(0, 1 - runMs / (wallMs * Math.max(1, threads)));
  if (idle < 0.5) return `No gain: ${counted(threads + remotes, "worker")} shared about one core.`;
  return (
    `No gain: the workers were idle ${Math.round(100 * idle)} % of the time, waiting for input, ` +
    "for whoever reads the results, or for a last long job."
  );
}

/** The closing lines. */
export function summary(numbers: RunNumbers): readonly string[] {
  const { jobs, items, failed, resumed, wallMs, threads, remotes, runs, runMs, remoteRuns, remoteMs } = numbers;
  const workers = [
    threads > 0 || remotes === 0 ? counted(threads, remotes > 0 ? "thread" : "worker") : "",
    remotes > 0 ? counted(remotes, "remote worker") : "",
  ].filter((part) => part !== "");
  const outcome = failed > 0 ? `${grouped(failed)} failed` : "none failed";
  const rate = wallMs > 0 ? threeDigits((jobs * 1_000) / wallMs) : "0";
  const lines = [
    `${counted(jobs, "job")} in ${showDuration(wallMs)}, ${rate} a second on ${workers.join(" and ")}, ${outcome}` +
      (items > 0 ? `, ${counted(items, "item")}` : "") +
      (resumed > 0 ? `, ${grouped(resumed)} done before` : ""),
  ];
  if (runs > 0) {
    const cost = handOver(numbers);
    // Below the clock's resolution nothing is known.
    const extra = cost >= MIN_COST_MS ? `, and handing it over ${showDuration(cost)}` : "";
    lines.push(`a job took ${showDuration(runMs / runs)} to run${extra} (on average, estimated)`);
  }
  if (remoteRuns > 0) {
    lines.push(`a remote job took ${showDuration(remoteMs / remoteRuns)} from hand-over to answer (on average)`);
  }
  const verdictLine = verdict(numbers);
  return verdictLine === undefined ? lines : [...lines, verdictLine];
}
