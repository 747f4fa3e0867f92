/** L1 and L2: many WebSocket workers on one runner, what they cost and whether all of them are kept. */
import { spawnSync } from "node:child_process";
import type { Finding, Findings, Scale } from "../section.ts";
import { Child, type Report } from "./child.ts";
import { all, atMost, count, exactly, KIB, MIB, type Row, tenths } from "./row.ts";

interface Size {
  readonly workers: number;
  /** Processes they are spread over: each worker takes a file descriptor at both ends. */
  readonly crowds: number;
  /** The heartbeat, in ms. */
  readonly heartbeat: number;
  /** How long the idle processor time is measured, in ms; 0: not. */
  readonly idle: number;
  /** How long all of them may take to join, in ms. Only when some never do is it all taken. */
  readonly maxWait: number;
}

const SIZES: Readonly<Record<Scale, Size>> = {
  test: { workers: 1_000, crowds: 1, heartbeat: 2_000, idle: 0, maxWait: 60_000 },
  quick: { workers: 1_000, crowds: 1, heartbeat: 2_000, idle: 0, maxWait: 60_000 },
  full: { workers: 10_000, crowds: 2, heartbeat: 5_000, idle: 30_000, maxWait: 300_000 },
};

/** Descriptors a process needs for itself. */
const SPARE = 200;

interface Seen {
  readonly joined: Report;
  readonly after: Report;
  /** Workers that heard the answer to a beat. */
  readonly heard: number;
  /** Connections that workers lost. */
  readonly lost: number;
}

/** Most workers that a runner on this machine can hold, with a file descriptor for each. */
function mostWorkers(): number {
  const limit = spawnSync("sh", ["-c", "ulimit -Hn"], { encoding: "utf8" }).stdout.trim();
  return /^\d+$/.test(limit) ? Number(limit) - SPARE : Number.POSITIVE_INFINITY;
}

/** The size, or as much of it as the machine allows. */
function allowed(size: Size, most: number): Size {
  return { ...size, workers: Math.min(size.workers, most - (most % size.crowds)) };
}

/** Crowds that together are so many workers. */
class Crowds {
  readonly #children: readonly Child[];

  constructor({ workers, crowds, heartbeat, maxWait }: Size, port: number) {
    const task = { port, workers: workers / crowds, heartbeat, maxWait };
    this.#children = Array.from({ length: crowds }, () => new Child("loads-crowd.js", task));
  }

  goOn(): void {
    for (const child of this.#children) child.goOn();
  }

  reports(): Promise<Report[]> {
    return Promise.all(this.#children.map((child) => child.report()));
  }

  async ended(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.ended()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#children.map((child) => child[Symbol.asyncDispose]()));
  }
}

async function watch(size: Size, say: (line: string) => void): Promise<Seen> {
  const { workers, heartbeat, idle, maxWait } = size;
  await using runner = new Child("loads-runner.js", { workers, heartbeat, idle, maxWait });
  await using crowds = new Crowds(size, Child.figure(await runner.report(), "port"));
  const joined = await runner.report();
  say(`${count(workers)} workers joined after ${tenths(Child.figure(joined, "joinedAfter") / 1_000)} s`);
  crowds.goOn();
  const beats = await crowds.reports();
  runner.goOn();
  const after = await runner.report();
  crowds.goOn();
  await crowds.ended();
  runner.goOn();
  await runner.ended();
  const sum = (name: string): number => beats.reduce((total, report) => total + Child.figure(report, name), 0);
  return { joined, after, heard: sum("heard"), lost: sum("lost") };
}

/** Whether all of them are there, work, beat and stay. */
function kept({ joined, after, heard, lost }: Seen, workers: number): Finding[] {
  const figure = (name: string): number => Child.figure(joined, name);
  const gone = Child.figure(after, "gone");
  return [
    all("L1: WebSocket workers registered on one runner", figure("joined"), workers),
    all("L1: of those, served exactly one job of a round of as many", figure("served"), workers),
    all("L1: right results of that round", figure("right"), workers),
    all("L1: heard the answer to a heartbeat", heard, workers),
    exactly("L1: workers suspected or lost, seen by the runner", gone + Child.figure(after, "suspect"), 0),
    exactly("L1: connections lost, seen by the workers", lost, 0),
    all("L1: still registered at the end", Child.figure(after, "registered"), workers),
  ];
}

/** What they cost. The RSS of one is only to be seen among many: a heap grows in steps of MiB. */
function cost({ joined, after }: Seen, { idle, workers }: Size, scale: Scale): Finding[] {
  const mib = (report: Report): number => Child.figure(report, "rss") / MIB;
  const runner = `L1: RSS of the runner with ${count(workers)} workers`;
  const findings = [
    atMost("L1: heap per worker", Child.figure(joined, "heapPerWorker") / KIB, 20, "KiB"),
    atMost(`${runner}, all joined`, mib(joined), 200, "MiB", 0),
    atMost(`${runner}, after a job each at once`, mib(after), 300, "MiB", 0),
  ];
  if (scale !== "full") return findings;
  const share = Child.figure(after, "idle") * 100;
  return [
    ...findings,
    atMost("L1: RSS per worker", Child.figure(joined, "rssPerWorker") / KIB, 20, "KiB"),
    atMost(`L2: processor time of ${count(workers)} idle workers over ${idle / 1_000} s`, share, 10, "% of a core"),
  ];
}

async function run(scale: Scale, say: (line: string) => void): Promise<Findings> {
  const size = allowed(SIZES[scale], mostWorkers());
  const wanted = SIZES[scale].workers;
  const seen = await watch(size, say);
  const findings = [...kept(seen, size.workers), ...cost(seen, size, scale)];
  if (size.workers < wanted)
    findings.push(exactly("L1: workers that the limit of open files left out", wanted - size.workers, 0));
  return {
    findings,
    counts: {
      "websocket workers at once": size.workers,
      "ms for all to join": Math.round(Child.figure(seen.joined, "joinedAfter")),
      "ms for a job each": Math.round(Child.figure(seen.joined, "round")),
    },
  };
}

/** The row. */
export const crowd: Row = { name: "L1, L2: many WebSocket workers", run };
