/** A fleet made of a rig: workers of this process that dial the rig's listener. */
import { type Dialer, type Socket, Worker } from "../../index.ts";
import type { FleetFactory, FleetRig } from "./fleet-harness.ts";
import { lawHandler } from "./conformance-handler.ts";
import type { Rig, RigFactory } from "./harness.ts";

/** Remembers the worker's end of its connection, so that it can be cut behind the worker's back. */
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

function fleetOf(rig: Rig): FleetRig {
  const workers: Worker[] = [];
  const wires: Wire[] = [];
  const { clock, until, settle, quiet, pass, listener } = rig;
  const add = async (capacity: number): Promise<void> => {
    const wire = new Wire(rig);
    const worker = new Worker({ dial: wire, handler: lawHandler, capacity, clock });
    wires.push(wire);
    workers.push(worker);
    await settle(worker.start());
  };
  return {
    clock,
    until,
    settle,
    quiet,
    pass,
    listener,
    join: async (count, capacity) => {
      for (let i = 0; i < count; i++) await add(capacity);
    },
    lose: async () => {
      wires[0]?.socket?.close();
      await quiet();
    },
    [Symbol.asyncDispose]: async () => {
      try {
        for (const worker of workers) await settle(worker.stop());
      } finally {
        await rig[Symbol.asyncDispose]();
      }
    },
  };
}

/** The fleet for `runnerLaws` over any transport with a dialer: what its rig is to the laws of sockets. */
export function inProcessFleet(rig: RigFactory): FleetFactory {
  return async () => fleetOf(await rig());
}
