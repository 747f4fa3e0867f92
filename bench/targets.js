/** What the figures are meant to be, and whether they are: each target beside what was measured for it. */
import { FLOORS, OURS, PEERS } from "./contestants/list.js";
import { median, ratio, typical } from "./median.js";
import { SIZES } from "./payload.js";
import { floorOf } from "./sections/echo.js";
import { growthOf } from "./sections/growth.js";
import { PAIRS } from "./sections/retained.js";
import { TASKS } from "./sections/tasks.js";
import { OURS as OUR_WORK, SPLIT } from "./sections/work.js";
import { shortTime, table, times } from "./table.js";

/** @typedef {import("./race.js").Series} Series */
/** @typedef {{ what: string, wanted: string, measured: string, met: boolean | undefined }} Row - `met` is undefined when it was not measured. */
/** @typedef {(section: string) => any} Kept - The figures of a section, or undefined. */

/** In the place of a figure whose section is not there. */
export const UNRUN = "not run";

/** What has not been measured, for want of a section or of a peer. */
class Unmeasured extends Error {}

/**
 * @param {readonly Series[]} series
 * @param {string} name
 */
function find(series, name) {
  const found = series.find((one) => one.name === name);
  if (found === undefined || found.absent !== undefined)
    throw new Unmeasured(`${name}: ${found?.absent ?? "not measured"}`);
  return found;
}

/**
 * @param {Kept} kept
 * @param {string} section
 */
function figuresOf(kept, section) {
  const figures = kept(section);
  if (figures === undefined) throw new Unmeasured(UNRUN);
  return figures;
}

/** @param {string} section */
function sizeOf(section) {
  return SIZES.find(({ name }) => section.endsWith(`-${name}`))?.title ?? "";
}

/**
 * A row whose figure may turn out not to be there.
 * @param {string} what
 * @param {string} wanted
 * @param {() => { measured: string, met: boolean }} measure
 * @returns {Row}
 */
function row(what, wanted, measure) {
  try {
    return { what, wanted, ...measure() };
  } catch (error) {
    if (error instanceof Unmeasured) return { what, wanted, measured: error.message, met: undefined };
    throw error;
  }
}

/**
 * Our rate, so many times that of another.
 * @param {Kept} kept
 * @param {string} section
 * @param {string} ours
 * @param {readonly string[]} others - The fastest of them counts.
 * @param {number} least
 */
function faster(kept, section, ours, others, least) {
  const names = others.join(", or ");
  return row(`${ours}, ${sizeOf(section)}: jobs/s by ${names}`, `≥ ${least}`, () => {
    const { series } = figuresOf(kept, section);
    const rivals = others.map((name) => find(series, name));
    const seen = Math.min(...rivals.map((rival) => ratio(find(series, ours), rival, "rate")));
    return { measured: times(seen), met: seen >= least };
  });
}

/**
 * @param {Kept} kept
 * @param {string} section
 * @param {string} ours
 * @param {number} least
 */
function nearFloor(kept, section, ours, least) {
  return row(`${ours}, ${sizeOf(section)}: jobs/s by the fastest bare transport`, `≥ ${least}`, () => {
    const { series } = figuresOf(kept, section);
    const floor = floorOf(find(series, ours), series, "rate");
    if (floor === undefined) throw new Unmeasured("no floor");
    const seen = ratio(find(series, ours), floor, "rate");
    return { measured: `${times(seen)} (${floor.name})`, met: seen >= least };
  });
}

/**
 * @param {Kept} kept
 * @param {string} section
 * @param {string} ours
 * @param {string} floor
 * @param {number} most
 */
function lone(kept, section, ours, floor, most) {
  return row(`${ours}: a lone job's p50 by ${floor}`, `≤ ${most}`, () => {
    const { series } = figuresOf(kept, section);
    const seen = ratio(find(series, ours), find(series, floor), "p50");
    return { measured: times(seen), met: seen <= most };
  });
}

/** @param {Kept} kept */
function memory(kept) {
  const series = () => figuresOf(kept, "memory-16").series;
  return [
    row(`${OURS.memory}: µs a job, 256 in flight`, "≤ 1", () => {
      const seen = 1e6 / typical(find(series(), OURS.memory), "rate");
      return { measured: seen.toFixed(2), met: seen <= 1 };
    }),
    faster(kept, "memory-16", OURS.memory, [FLOORS.memory], 2),
    row(`${OURS.memory}: a lone job's p50, µs`, "≤ 10", () => {
      const seen = typical(find(series(), OURS.memory), "p50");
      return { measured: shortTime(seen), met: seen <= 10 };
    }),
  ];
}

/** @param {Kept} kept */
function work(kept) {
  return [
    row("400 jobs of 1 ms on two threads, over a perfect split", "≤ 5 %", () => {
      const { series } = figuresOf(kept, "work");
      const seen = ratio(find(series, OUR_WORK), find(series, SPLIT), "ms") - 1;
      return { measured: `${(seen * 100).toFixed(1)} %`, met: seen <= 0.05 };
    }),
    row("the same, by the best of the thread pools", "≤ 1", () => {
      const { series } = figuresOf(kept, "work");
      const pools = series.filter((/** @type {Series} */ one) => one.role === "peer" && one.absent === undefined);
      if (pools.length === 0) throw new Unmeasured("no pool is installed");
      const ratios = pools.map((/** @type {Series} */ pool) => ratio(find(series, OUR_WORK), pool, "ms"));
      const seen = Math.max(...ratios);
      // To the hundredth: two pools that wait for the same work are never further apart than that by merit.
      return { measured: `${times(seen)} (${pools[ratios.indexOf(seen)].name})`, met: Math.round(seen * 100) <= 100 };
    }),
  ];
}

/** @param {Kept} kept */
function growth(kept) {
  const rows = /** @type {const} */ ([
    ["workers", "10 → 10,000 workers"],
    ["waiting", "10 → 100,000 jobs waiting"],
    ["inFlight", "256 → 10,000 jobs in flight"],
    ["oneInFlight", "1 → 10,000 jobs in flight"],
  ]);
  return rows.map(([name, title]) =>
    row(`CPU of a job, ${title}, beyond the floor's growth`, "≤ 1.3", () => {
      const { ours, floor, beyond } = growthOf(figuresOf(kept, "growth").races[name]);
      const how = floor > 1 ? ` (${times(ours)}, and the floor ${times(floor)})` : "";
      return { measured: `${times(beyond)}${how}`, met: beyond <= 1.3 };
    }),
  );
}

/** @param {Kept} kept */
function retained(kept) {
  return Object.entries(PAIRS).map(([group, [ours = "", floor = ""]]) =>
    row(`${ours}: MiB held after 100,000 jobs, beyond the floor's`, "≤ 10", () => {
      const series = figuresOf(kept, "retained").races[group];
      const of = (/** @type {string} */ what) => typical(find(series, ours), what) - typical(find(series, floor), what);
      const [heap, rss] = [of("heap"), of("rss")];
      return { measured: `heap ${heap.toFixed(1)}, RSS ${rss.toFixed(1)}`, met: heap <= 10 && rss <= 10 };
    }),
  );
}

/** @param {Kept} kept */
function command(kept) {
  /** @type {() => import("./sections/command.js").Run[]} */
  const runs = () => figuresOf(kept, "command").runs;
  const most = () => Math.max(...runs().map(({ lines }) => lines));
  return [
    row("`powerhose run`, a million lines of a file: jobs/s", "≥ 200,000", () => {
      const seen = runs().filter(({ lines }) => lines === most());
      const measured = seen
        .map(({ name, rate }) => `${Math.round(rate).toLocaleString("en")} (\`${name}\`)`)
        .join(", ");
      const judged = most() < 1_000_000 ? ` of only ${most().toLocaleString("en")} lines` : "";
      // By the plain command: nobody should have to know of an option.
      return { measured: measured + judged, met: (seen[0]?.rate ?? 0) >= 200_000 };
    }),
    row("the same: peak memory of ten times the lines", "≤ 1.2", () => {
      const few = Math.min(...runs().map(({ lines }) => lines));
      const peaks = runs().filter(({ lines }) => lines === most());
      const ratios = peaks.map(({ name, peak }) => {
        const small = runs().find((one) => one.name === name && one.lines === few);
        return peak / (small?.peak ?? NaN);
      });
      const seen = Math.max(...ratios);
      const sizes = peaks.map(({ peak }) => `${peak.toFixed(0)} MiB`).join(", ");
      return { measured: `${times(seen)} (${sizes})`, met: seen <= 1.2 };
    }),
  ];
}

/** @param {Kept} kept */
function typedTasks(kept) {
  /** @type {(group: string, name: string) => Series} */
  const one = (group, name) => find(figuresOf(kept, "tasks").races[group], name);
  const cost = /** @type {const} */ ([
    ["memory", TASKS.taskInMemory, TASKS.jobInMemory],
    ["threads", TASKS.taskInThread, TASKS.jobInThread],
  ]);
  const rivals = [TASKS.piscina, TASKS.piscinaMany, TASKS.comlink];
  return [
    ...cost.map(([group, task, job]) =>
      row(`${task}: CPU by that of ${job}`, "≤ 2.5", () => {
        const seen = ratio(one(group, task), one(group, job), "cpu");
        return { measured: times(seen), met: seen <= 2.5 };
      }),
    ),
    ...rivals.map((rival) =>
      row(`${TASKS.taskInThread}: calls/s by ${rival}`, "≥ 5", () => {
        const seen = ratio(one("threads", TASKS.taskInThread), one("threads", rival), "rate");
        return { measured: times(seen), met: seen >= 5 };
      }),
    ),
    row("10,000 rows as a value: CPU by structured clone", "≤ 1.3", () => {
      const { cases } = figuresOf(kept, "values");
      const { ways } = cases.find((/** @type {{ case: string }} */ { case: name }) => name === "10,000 rows");
      /** @type {(name: string) => number[]} */
      const micros = (name) => ways.find((/** @type {{ name: string }} */ way) => way.name === name).micros;
      const clones = micros("structuredClone");
      const seen = median(micros("powerhose values").map((own, round) => own / (clones[round] ?? NaN)));
      return { measured: times(seen), met: seen <= 1.3 };
    }),
  ];
}

/**
 * @param {Kept} kept
 * @returns {Row[]}
 */
export function targets(kept) {
  return [
    faster(kept, "ws-16", OURS.ws, [FLOORS.wsBatched], 0.6),
    faster(kept, "ws-16", OURS.ws, [FLOORS.wsEach], 4),
    faster(kept, "ws-16", OURS.ws, [PEERS.zeromqTcp, PEERS.zeromqIpc], 6),
    faster(kept, "threads-16", OURS.threads, [FLOORS.batched], 0.6),
    faster(kept, "threads-16", OURS.threads, [PEERS.piscinaMany], 4),
    faster(kept, "threads-16", OURS.threadsDefault, [PEERS.piscina], 10),
    ...memory(kept),
    lone(kept, "ws-16", OURS.ws, FLOORS.wsEach, 1.15),
    lone(kept, "threads-16", OURS.threadsDefault, FLOORS.each, 1.15),
    nearFloor(kept, "memory-1k", OURS.memory, 0.6),
    nearFloor(kept, "threads-1k", OURS.threads, 0.6),
    nearFloor(kept, "ws-1k", OURS.ws, 0.6),
    nearFloor(kept, "memory-1m", OURS.memory, 0.9),
    nearFloor(kept, "threads-1m", OURS.threads, 0.9),
    nearFloor(kept, "ws-1m", OURS.ws, 0.9),
    ...work(kept),
    ...growth(kept),
    ...retained(kept),
    ...command(kept),
    ...typedTasks(kept),
  ];
}

/** @param {readonly Row[]} rows */
export function targetTable(rows) {
  const verdict = (/** @type {boolean | undefined} */ met) => (met === undefined ? "?" : met ? "yes" : "**no**");
  return table(
    ["", "wanted:", "measured:", "met"],
    rows.map(({ what, wanted, measured, met }) => [what, wanted, measured, verdict(met)]),
  );
}
