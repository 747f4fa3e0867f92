/** The runner's laws over every transport. */
import type { Dialer, Socket } from "../../src/core/socket.ts";
import { Worker } from "../../src/core/worker.ts";
import lawHandler from "./fixtures/law-handler.js";
import { type Rig, transports } from "./rigs.ts";
import { type FleetFactory, runnerLaws } from "./runner-laws.ts";

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

for (const { name, make } of transports) runnerLaws(name, inProcess(make));
