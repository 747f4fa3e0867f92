/** The numbers of this moment, large. */
import type { Snapshot } from "../dashboard/protocol.ts";
import { make, write } from "./element.ts";
import { latency, rate, whole } from "./figures.ts";

/** A number and what stands small behind it. */
type Reading = readonly [string, string];

const TILES: readonly (readonly [string, (moment: Snapshot) => Reading])[] = [
  ["Waiting", ({ sample, backoff }) => [whole(sample.queued), backoff > 0 ? `+ ${whole(backoff)} in backoff` : ""]],
  ["Running", ({ sample, capacity }) => [whole(sample.running), `of ${whole(capacity)}`]],
  ["Throughput", ({ sample }) => [rate(sample.done), "a second"]],
  ["Latency, p50", ({ sample }) => [latency(sample.p50), ""]],
  ["Latency, p99", ({ sample }) => [latency(sample.p99), ""]],
  ["Done", ({ succeeded }) => [whole(succeeded), ""]],
  ["Failed", ({ failed, retries }) => [whole(failed), retries > 0 ? `${whole(retries)} retried` : ""]],
];

/** The row of tiles. */
export class Tiles {
  readonly #readings: readonly (readonly [Text, HTMLElement, (moment: Snapshot) => Reading])[];

  /** Puts them into a `dl`. */
  constructor(place: HTMLElement) {
    this.#readings = TILES.map(([name, read]) => {
      const number = document.createTextNode("–");
      const extra = make("small");
      place.append(make("div", "", make("dt", "", name), make("dd", "", number, " ", extra)));
      return [number, extra, read];
    });
  }

  /** Shows a moment. */
  show(moment: Snapshot): void {
    for (const [number, extra, read] of this.#readings) {
      const [value, small] = read(moment);
      if (number.data !== value) number.data = value;
      write(extra, small);
    }
  }
}
