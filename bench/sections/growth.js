/** Whether a job costs more when there is more of everything: workers, waiting jobs, jobs in flight. */
import { ratio, typical } from "../median.js";
import { race } from "../race.js";
import { shortTime, table, times } from "../table.js";

/** @typedef {import("../race.js").Series} Series */

/** @typedef {{ name: string, title: string, small: number, large: number, task: (size: number) => { inFlight: number }, ours: (size: number) => object, floor?: () => object }} Race */

/**
 * Each by the processor time of a job, in memory, where nothing else is in the way; small and large differ in one thing.
 * The floor does the same as barely as it can be done. It grows too: what lies further apart in memory is reached more
 * slowly, and a promise that waits through a collection is copied by it. What a job runner adds to that is its own.
 *
 * - Workers: ten jobs in flight, so that a frame holds one job on either side, whoever has it. Heartbeats are rare: they
 *   are not the jobs'. There is no floor: with as many bare channels the event loop looks at each of them in every turn,
 *   and a job costs twenty times as much.
 * - Waiting: one worker of capacity 256 that always has all it can take, and so many jobs behind. The floor is a channel
 *   that is given 256 at a time, and a plain queue before it.
 * - In flight: one worker that takes all. From 256 on, since with fewer the batches are not full: one job alone pays for a
 *   whole turn of the event loop, and is shown beside it for that.
 */
/** @type {readonly Race[]} */
const RACES = [
  {
    name: "workers",
    title: "10 → 10,000 workers, 10 jobs in flight",
    small: 10,
    large: 10_000,
    task: () => ({ inFlight: 10 }),
    ours: (workers) => ({ capacity: 1, workers, runner: { heartbeat: 60_000 } }),
  },
  {
    name: "waiting",
    title: "10 → 100,000 jobs waiting",
    small: 10,
    large: 100_000,
    task: (waiting) => ({ inFlight: 256 + waiting }),
    ours: () => ({ capacity: 256, runner: { maxQueue: 200_000 } }),
    floor: () => ({ atOnce: 256 }),
  },
  {
    name: "inFlight",
    title: "256 → 10,000 jobs in flight",
    small: 256,
    large: 10_000,
    task: (inFlight) => ({ inFlight }),
    ours: () => ({ capacity: 10_000 }),
    floor: () => ({}),
  },
  {
    name: "oneInFlight",
    title: "1 → 10,000 jobs in flight",
    small: 1,
    large: 10_000,
    task: (inFlight) => ({ inFlight }),
    ours: () => ({ capacity: 10_000 }),
    floor: () => ({}),
  },
];

/** @param {Race} one */
function contestantsOf({ small, large, task, ours, floor }) {
  const ourRole = /** @type {const} */ ("powerhose");
  const floorRole = /** @type {const} */ ("floor");
  return [small, large].flatMap((size) => [
    {
      name: `powerhose ${size}`,
      role: ourRole,
      module: "./contestants/powerhose-memory.js",
      options: ours(size),
      task: task(size),
    },
    ...(floor === undefined
      ? []
      : [
          {
            name: `floor ${size}`,
            role: floorRole,
            module: "./contestants/message-channel.js",
            options: floor(),
            task: task(size),
          },
        ]),
  ]);
}

/**
 * @param {readonly Series[]} series - As {@link contestantsOf} lists them.
 * @returns {{ ours: number, floor: number, beyond: number }} how many times as much a job costs at the larger size; and
 * beyond what the floor grows by, if it grows
 */
export function growthOf(series) {
  const [small, large] = series.filter(({ role }) => role === "powerhose");
  const [smallFloor, largeFloor] = series.filter(({ role }) => role === "floor");
  const ours = small && large ? ratio(large, small, "cpu") : NaN;
  const floor = smallFloor && largeFloor ? ratio(largeFloor, smallFloor, "cpu") : NaN;
  return { ours, floor, beyond: floor > 1 ? ours / floor : ours };
}

/** @type {import("./section.js").Section} */
export const growth = {
  name: "growth",
  group: "growth",
  title: "More of everything",
  about:
    "Processor time a job, in µs, in memory, an echo of 16 bytes. The floor does the same with a bare message channel: as much waiting, as much in flight.",
  async run({ rounds, ms, quick }) {
    /** @type {Record<string, readonly Series[]>} */
    const races = {};
    for (const one of RACES) {
      const task = { kind: /** @type {const} */ ("text"), bytes: 16, ms, warmUp: quick ? 20_000 : 120_000 };
      races[one.name] = await race(contestantsOf(one), { measure: "rate", rounds, task });
    }
    return { races };
  },
  text({ races }) {
    const rows = RACES.filter(({ name }) => races[name] !== undefined).map(({ name, title }) => {
      const { ours, floor, beyond } = growthOf(races[name]);
      const costs = (/** @type {string} */ who) => {
        const [small, large] = races[name].filter((/** @type {Series} */ { role }) => role === who);
        return [small, large].map((one) => (one === undefined ? "" : shortTime(typical(one, "cpu"))));
      };
      return [title, ...costs("powerhose"), times(ours), ...costs("floor"), times(floor), times(beyond)];
    });
    return table(
      ["", "powerhose:", "larger:", "growth:", "floor:", "larger:", "growth:", "growth beyond the floor's:"],
      rows,
    );
  },
};
