/** Measures contestants in turns, round after round, so that a busy moment of the machine hits them alike. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {string} [group] - The table it is in.
 * @property {"floor" | "powerhose" | "peer"} role
 * @property {string} [floor] - Whom it is compared with.
 * @property {string} module - What opens it, relative to this folder.
 * @property {object} [options] - For its `open`.
 * @property {Partial<import("./measures.js").Task>} [task] - What it is asked to do differently.
 * @property {readonly ("text" | "bytes")[]} [kinds] - What it can carry; default both.
 */

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {"floor" | "powerhose" | "peer"} role
 * @property {string} [floor]
 * @property {string} [absent] - Why it was not measured.
 * @property {Record<string, number[]>} values - By what was measured, one of each round.
 */

/**
 * @typedef {object} Terms
 * @property {string} measure - One of measures.js.
 * @property {number} rounds
 * @property {Partial<import("./measures.js").Task>} task
 * @property {readonly string[]} [execArgv] - Node's options for the contestants' processes.
 * @property {boolean} [cold] - Measure from the first round on; else one round warms up and is thrown away.
 */

/** How long a contestant may take to open, or for one measurement. Far beyond what any takes: only a hang ends in it. */
const LIMIT = 180_000;

class Entrant {
  #child;
  #name;

  /**
   * @param {Contestant} contestant
   * @param {readonly string[]} execArgv
   */
  constructor({ name, module, options }, execArgv) {
    this.#name = name;
    const asked = JSON.stringify({ module, options });
    this.#child = fork(fileURLToPath(new URL("./entrant.js", import.meta.url)), [asked], { execArgv: [...execArgv] });
  }

  /** @returns {Promise<{ ready?: true, absent?: string, sample?: Record<string, number> }>} what it says next */
  async answer() {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(LIMIT)]);
    const ended = once(this.#child, "exit", { signal }).then(([code]) => [{ failed: `its process ended (${code})` }]);
    try {
      const [message] = await Promise.race([once(this.#child, "message", { signal }), ended]);
      if (message.failed !== undefined) throw new Error(message.failed);
      return message;
    } catch (error) {
      throw new Error(`${this.#name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    } finally {
      stop.abort();
      ended.catch(() => undefined);
    }
  }

  /**
   * @param {string} measure
   * @param {object} task
   */
  async measure(measure, task) {
    const answered = this.answer();
    this.#child.send({ measure, task });
    return (await answered).sample ?? {};
  }

  async close() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    // Some peers do not end by themselves; they had their time.
    const late = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    if (this.#child.connected) this.#child.send({});
    await ended;
    clearTimeout(late);
  }
}

/**
 * @param {readonly Contestant[]} contestants
 * @param {Terms} terms
 * @returns {Promise<Series[]>} one for each contestant, in their order
 */
export async function race(contestants, { measure, rounds, task, execArgv = [], cold = false }) {
  const running = contestants.map((contestant) => ({
    contestant,
    entrant: new Entrant(contestant, execArgv),
    /** @type {Series} */
    series: { name: contestant.name, role: contestant.role, floor: contestant.floor, values: {} },
  }));
  try {
    const opened = await Promise.all(running.map(({ entrant }) => entrant.answer()));
    opened.forEach(({ absent }, index) => {
      const one = running[index];
      if (absent !== undefined && one !== undefined) one.series.absent = absent;
    });
    for (let round = cold ? 1 : 0; round <= rounds; round++) {
      for (const { contestant, entrant, series } of running) {
        if (series.absent !== undefined) continue;
        const sample = await entrant.measure(measure, { ...task, ...contestant.task });
        if (round === 0) continue;
        for (const [what, value] of Object.entries(sample)) (series.values[what] ??= []).push(value);
      }
    }
  } finally {
    await Promise.all(running.map(({ entrant }) => entrant.close()));
  }
  return running.map(({ series }) => series);
}
