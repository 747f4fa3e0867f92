/**
 * Measures one group and sends its samples to whoever forked this process. A process of its own for each group: code that
 * the compiler has seen with three transports is slower than with the one an application uses.
 */
import { GROUPS } from "./contestants/groups.js";
import { sample } from "./measure.js";

const [group = "", rounds = "", ms = ""] = process.argv.slice(2);
process.on("disconnect", () => process.exit());

const contestants = GROUPS[group] ?? [];
/** @type {{ name: string, floor: string | undefined, opened: import("./measure.js").Opened, samples: import("./measure.js").Sample[] }[]} */
const running = [];
for (const { name, floor, open } of contestants) running.push({ name, floor, opened: await open(), samples: [] });

// The first round warms up and is thrown away.
for (let round = 0; round <= Number(rounds); round++) {
  for (const { opened, samples } of running) {
    const taken = await sample(opened, Number(ms));
    if (round > 0) samples.push(taken);
  }
}
for (const { opened } of running) await opened.close();
process.send?.(
  running.map(({ name, floor, samples }) => ({ group, name, floor, samples })),
  () => process.disconnect(),
);
