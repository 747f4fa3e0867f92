/** The runner's laws over threads, which bring their workers along. */
import { threads } from "powerhose/threads";
import { hostClock } from "../../src/core/host.ts";
import type { Listener, Socket } from "../../src/core/socket.ts";
import { type FleetRig, runnerLaws } from "../laws/runner-laws.ts";
import { until } from "./stage.ts";

const handler = new URL("../laws/fixtures/law-handler.js", import.meta.url);

function fleet(count: number, capacity: number): Promise<FleetRig> {
  const inner = threads(handler, { size: count, capacity });
  const sockets: Socket[] = [];
  const listener: Listener = {
    start: (accept, context) =>
      inner.start((socket) => {
        sockets.push(socket);
        accept(socket);
      }, context),
    stop: () => inner.stop(),
    address: inner.address,
  };
  return Promise.resolve({
    listener,
    clock: hostClock,
    until,
    settle: (promise) => promise,
    join: () => Promise.resolve(),
    lose: async () => {
      await new Promise<void>((resolve) => hostClock.nextTurn(resolve)); // what was handed over has left by then
      sockets[0]?.close();
    },
    [Symbol.asyncDispose]: () => inner.stop(),
  });
}

runnerLaws("threads", fleet);
