/** One chart over time: two lines, and in its caption their newest values or those under the pointer. uPlot draws it. */
import uPlot from "uplot";
import { make, write } from "./element.ts";

/** What a chart shows. */
export interface ChartOptions {
  /** Its heading. */
  readonly title: string;
  /** What its lines are called. */
  readonly lines: readonly [string, string];
  /** A value as text. */
  readonly format: (value: number) => string;
  /** Whether its values span so much that only their order of magnitude fits. */
  readonly logarithmic?: boolean;
}

/** The columns of a chart: seconds since the epoch, and a value for each line; null where there is none. */
export type ChartData = [number[], (number | null)[], (number | null)[]];

const HEIGHT_PX = 176;
const SECOND_MS = 1_000;
/** Pixels between two times on the axis, at least. */
const MIN_TIME_SPACE_PX = 76;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axis(): uPlot.Axis {
  const rule = { stroke: colour("--line"), width: 1 };
  return { stroke: colour("--soft"), grid: rule, ticks: { ...rule, size: 4 }, font: "12px system-ui, sans-serif" };
}

/** The shortest span that is shown: the first seconds would be stretched over the whole chart. */
const MIN_SPAN_SECONDS = 60;
const WHOLE_STEPS = [1, 2, 5].flatMap((step) => Array.from({ length: 9 }, (_, power) => step * 10 ** power));

function timeRange(_plot: uPlot, min: number | null, max: number | null): [number, number] {
  const end = max ?? Date.now() / SECOND_MS;
  return [Math.min(min ?? end, end - MIN_SPAN_SECONDS), end];
}

/** The points without a neighbour, which would be lines of no length. */
function lonePoints(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const isThere = (at: number): boolean => typeof values[at] === "number";
  const found: number[] = [];
  for (let at = 0; at < values.length; at++) {
    if (isThere(at) && !isThere(at - 1) && !isThere(at + 1)) found.push(at);
  }
  return found;
}

/** Times of the day, in 24 hours whatever the country: they are as wide as each other. */
function times(_plot: uPlot, splits: number[]): string[] {
  return splits.map((seconds) => new Date(seconds * SECOND_MS).toLocaleTimeString("en-GB"));
}

/** Nothing between the powers of ten. */
function powersOfTen(_plot: uPlot, _axis: number, min: number, max: number): number[] {
  const splits: number[] = [];
  for (let power = Math.ceil(Math.log10(min)); power <= Math.log10(max); power++) splits.push(10 ** power);
  return splits;
}

function line(name: string, fill: boolean): uPlot.Series {
  const stroke = colour(name);
  return {
    stroke,
    width: 1.75,
    points: { show: true, size: 4, fill: stroke, filter: lonePoints },
    spanGaps: false,
    ...(fill ? { fill: `${stroke}1c` } : {}),
  };
}

/** A chart and its caption. */
export class Chart {
  /** To be put into the document. */
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #values: readonly [HTMLElement, HTMLElement];
  readonly #place: HTMLElement = make("div", "plot");
  #plot: uPlot | undefined;
  #data: ChartData = [[], [], []];

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#values = [make("b"), make("b")];
    const [first, second] = options.lines;
    const caption = make(
      "figcaption",
      "",
      make("strong", "", options.title),
      make("span", "key", `${first} `, this.#values[0]),
      make("span", "key second", `${second} `, this.#values[1]),
    );
    this.element = make("figure", "", caption, this.#place);
    // The caption has the values as text.
    this.#place.setAttribute("aria-hidden", "true");
    new ResizeObserver(() => this.#fit()).observe(this.#place);
  }

  /** Draws it anew: the colours may have changed. */
  redraw(): void {
    this.#plot?.destroy();
    const width = this.#place.clientWidth;
    this.#plot = width === 0 ? undefined : new uPlot(this.#settings(width), this.#data, this.#place);
  }

  /** Shows other values. */
  show(data: ChartData): void {
    const [[first], ...lines] = data;
    // uPlot would stretch a single second to a day: an empty one goes before it.
    const isLone = first !== undefined && data[0].length === 1;
    this.#data = isLone
      ? [
          [first - 1, first],
          [null, ...lines[0]],
          [null, ...lines[1]],
        ]
      : data;
    if (this.#plot === undefined) this.redraw();
    else this.#plot.setData(data);
    this.#writeValues();
  }

  #fit(): void {
    const width = this.#place.clientWidth;
    if (width === 0) return;
    if (this.#plot === undefined) this.redraw();
    else this.#plot.setSize({ width, height: HEIGHT_PX });
  }

  #settings(width: number): uPlot.Options {
    const { logarithmic = false, format } = this.#options;
    const values = (_plot: uPlot, splits: (number | null)[]): string[] =>
      splits.map((value) => (value === null ? "" : logarithmic ? format(value) : value.toLocaleString("en-US")));
    return {
      width,
      height: HEIGHT_PX,
      padding: [6, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: timeRange },
        y: logarithmic ? { distr: 3 } : { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.1)] },
      },
      axes: [
        { ...axis(), values: times, space: MIN_TIME_SPACE_PX, size: 30 },
        {
          ...axis(),
          size: logarithmic ? 76 : 58,
          values,
          ...(logarithmic ? { splits: powersOfTen } : { incrs: WHOLE_STEPS.toSorted((a, b) => a - b) }),
        },
      ],
      series: [{}, line("--first", !logarithmic), line("--second", false)],
      hooks: { setCursor: [() => this.#writeValues()] },
    };
  }

  /** Under the pointer, else the newest. */
  #writeValues(): void {
    const at = this.#plot?.cursor.idx ?? this.#data[0].length - 1;
    this.#values.forEach((element, index) => {
      const value = this.#data[index + 1]?.[at] ?? null;
      write(element, value === null ? "–" : this.#options.format(value));
    });
  }
}
