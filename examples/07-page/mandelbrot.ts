// The functions: plain TypeScript, with whatever it imports.
import { tasks } from "powerhose/tasks";

const DEPTH = 400;

/** A row of the picture. */
export interface Row {
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** How long a point takes to escape, 0 to 400. */
function escapeTime(re: number, im: number): number {
  let [x, y] = [0, 0];
  let steps = 0;
  for (; steps < DEPTH && x * x + y * y <= 4; steps++) [x, y] = [x * x - y * y + re, 2 * x * y + im];
  return steps;
}

const mandelbrot = tasks({
  /** The pixels of a row, 4 bytes each, and how many of its points do not escape. */
  row({ y, width, height }: Row) {
    const pixels = new Uint8ClampedArray(4 * width);
    let inside = 0;
    for (let x = 0; x < width; x++) {
      const steps = escapeTime((3 * x) / width - 2.25, (2.4 * y) / height - 1.2);
      if (steps === DEPTH) inside++;
      const light = steps === DEPTH ? 0 : 255 - Math.min(255, 6 * steps);
      pixels.set([light, light, 255 - light / 4, 255], 4 * x);
    }
    return { y, pixels, inside };
  },
});
export default mandelbrot;
