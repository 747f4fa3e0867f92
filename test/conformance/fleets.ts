/**
 * Every transport as the runner's conformance cases see it: with workers behind it. Threads bring their workers along; behind the others
 * the workers live in the test. list.test.ts fails when one is missing.
 */
import { threads } from "powerhose/threads";
import type { FleetHarnessFactory, FleetHarness } from "../../src/testing/conformance/harness.ts";
import { inProcessFleet } from "../../src/testing/conformance/in-process-fleet.ts";
import { realTime } from "../../src/testing/conformance/test-time.ts";
import { recordSockets } from "../support/record-sockets.ts";
import { transports } from "./harnesses.ts";

function inThreads(count: number, capacity: number): Promise<FleetHarness> {
  const time = realTime();
  const module = new URL("fixtures/conformance-handler.js", import.meta.url);
  const { listener, sockets } = recordSockets(threads(module, { size: count, capacity }));
  return Promise.resolve({
    ...time,
    listener,
    join: () => Promise.resolve(),
    lose: async () => {
      await new Promise<void>((resolve) => time.clock.nextTurn(resolve)); // what was handed over has left by then
      sockets[0]?.close();
    },
    [Symbol.asyncDispose]: () => listener.stop(),
  });
}

/** All transports, with workers. */
export const fleets: readonly { readonly name: string; readonly make: FleetHarnessFactory }[] = [
  ...transports.map(({ name, make }) => ({ name, make: inProcessFleet(make) })),
  { name: "threads", make: inThreads },
];
