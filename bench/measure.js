/** What is measured of one contestant, and how: the time of a lone job, and the rate with many in flight. */

/**
 * @typedef {object} Opened
 * @property {(text: string) => Promise<unknown>} echo - One job.
 * @property {() => Promise<unknown>} close - Gives everything back.
 */

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {string} [floor] - Whom it is compared with; floors have none.
 * @property {() => Promise<Opened>} open
 */

/**
 * @typedef {object} Sample
 * @property {number} p50 - A lone job, in µs.
 * @property {number} p99 - In µs.
 * @property {number} rate - Jobs a second with {@link IN_FLIGHT} in flight.
 * @property {number} cpu - Processor time a job takes meanwhile in this process, threads included, in µs.
 */

/** What every job carries, there and back. */
export const TEXT = "sixteen bytes ok";
/** How many jobs are in flight when the rate is measured. */
export const IN_FLIGHT = 256;

/**
 * @param {Opened["echo"]} echo
 * @param {number} ms - How long to measure.
 * @returns {Promise<{ p50: number, p99: number }>}
 */
export async function lone(echo, ms) {
  /** @type {number[]} */
  const times = [];
  const end = performance.now() + ms;
  for (let before = performance.now(); before < end;) {
    await echo(TEXT);
    const after = performance.now();
    times.push((after - before) * 1_000);
    before = after;
  }
  times.sort((a, b) => a - b);
  return { p50: times[Math.floor(times.length / 2)] ?? NaN, p99: times[Math.floor(times.length * 0.99)] ?? NaN };
}

/**
 * @param {Opened["echo"]} echo
 * @param {number} ms - How long to measure.
 * @returns {Promise<{ rate: number, cpu: number }>}
 */
export async function manyInFlight(echo, ms) {
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  let done = 0;
  let over = false;
  const loop = async () => {
    while (!over) {
      await echo(TEXT);
      // The clock is read now and then, by the loops themselves: a contestant that never lets go starves a timer.
      if (++done % IN_FLIGHT === 0) over = performance.now() - start >= ms;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  const rate = (done / (performance.now() - start)) * 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { rate, cpu: (user + system) / done };
}

/**
 * One round of one contestant.
 * @param {Opened} opened
 * @param {number} ms - How long each measurement takes.
 * @returns {Promise<Sample>}
 */
export async function sample({ echo }, ms) {
  const answer = await echo(TEXT);
  if (answer !== TEXT) throw new Error(`expected the echo of ${TEXT}, got ${String(answer)}`);
  await manyInFlight(echo, ms / 4);
  const many = await manyInFlight(echo, ms);
  await lone(echo, ms / 8);
  return { ...(await lone(echo, ms / 2)), ...many };
}
