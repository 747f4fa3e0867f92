/**
 * A line chart as a small SVG file, written by hand: two axes, a line for each series with its name at its end. It brings
 * its own background and its own colours for light and dark, so that it can be read on any page.
 */

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {readonly (readonly [x: number, y: number])[]} points
 * @property {boolean} [dashed] - For what is there to compare with.
 */

/**
 * @typedef {object} Axis
 * @property {string} label
 * @property {(value: number) => string} text - A tick's label.
 * @property {readonly number[]} [ticks] - Where; by default at the powers of ten.
 */

/** @typedef {{ title: string, x: Axis, y: Axis, lines: readonly Line[] }} Chart */

const WIDTH = 760;
const HEIGHT = 400;
const PLOT = { left: 70, right: 540, top: 44, bottom: 340 };
/** Apart from each other for the colour-blind too, and from both backgrounds. */
const COLOURS = ["#2f81f7", "#e8590c", "#2da44e", "#bf4b8a", "#8957e5", "#9a6700", "#768390"];
const STYLE = `
.back{fill:#fff}.grid{stroke:#d8dee4}.text{fill:#24292f}.soft{fill:#57606a}
@media(prefers-color-scheme:dark){.back{fill:#161b22}.grid{stroke:#30363d}.text{fill:#e6edf3}.soft{fill:#9ea7b3}}
text{font:13px system-ui,sans-serif}.title{font-weight:600;font-size:15px}.line{fill:none;stroke-width:2}`;

/** @param {string} text */
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** @param {number} value */
const short = (value) => Number(value.toFixed(1));

/**
 * A logarithmic axis.
 * @param {readonly number[]} values
 * @param {number} from
 * @param {number} to - In pixels.
 */
function scale(values, from, to) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const span = Math.log(high / low) || 1;
  return { low, high, at: (/** @type {number} */ value) => short(from + ((to - from) * Math.log(value / low)) / span) };
}

/** @param {{ low: number, high: number }} range */
function powersOfTen({ low, high }) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => 10 ** (first + index));
}

/**
 * Where the names stand: beside the ends of their lines, and below each other where those are close.
 * @param {readonly number[]} ends
 */
function apart(ends) {
  const order = ends.map((y, index) => ({ y, index })).toSorted((a, b) => a.y - b.y);
  let free = PLOT.top;
  for (const one of order) {
    one.y = Math.max(one.y, free);
    free = one.y + 18;
  }
  return order.toSorted((a, b) => a.index - b.index).map(({ y }) => y);
}

/**
 * @param {Chart} chart - Both axes are logarithmic: no value may be 0 or less.
 * @returns {string}
 */
export function lineChart({ title, x, y, lines }) {
  const points = lines.flatMap((line) => line.points);
  const ys = points.map((point) => point[1]);
  const across = scale([...points.map((point) => point[0]), ...(x.ticks ?? [])], PLOT.left + 12, PLOT.right - 12);
  // To the next power of ten below and above, so that the grid ends where the plot does.
  const bounds = [10 ** Math.floor(Math.log10(Math.min(...ys))), 10 ** Math.ceil(Math.log10(Math.max(...ys)))];
  const up = scale([...ys, ...(y.ticks ?? bounds)], PLOT.bottom, PLOT.top);
  const marks = [];
  for (const value of y.ticks ?? powersOfTen(up)) {
    const at = up.at(value);
    marks.push(`<path class="grid" d="M${PLOT.left} ${at}H${PLOT.right}"/>`);
    marks.push(
      `<text class="soft" x="${PLOT.left - 8}" y="${at + 4}" text-anchor="end">${escaped(y.text(value))}</text>`,
    );
  }
  for (const value of x.ticks ?? powersOfTen(across)) {
    const at = across.at(value);
    marks.push(`<path class="grid" d="M${at} ${PLOT.top}V${PLOT.bottom}"/>`);
    marks.push(
      `<text class="soft" x="${at}" y="${PLOT.bottom + 20}" text-anchor="middle">${escaped(x.text(value))}</text>`,
    );
  }
  const names = apart(lines.map((line) => up.at(line.points.at(-1)?.[1] ?? up.low)));
  lines.forEach((line, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = line.points.map(([a, b]) => `${across.at(a)} ${up.at(b)}`).join("L");
    const dashes = line.dashed === true ? ` stroke-dasharray="5 4"` : "";
    marks.push(`<path class="line" stroke="${colour}"${dashes} d="M${path}"/>`);
    if (line.dashed !== true)
      for (const [a, b] of line.points)
        marks.push(`<circle cx="${across.at(a)}" cy="${up.at(b)}" r="3" fill="${colour}"/>`);
    const label = names[index] ?? 0;
    marks.push(`<path class="line" stroke="${colour}"${dashes} d="M${PLOT.right + 8} ${label}h18"/>`);
    marks.push(`<text class="text" x="${PLOT.right + 32}" y="${label + 4}">${escaped(line.name)}</text>`);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="back" width="${WIDTH}" height="${HEIGHT}" rx="8"/>`,
    `<text class="text title" x="20" y="26">${escaped(title)}</text>`,
    ...marks,
    `<text class="soft" x="${(PLOT.left + PLOT.right) / 2}" y="${PLOT.bottom + 44}" text-anchor="middle">${escaped(x.label)}</text>`,
    `<text class="soft" transform="translate(18 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(y.label)}</text>`,
    "</svg>\n",
  ].join("\n");
}
