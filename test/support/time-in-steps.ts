/** Virtual time for a transport that needs a few ms of it for what others do at once. */
import type { VirtualTime } from "../../src/testing/conformance/test-time.ts";

const STEP_MS = 10;
/** All waits of a case together stay far below its timeouts. */
const MAX_STEPS = 60;

/** The same time, which goes on by a step whenever a wait has found that nothing moves any more. */
export function inSteps(time: VirtualTime): VirtualTime {
  const until = async (condition: () => boolean): Promise<void> => {
    await time.pass(0);
    for (let step = 0; step < MAX_STEPS && !condition(); step++) await time.pass(STEP_MS);
    await time.until(condition);
  };
  return {
    ...time,
    until,
    settle: async (promise) => {
      let settled = false;
      const note = (): void => void (settled = true);
      promise.then(note, note);
      await until(() => settled).catch(() => undefined);
      return await time.settle(promise);
    },
    quiet: () => time.pass(2 * STEP_MS),
  };
}
