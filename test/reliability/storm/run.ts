/** One storm: trouble, a look at what everything holds, more trouble, another look, and the two books. */
import type { Browser } from "playwright-core";
import { setTimeout as sleep } from "node:timers/promises";
import type { Finding, Findings } from "../section.ts";
import { Chance } from "../chaos/chance.ts";
import { figure, holds, none, some } from "../chaos/row.ts";
import { Trouble } from "./faults.ts";
import { type Books, reconcile } from "./reconcile.ts";
import { StormStage } from "./stage.ts";

/** How a storm is done. */
export interface StormOptions {
  readonly seconds: number;
  readonly browser: Browser;
  readonly seed?: number;
  readonly say: (line: string) => void;
}

/** What the caller's process tells once nothing is under way. */
interface Calm {
  readonly calm: boolean;
  readonly pending: number;
  readonly histories: number;
  readonly submitted: number;
  readonly retries: number;
  readonly bystanders: number;
  readonly fleet: string;
  readonly gone: Readonly<Record<string, number>>;
}

interface Footprint {
  /** Absent where it cannot be asked for. */
  readonly heap?: number;
  readonly rss: number;
  readonly descriptors: number;
}

/** What the lasting processes hold at a calm moment. */
interface Sample {
  readonly calm: Calm;
  readonly caller: Footprint;
  readonly broker: Footprint;
  readonly host: Footprint | undefined;
  readonly deaths: number;
}

/** What may be more in the later sample: caches of the host that fill slowly, a connection that is closing. */
const HEAP_ROOM = 4 * 2 ** 20;
const RSS_ROOM = 64 * 2 ** 20;
const DESCRIPTOR_ROOM = 4;
/** The most between two faults, in ms. */
const PAUSE_MS = 800;
/** Problems that are shown one by one. */
const SHOWN = 12;

async function look({ places }: StormStage): Promise<Sample> {
  const calm = await places.caller.ask<Calm>("quiesce");
  // What is closing may take a turn of the other processes, too.
  await sleep(500);
  return {
    calm,
    caller: await places.caller.ask<Footprint>("footprint"),
    broker: await places.broker.ask<Footprint>("footprint"),
    host: places["host-1"].holding(),
    deaths: places.broker.deaths + places["host-1"].deaths,
  };
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function flat(what: string, early: number, late: number, room: number, show: (count: number) => string): Finding {
  const ok = late <= early + room;
  return {
    what: `storm: ${what}`,
    figure: `${show(early)}, then ${show(late)}`,
    wanted: `at most ${show(room)} more`,
    ok,
  };
}

function flatness(name: string, early: Footprint | undefined, late: Footprint | undefined): readonly Finding[] {
  if (early === undefined || late === undefined) return [];
  const heaps: readonly Finding[] =
    early.heap === undefined || late.heap === undefined
      ? []
      : [flat(`heap of ${name} after a collection`, early.heap, late.heap, HEAP_ROOM, mebibytes)];
  return [
    ...heaps,
    flat(`memory of ${name}`, early.rss, late.rss, RSS_ROOM, mebibytes),
    flat(`descriptors of ${name}`, early.descriptors, late.descriptors, DESCRIPTOR_ROOM, figure),
  ];
}

function placesOf({ starts }: Books): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { path } of starts) {
    const place = path.replace(/\/?(?:thread|web-worker)-\d+$/, "") || "threads";
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return counts;
}

const PLACES = ["threads", "host-1", "host-2", "broker", "broker/deep", "tab"];

function bookFindings(books: Books, { bystanders }: Calm): readonly Finding[] {
  const problems = reconcile(books, bystanders);
  const served = placesOf(books);
  return [
    none(
      "storm: contradictions between the ledger and what the callers saw",
      problems.length,
      books.submissions.length,
    ),
    ...problems.slice(0, SHOWN).map((problem) => holds(`storm: ${problem}`, false)),
    ...PLACES.map((place) => some(`storm: starts at ${place}`, served.get(place) ?? 0)),
  ];
}

function calmFindings(when: string, { calm, pending, histories, fleet }: Calm): readonly Finding[] {
  return [
    holds(`storm: all workers are back ${when}, with all slots`, calm, calm ? "yes" : `pending ${pending}, ${fleet}`),
    none(`storm: calls pending ${when}`, pending + histories),
  ];
}

/** Runs one storm. */
export async function storm({ seconds, browser, seed = 1, say }: StormOptions): Promise<Findings> {
  const chance = new Chance(seed);
  await using stage = await StormStage.start(browser, chance);
  const trouble = new Trouble(stage, chance);
  const first = await look(stage); // everything has started
  say(`started: ${first.calm.fleet}`);
  await stage.places.caller.ask("resume");
  await sleep(500);
  await trouble.begin();
  await trouble.last((seconds * 1_000) / 4, PAUSE_MS);
  const early = await look(stage);
  say(`early: ${JSON.stringify(early)}`);
  await stage.places.caller.ask("resume");
  await trouble.last((seconds * 3_000) / 4, PAUSE_MS);
  const late = await look(stage);
  say(`late: ${JSON.stringify(late)}`);
  const books = stage.ledger.read();
  return {
    findings: [
      ...bookFindings(books, late.calm),
      ...calmFindings("at the beginning", first.calm),
      ...calmFindings("in between", early.calm),
      ...calmFindings("in the end", late.calm),
      none("storm: watched processes that died between the looks", late.deaths - early.deaths),
      ...flatness("the caller's process", early.caller, late.caller),
      ...flatness("the broker", early.broker, late.broker),
      ...flatness("a host", early.host, late.host),
    ],
    counts: {
      jobs: books.submissions.length,
      "starts in the ledger": books.starts.length,
      "attempts made again": late.calm.retries,
      ...trouble.counts,
    },
  };
}
