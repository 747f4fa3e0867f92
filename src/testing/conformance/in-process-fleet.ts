/** A fleet made of a harness: workers of this process that dial the harness's listener. */
import { type Dialer, type Socket, Worker } from "../../index.ts";
import { conformanceHandler } from "./conformance-handler.ts";
import type { FleetHarnessFactory, FleetHarness, Harness, HarnessFactory } from "./harness.ts";

/** Remembers the worker's end of its connection, so that it can be cut behind the worker's back. */
class Wire implements Dialer {
  socket: Socket | undefined;
  readonly #harness: Harness;

  constructor(harness: Harness) {
    this.#harness = harness;
  }

  async dial(...given: Parameters<Dialer["dial"]>): Promise<Socket> {
    this.socket = await this.#harness.dialer().dial(...given);
    return this.socket;
  }
}

function fleetOf(harness: Harness): FleetHarness {
  const workers: Worker[] = [];
  const wires: Wire[] = [];
  const { clock, until, settle, quiet, pass, listener } = harness;
  const add = async (capacity: number): Promise<void> => {
    const wire = new Wire(harness);
    const worker = new Worker({ dial: wire, handler: conformanceHandler, capacity, clock });
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
        await harness[Symbol.asyncDispose]();
      }
    },
  };
}

/** The fleet for `runnerConformance` over any transport with a dialer: what its harness is to the conformance cases of sockets. */
export function inProcessFleet(harness: HarnessFactory): FleetHarnessFactory {
  return async () => fleetOf(await harness());
}
