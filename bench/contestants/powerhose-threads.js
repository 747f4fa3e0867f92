/** A JobRunner with one worker thread, that is given many jobs at a time or, by default, one. */
import { JobRunner } from "powerhose";
import { threads } from "powerhose/threads";

/** @param {number} capacity */
async function open(capacity) {
  const listen = threads(new URL("./echo.js", import.meta.url), { size: 1, capacity });
  const runner = new JobRunner({ listen, acquireTimeout: 30_000 });
  await runner.start();
  return { echo: (text) => runner.execute(text), close: () => runner.stop() };
}

/** @type {import("../measure.js").Contestant} */
export const powerhoseThreads = {
  name: "powerhose, a thread of capacity 256",
  floor: "postMessage, one message a turn",
  open: () => open(256),
};

/** @type {import("../measure.js").Contestant} */
export const powerhoseThreadsDefault = {
  name: "powerhose, a thread of capacity 1 (default)",
  floor: "postMessage, one job in flight",
  open: () => open(1),
};
