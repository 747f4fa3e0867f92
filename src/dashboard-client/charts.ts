/** The charts: queue, throughput, latency over the seconds that are kept. How one is drawn is chart.ts. */
import type { Sample, Welcome } from "../dashboard/protocol.ts";
import { grouped, showDuration, threeDigits } from "../dashboard/format.ts";
import { Chart, type ChartData } from "./chart.ts";

/** What a line shows of a second. */
type Value = (sample: Sample) => number | null;

const SECOND = 1_000;

/** All charts. */
export class Charts {
  readonly #charts: readonly (readonly [Chart, Value, Value])[] = [
    [new Chart({ title: "Queue", lines: ["waiting", "running"], format: grouped }), (s) => s.queued, (s) => s.running],
    [
      new Chart({ title: "Jobs a second", lines: ["done", "failed"], format: threeDigits }),
      (s) => s.done,
      (s) => s.failed,
    ],
    [
      new Chart({ title: "Latency", lines: ["p50", "p99"], format: showDuration, logarithmic: true }),
      (s) => s.p50,
      (s) => s.p99,
    ],
  ];
  #samples: Sample[] = [];
  #kept = 0;
  /** What to add to a sample's time to have the browser's. */
  #offset = 0;

  /** Puts them into the page, and keeps them in the colours of the theme. */
  constructor(place: HTMLElement) {
    for (const [chart] of this.#charts) place.append(chart.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const [chart] of this.#charts) chart.redraw();
    });
  }

  /** Begins anew, with what was kept elsewhere. */
  begin({ samples, history }: Welcome): void {
    this.#samples = [...samples];
    this.#kept = history;
    const newest = samples.at(-1);
    if (newest !== undefined) this.#offset = Date.now() - newest.at;
    if (newest !== undefined) this.#show();
  }

  /** A second has passed. */
  add(sample: Sample): void {
    this.#offset = Date.now() - sample.at;
    this.#samples.push(sample);
    if (this.#samples.length > this.#kept) this.#samples.shift();
    this.#show();
  }

  /** Where a moment of the listener's is on the browser's clock, in ms since the epoch. */
  timeOf(at: number): number {
    return at + this.#offset;
  }

  #show(): void {
    const times = this.#samples.map(({ at }) => this.timeOf(at) / SECOND);
    for (const [chart, first, second] of this.#charts) {
      const data: ChartData = [times, this.#samples.map(first), this.#samples.map(second)];
      chart.show(data);
    }
  }
}
