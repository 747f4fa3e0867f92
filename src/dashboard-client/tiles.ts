/** The newest numbers, large. */
import type { Snapshot } from "../dashboard/protocol.ts";
import { grouped, showDuration, threeDigits } from "../dashboard/format.ts";
import { make, write } from "./element.ts";

/** A number and what stands small behind it. */
type Reading = readonly [string, string];

function latency(ms: number | null): string {
  return ms === null ? "–" : showDuration(ms);
}

const TILES: readonly (readonly [string, (snapshot: Snapshot) => Reading])[] = [
  ["Waiting", ({ sample, backoff }) => [grouped(sample.queued), backoff > 0 ? `+ ${grouped(backoff)} in backoff` : ""]],
  ["Running", ({ sample, capacity }) => [grouped(sample.running), `of ${grouped(capacity)}`]],
  ["Throughput", ({ sample }) => [threeDigits(sample.done), "a second"]],
  ["Latency, p50", ({ sample }) => [latency(sample.p50), ""]],
  ["Latency, p99", ({ sample }) => [latency(sample.p99), ""]],
  ["Done", ({ succeeded }) => [grouped(succeeded), ""]],
  ["Failed", ({ failed, retries }) => [grouped(failed), retries > 0 ? `${grouped(retries)} retried` : ""]],
];

/** The row of tiles. */
export class Tiles {
  readonly #readings: readonly (readonly [Text, HTMLElement, (snapshot: Snapshot) => Reading])[];

  /** Puts them into a `dl`. */
  constructor(place: HTMLElement) {
    this.#readings = TILES.map(([name, read]) => {
      const number = document.createTextNode("–");
      const extra = make("small");
      place.append(make("div", "", make("dt", "", name), make("dd", "", number, " ", extra)));
      return [number, extra, read];
    });
  }

  /** Shows a snapshot. */
  show(snapshot: Snapshot): void {
    for (const [number, extra, read] of this.#readings) {
      const [value, small] = read(snapshot);
      if (number.data !== value) number.data = value;
      write(extra, small);
    }
  }
}
