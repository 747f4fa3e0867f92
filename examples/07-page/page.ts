// The page: a runner, its Web Workers, and an object with the functions.
import { JobRunner } from "powerhose";
import { client } from "powerhose/tasks";
import { webWorkers } from "powerhose/web-workers";
import type mandelbrot from "./mandelbrot.ts";

const canvas = document.querySelector("canvas");
const context = canvas?.getContext("2d");
if (!canvas || !context) throw new Error("no canvas");
const { width, height } = canvas;

await using runner = new JobRunner({
  listen: webWorkers(() => new Worker(new URL("./mandelbrot-worker.ts", import.meta.url), { type: "module" })),
});
await runner.start();
const api = client<typeof mandelbrot>(runner);

// One that crashes is replaced, and its row is drawn by another.
const rows = Array.from({ length: height }, (_, y) => ({ y, width, height }));
let points = 0;
for await (const outcome of api.row.map(rows)) {
  if (!outcome.ok) throw outcome.error;
  const { y, pixels, inside } = outcome.value;
  context.putImageData(new ImageData(pixels, width, 1), 0, y);
  points += inside;
}
await fetch(`/done?rows=${height}&inside=${points}`);
