// A handler with a bug, and the simulation that finds it. The handler without it is tested in billing.test.js.
import { simulate } from "powerhose/testing";
import { mended, naive } from "./billing.js";
import { workerCrashes } from "./worlds.js";

/** Plays the world with a handler, and says what came of it. */
async function look(name, handler) {
  try {
    const { seeds } = await simulate({ seeds: 200 }, workerCrashes(handler));
    console.log(`${name}: paid once in ${seeds} worlds`);
  } catch (failure) {
    const [headline, thrown] = failure.message.split("\n");
    console.log(`${name}: ${headline}\n${thrown}`);
    // The whole log tells each frame; these lines are the story.
    for (const line of failure.log) if (/ (note|\*\*\*) |tried again|the caller of/.test(line)) console.log(line);
  }
}

await look("naive", naive);
await look("mended", mended);
