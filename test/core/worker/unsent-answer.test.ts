import { expect, it } from "vitest";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { hello, ScriptedPeer } from "../../support/scripted-peer.ts";
import { watch } from "../../support/stage.ts";

it("takes an answer to a job that has not left yet for what it is: forged", async () => {
  const clock = new VirtualClock();
  const runner = new JobRunner({ clock, random: new SeededRandom(1) });
  const starting = runner.start();
  await clock.settle();
  await starting;
  const socket = await runner.dial(new AbortController().signal);
  const peer = new ScriptedPeer(socket);
  peer.send(hello({ identity: "guesser", capacity: 1 }));
  await clock.settle();
  const first = watch(runner.execute("first", { attempts: 1 }));
  const second = watch(runner.execute("second", { attempts: 1 }));
  await clock.settle();
  expect(peer.jobs).toEqual(["first"]);
  // The first answer frees the slot, the second job takes it: its number can be guessed, its JOB is still in the batch.
  peer.send({ type: "JOBRES", attemptId: 1, value: "known" }, { type: "JOBRES", attemptId: 2, value: "guessed" });
  await clock.settle();
  expect(first.value).toBe("known");
  expect(second.state).toBe("failed");
  expect(second.error).toMatchObject({ code: "WORKER_LOST" });
  expect(peer.last("ERROR").code).toBe("PROTOCOL");
  const stopping = runner.stop();
  await clock.settle();
  await stopping;
});
