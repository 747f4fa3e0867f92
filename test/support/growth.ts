/**
 * How the time of a function grows with its input: a ratio within one run, as no absolute time means anything here. It is
 * processor time, as the wall's depends on the machine's other work.
 */

/** The first measurement is this long, in ms, and each of the next ones twice as long: most functions need no second look. */
const SHORTEST = 0.2;
/** Of so many, the shortest counts: whatever disturbs a measurement makes it longer. */
const MEASUREMENTS = 5;
/** A neighbour on the machine can spoil a measurement, and never makes a quadratic function linear. */
const TRIES = 6;

function once(run: () => void, repeats: number): number {
  const start = process.cpuUsage();
  for (let i = 0; i < repeats; i++) run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1_000;
}

function measured(small: () => void, large: () => void, longEnough: number): number {
  let repeats = 1;
  while (once(small, repeats) < longEnough) repeats *= 2;
  let [short, long] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < MEASUREMENTS; i++) {
    short = Math.min(short, once(small, repeats));
    long = Math.min(long, once(large, repeats));
  }
  return long / short;
}

/**
 * How many times longer a function takes with twice the input: the smallest of a few tries, which ends with the first at
 * most `enough`. Each try takes another length, as caches and allocators have steps of their own.
 *
 * @param at - The function with its shortest input, doubled so many times.
 */
export function growthOf(at: (doublings: number) => () => void, enough: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && least > enough; tries++) {
    const doublings = tries % 3;
    least = Math.min(least, measured(at(doublings), at(doublings + 1), SHORTEST * 2 ** tries));
  }
  return least;
}
