/** Where the time of a job goes: shares of the runner's main thread, by part of the library. */
import { GROUPS, OURS } from "../contestants/list.js";
import { PART } from "../measures.js";
import { median, typical } from "../median.js";
import { race } from "../race.js";
import { percent, table } from "../table.js";

/** @typedef {import("../race.js").Series} Series */

/** Who is looked into: memory has both ends of a job in one thread, the others the runner's. */
const NAMES = [OURS.memory, OURS.threads, OURS.ws];

/** @type {import("./section.js").Section} */
export const profile = {
  name: "profile",
  group: "profile",
  title: "Where the time goes",
  about:
    "Samples of the runner's main thread, 16 bytes, 256 in flight: the share of the time in which it did anything. In memory that is both ends, runner and worker; else the runner's.",
  rounds: ({ rounds }) => Math.min(rounds, 3),
  run: async ({ rounds, ms }) => ({
    series: await race(
      Object.values(GROUPS)
        .flat()
        .filter(({ name }) => NAMES.includes(name)),
      { measure: "profile", rounds, task: { kind: "text", bytes: 16, inFlight: 256, ms } },
    ),
  }),
  text({ series }) {
    const shareOf = (/** @type {Series} */ { values }, /** @type {string} */ part) => {
      const shares = values[part] ?? [];
      // A part without a sample in some round is not in that round's list.
      return median([...shares, ...Array(Math.max(0, (values["rate"]?.length ?? 0) - shares.length)).fill(0)]);
    };
    const all = series.flatMap((/** @type {Series} */ { values }) => Object.keys(values));
    const parts = [...new Set(/** @type {string[]} */ (all))]
      .filter((name) => name.startsWith(PART))
      .map((part) => ({ part, shares: series.map((/** @type {Series} */ one) => shareOf(one, part)) }))
      .filter(({ shares }) => Math.max(...shares) >= 0.005)
      .sort((a, b) => Math.max(...b.shares) - Math.max(...a.shares));
    return table(
      ["", ...series.map((/** @type {Series} */ { name }) => `${name}:`)],
      [
        ...parts.map(({ part, shares }) => [part.slice(PART.length), ...shares.map(percent)]),
        [
          "CPU µs a job, all threads of the process",
          ...series.map((/** @type {Series} */ one) => typical(one, "cpu").toFixed(2)),
        ],
      ],
    );
  },
};
