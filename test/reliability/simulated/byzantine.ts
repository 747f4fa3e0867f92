/** A peer that breaks every rule of the protocol, by chance from the seed. */
import type { Message } from "../../../src/core/protocol/message.ts";
import type { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import type { SimulatedPeer } from "../../../src/testing/simulation/simulated-peer.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";

/** Something an honest worker would not say now. */
function lie(chance: SeededRandom, attemptId: number): Message | "bytes" {
  const nonce = chance.below(1_000);
  return chance.pick<Message | "bytes">([
    { type: "JOBRES", attemptId, value: "forged" },
    { type: "JOBRES", attemptId: attemptId + 1 + chance.below(5), value: "never asked" },
    {
      type: "JOBERR",
      attemptId,
      error: { name: "E", message: "forged", code: "", stack: "" },
      retryable: true,
      retryAfter: 0,
    },
    { type: "REJECT", attemptId, reason: chance.pick(["draining", "overloaded"]) },
    { type: "CANCELLED", attemptId },
    { type: "ITEM", attemptId, value: "forged" },
    { type: "PROGRESS", attemptId, value: "forged" },
    { type: "JOBRES", attemptId, value: "forged", endsStream: true },
    { type: "CREDIT", attemptId, bytes: 1 },
    { type: "PING", nonce },
    { type: "PONG", nonce },
    { type: "REMOVE" },
    { type: "REMOVED" },
    { type: "GOAWAY", reason: "stopping", retryAfter: 0 },
    { type: "CANCEL", attemptId, reason: "cancelled" },
    { type: "ERROR", code: "PROTOCOL", text: "\u001b[31m", retryAfter: 0 },
    "bytes",
  ]);
}

function say(peer: SimulatedPeer, chance: SeededRandom, attemptId: number): void {
  const word = lie(chance, attemptId);
  if (word === "bytes") peer.sendBytes(Uint8Array.from({ length: chance.below(40) }, () => chance.below(256)));
  else for (let times = chance.pick([1, 1, 1, 2, 300]); times > 0; times--) peer.send(word);
}

/** Lets one loose for `lasts` ms. It takes jobs, answers some of them honestly but for the words, and lies in between. */
export function playByzantine(sim: Simulation, name: string, lasts: number): void {
  const peer = sim.peer(name, { principal: "mallory" });
  const chance = sim.rng.stream(name);
  const refuses = chance.below(4) === 0;
  let attemptId = 0;
  peer.on((message) => {
    if (message.type !== "JOB") return;
    ({ attemptId } = message);
    if (refuses) return void peer.send({ type: "REJECT", attemptId, reason: "overloaded" });
    if (chance.below(3) > 0)
      peer.send({ type: "JOBRES", attemptId, value: `${String(message.job.data)} = by ${name}` });
  });
  const end = sim.now() + lasts;
  const go = async (): Promise<void> => {
    await peer.connect();
    if (chance.below(6) === 0) await sim.sleep(lasts); // it says nothing for a while
    if (chance.below(4) > 0) {
      const version = chance.below(8) === 0 ? 2 : 1;
      const identity = chance.pick([name, "w0", "w1"]);
      peer.hello({ identity, capacity: 1 + chance.below(3), version });
      if (chance.below(8) === 0) peer.hello({ identity });
    }
    while (sim.now() < end && peer.closed === undefined) {
      await sim.sleep(chance.random() * 20);
      say(peer, chance, attemptId + chance.pick([-1, 0, 0]));
    }
    peer.close();
  };
  void go().catch(() => undefined); // nobody may have been there to connect to
}
