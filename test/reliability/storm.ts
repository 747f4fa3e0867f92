/** The mixed storm: every kind of worker at once, every kind of fault, and an independent ledger. */
import { findChromium, startChromium, WITHOUT_CHROMIUM } from "../support/chromium-program.ts";
import type { Findings, Scale, Section } from "./section.ts";
import type { ByScale } from "./chaos/row.ts";
import { storm as runStorm } from "./storm/run.ts";

/** How long, in seconds; `POWERHOSE_STORM_SECONDS` sets another length. */
const SECONDS: ByScale<number> = { test: 18, quick: 40, full: 600 };

/** The length of a storm of a scale, in seconds. */
export function stormSeconds(scale: Scale): number {
  const given = process.env["POWERHOSE_STORM_SECONDS"];
  const seconds = given === undefined ? SECONDS[scale] : Number(given);
  if (!(seconds > 0)) throw new RangeError(`POWERHOSE_STORM_SECONDS: expected seconds, got ${given}`);
  return seconds;
}

/** The section of the report. */
export const storm: Section = {
  name: "storm",
  title: "A mixed storm with an independent ledger",
  about:
    "One runner has everything at once: threads, two `powerhose work` hosts, a tab in Chromium, and a broker whose fleet is a thread " +
    "and another host, two relays away. Processes are killed, stopped and continued, the caller's own included; links are cut and " +
    "half-opened; the page is reloaded and crashed; handlers exit, spin, hang, fail and ask for another attempt; callers abort. Each " +
    "handler writes down its start before anything else, where no runner has a hand in it. In the end that ledger is compared with " +
    "what each caller saw: job ids, attempt numbers, places, results and the list of attempts.",
  async run(scale, say): Promise<Findings> {
    const path = findChromium();
    if (path === undefined) throw new Error(WITHOUT_CHROMIUM);
    const browser = await startChromium(path);
    try {
      return await runStorm({ seconds: stormSeconds(scale), browser, say });
    } finally {
      await browser.close();
    }
  },
};
