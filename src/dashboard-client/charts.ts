/** The charts: queue, throughput and latency over the seconds that are kept. See chart.ts for how one is drawn. */
import type { Sample, Welcome } from "../dashboard/protocol.ts";
import { grouped, showDuration, threeDigits } from "../dashboard/format.ts";
import { Chart, type ChartData } from "./chart.ts";

/** What a line shows of a second. */
type Value = (sample: Sample) => number | null;

const SECOND_MS = 1_000;

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
  /** Difference of the browser's clock to the samples' times, in ms. */
  #offset = 0;

  /** Puts the charts into `place`, and keeps them in the colours of the theme. */
  constructor(place: HTMLElement) {
    for (const [chart] of this.#charts) place.append(chart.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      for (const [chart] of this.#charts) chart.redraw();
    });
  }

  /** Starts over with the samples of the listener. */
  begin({ samples, history }: Welcome): void {
    this.#samples = [...samples];
    this.#kept = history;
    const newest = samples.at(-1);
    if (newest !== undefined) this.#offset = Date.now() - newest.at;
    if (newest !== undefined) this.#show();
  }

  /** Adds the sample of a second. */
  add(sample: Sample): void {
    this.#offset = Date.now() - sample.at;
    this.#samples.push(sample);
    if (this.#samples.length > this.#kept) this.#samples.shift();
    this.#show();
  }

  /** Turns a sample's time into one of the browser's clock, in ms since the epoch. */
  timeOf(at: number): number {
    return at + this.#offset;
  }

  #show(): void {
    const times = this.#samples.map(({ at }) => this.timeOf(at) / SECOND_MS);
    for (const [chart, first, second] of this.#charts) {
      const data: ChartData = [times, this.#samples.map(first), this.#samples.map(second)];
      chart.show(data);
    }
  }
}
