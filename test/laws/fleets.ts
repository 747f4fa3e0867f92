/**
 * Every transport as the runner's laws see it: with workers behind it. Threads bring their workers along; behind the others
 * the workers live in the test. list.test.ts fails when one is missing.
 */
import { threads } from "powerhose/threads";
import { hostClock } from "../../src/core/host.ts";
import type { Dialer, Listener, Socket } from "../../src/core/socket.ts";
import { Worker } from "../../src/core/worker.ts";
import { until } from "../threads/stage.ts";
import lawHandler from "./fixtures/law-handler.js";
import { type Rig, transports } from "./rigs.ts";
import type { FleetFactory, FleetRig } from "./runner-laws.ts";

/** Remembers the worker's end of each connection, so that it can be cut behind the worker's back. */
class Wire implements Dialer {
  socket: Socket | undefined;
  readonly #rig: Rig;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  async dial(...how: Parameters<Dialer["dial"]>): Promise<Socket> {
    this.socket = await this.#rig.dialer().dial(...how);
    return this.socket;
  }
}

function inProcess(make: () => Promise<Rig>): FleetFactory {
  return async () => {
    const rig = await make();
    const workers: Worker[] = [];
    const wires: Wire[] = [];
    return {
      listener: rig.listener,
      clock: rig.clock,
      until: (condition) => rig.until(condition),
      settle: (promise) => rig.settle(promise),
      join: async (count, capacity) => {
        for (let i = 0; i < count; i++) {
          const wire = new Wire(rig);
          const worker = new Worker({ dial: wire, handler: lawHandler, capacity, clock: rig.clock });
          wires.push(wire);
          workers.push(worker);
          await rig.settle(worker.start());
        }
      },
      lose: async () => {
        wires[0]?.socket?.close();
        await rig.quiet();
      },
      [Symbol.asyncDispose]: async () => {
        for (const worker of workers) await rig.settle(worker.stop());
        await rig[Symbol.asyncDispose]();
      },
    };
  };
}

function inThreads(count: number, capacity: number): Promise<FleetRig> {
  const inner = threads(new URL("fixtures/law-handler.js", import.meta.url), { size: count, capacity });
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

/** All transports, with workers. */
export const fleets: readonly { readonly name: string; readonly make: FleetFactory }[] = [
  ...transports.map(({ name, make }) => ({ name, make: inProcess(make) })),
  { name: "threads", make: inThreads },
];
