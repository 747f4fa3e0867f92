/** A fleet behind relays: the runner of a case has one worker, which stands for all of them. */
import { JobRunner, type Listener, relay, Worker } from "../../index.ts";
import type { FleetHarness, FleetHarnessFactory } from "./harness.ts";

/** The first relay dials the case's runner: nothing has to listen. */
const NOTHING: Listener = {
  address: "relays",
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
};

function chainOf(fleet: FleetHarness, count: number): FleetHarness {
  const { clock, until, settle, quiet, pass } = fleet;
  const last = new JobRunner({ clock, listen: fleet.listener });
  const runners = [...Array.from({ length: count - 1 }, () => new JobRunner({ clock })), last];
  const workers: Worker[] = [];
  return {
    clock,
    until,
    settle,
    quiet,
    pass,
    lose: async () => {
      await quiet(); // jobs of the case's runner may be on their way through the relays
      await fleet.lose();
    },
    listener: NOTHING,
    join: async (size, capacity, runner) => {
      for (const each of runners) await settle(each.start());
      await fleet.join(size, capacity, last);
      await until(() => last.stats().capacity === size * capacity);
      let dial = runner;
      for (const [i, each] of runners.entries()) {
        const worker = new Worker({ dial, handler: relay(each), identity: `relay-${i + 1}`, clock });
        workers.push(worker);
        await settle(worker.start());
        dial = each;
      }
    },
    [Symbol.asyncDispose]: async () => {
      try {
        for (const each of [...workers, ...runners]) await settle(each.stop());
      } finally {
        await fleet[Symbol.asyncDispose]();
      }
    },
  };
}

/** The same fleet behind so many relays, one behind the other. 0: the fleet as it is. */
export function behindRelays(fleet: FleetHarnessFactory, count: number): FleetHarnessFactory {
  if (count === 0) return fleet;
  return async (...size) => chainOf(await fleet(...size), count);
}
