/** The echo races: what a job costs over each transport, beside the bare transport and beside what others do over it. */
import { GROUPS } from "../contestants/list.js";
import { ratio, spread, typical } from "../median.js";
import { SIZES } from "../payload.js";
import { race } from "../race.js";
import { percent, shortRate, shortTime, table, times } from "../table.js";
import { absences } from "./section.js";

/** @typedef {import("../race.js").Series} Series */

const TITLES = { memory: "One process", threads: "One worker thread", ws: "One worker process over WebSocket" };

/** @param {Series} one */
const nameOf = ({ name, role }) => (role === "powerhose" ? `**${name}**` : name);

/**
 * What a contestant is compared with: the floor it names, or at larger sizes the best of the floors that send as it does.
 * @param {Series} one
 * @param {readonly Series[]} series
 * @param {"rate" | "p50"} what
 * @returns {Series | undefined}
 */
export function floorOf(one, series, what) {
  const named = series.find(({ name }) => name === one.floor);
  if (named === undefined || what === "p50" || /one job|Channel/.test(named.name)) return named;
  const rivals = series.filter(
    ({ role, name, absent }) => role === "floor" && absent === undefined && !/one job/.test(name),
  );
  return rivals.reduce((best, rival) => (typical(rival, "rate") > typical(best, "rate") ? rival : best), named);
}

/**
 * @param {readonly Series[]} series
 * @param {number} bytes
 * @param {Series} one
 */
function cells(series, bytes, one) {
  const rateFloor = bytes <= 16 ? series.find(({ name }) => name === one.floor) : floorOf(one, series, "rate");
  const timeFloor = floorOf(one, series, "p50");
  return [
    nameOf(one),
    shortTime(typical(one, "p50")),
    shortTime(typical(one, "p99")),
    timeFloor === undefined ? "" : times(ratio(one, timeFloor, "p50")),
    shortRate(typical(one, "rate")),
    rateFloor === undefined ? "" : times(ratio(one, rateFloor, "rate")),
    shortTime(typical(one, "cpu")),
    percent(spread(one, "rate")),
    rateFloor?.name ?? "",
  ];
}

/**
 * @param {keyof typeof GROUPS} group
 * @param {import("../payload.js").Size} size
 * @returns {import("./section.js").Section}
 */
function echoSection(group, size) {
  const contestants = GROUPS[group].filter(
    ({ name, kinds = ["text", "bytes"] }) =>
      kinds.includes(size.kind) &&
      // Made for bytes; of a text it would only be a slower way.
      (size.kind === "bytes" || !/slab/.test(name)),
  );
  return {
    name: `${group}-${size.name}`,
    group,
    size: size.name,
    title: `${TITLES[group]}, ${size.title}`,
    about: `An echo of ${size.title} (${size.kind}) by one worker; ${size.inFlight} jobs in flight where the rate is measured.`,
    run: async ({ rounds, ms }) => ({
      bytes: size.bytes,
      inFlight: size.inFlight,
      series: await race(contestants, { measure: "echo", rounds, task: { ...size, ms } }),
    }),
    text({ bytes, inFlight, series }) {
      const head = ["", "lone job p50 µs:", "p99 µs:", "to floor:", `${inFlight} in flight, jobs/s:`, "to floor:"];
      const measured = series.filter((/** @type {Series} */ { absent }) => absent === undefined);
      return (
        table(
          [...head, "CPU µs a job:", "spread:", "floor"],
          measured.map((/** @type {Series} */ one) => cells(series, bytes, one)),
        ) + absences(series)
      );
    },
  };
}

/** @type {readonly import("./section.js").Section[]} */
export const echoSections = SIZES.flatMap((size) => [
  echoSection("memory", size),
  echoSection("threads", size),
  echoSection("ws", size),
]);
