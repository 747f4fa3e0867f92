// What may happen while an order is charged. Each takes a handler, and gives a scenario for `simulate`.
import assert from "node:assert/strict";
import { Job } from "powerhose";
import { FakeBank } from "./fake-bank.js";

const order = () => new Job("order 7", { "idempotency-key": "order 7" });

function checkBooks(bank, receipt) {
  assert.ok(receipt === "receipt for order 7", `not a receipt: ${receipt}`);
  assert.ok(bank.charged.length === 1, `${bank.charged.length} charges for one order`);
}

/** The worker crashes some time, and is started again. */
export const workerCrashes = (handler) => async (sim) => {
  const bank = new FakeBank(sim);
  const runner = sim.runner();
  const worker = sim.worker("w1", handler(bank));
  sim.at(sim.random() * 100, () => worker.crash());
  sim.at(200, () => worker.restart());
  checkBooks(bank, await runner.execute(order()));
};

/** The runner crashes some time; its caller turns to the next one. */
export const runnerCrashes = (handler) => async (sim) => {
  const bank = new FakeBank(sim);
  let runner = sim.runner();
  sim.worker("w1", handler(bank));
  sim.at(sim.random() * 100, () => {
    runner.crash();
    runner = sim.runner();
  });
  checkBooks(bank, await runner.execute(order()).catch(() => runner.execute(order())));
};

/** Anything happens to two workers and the network for half a minute, and a dozen orders come in meanwhile. */
export const storm = (handler) => async (sim) => {
  const bank = new FakeBank(sim);
  const runner = sim.runner({ heartbeat: 1_000, acquireTimeout: 120_000, attempts: 20, maxLost: 20 });
  for (const name of ["w1", "w2"]) sim.worker(name, handler(bank), { blocking: false });
  sim.injectFaults({ until: 30_000, every: 100 });
  for (let number = 1; number <= 12; number++) {
    await runner.execute(new Job(`order ${number}`, { "idempotency-key": `order ${number}` }));
    await sim.sleep(sim.random() * 5_000);
  }
  assert.ok(bank.charged.length === 12, `${bank.charged.length} charges for twelve orders`);
};
