/** A worker in a simulation: its names, its crashes and restarts, also by its own hand; and peers that follow no rule. */
import { describe, expect, it } from "vitest";
import { WorkerLostError } from "../../../src/core/errors.ts";
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import type { Simulation } from "../../../src/testing/simulation/simulation.ts";
import type { SimulatedWorker } from "../../../src/testing/simulation/simulated-worker.ts";

async function play(scenario: (sim: Simulation) => unknown): Promise<void> {
  await simulate({ seeds: 5 }, scenario);
}

describe("a worker", () => {
  it("starts by itself, whether or not its runner is there", () =>
    play(async (sim) => {
      const worker = sim.worker("w1", () => "done");
      await sim.sleep(3_000);
      const runner = sim.runner();
      expect(await runner.execute("job", { acquireTimeout: 60_000 })).toBe("done");
      expect([worker.worker.state, worker.machineState, worker.name]).toEqual(["registered", "up", "w1"]);
    }));

  it("has its machine's name for an identity, or what its options say, as a principal of its own", () =>
    play(async (sim) => {
      const runner = sim.runner();
      sim.worker("w1", () => "done");
      sim.worker("w2", () => "done", { identity: "other", principal: "alice" });
      await sim.sleep(100);
      expect(runner.stats().workers.map(({ identity, peer }) => [identity, peer.principal, peer.address])).toEqual(
        expect.arrayContaining([
          ["w1", "local", "w1"],
          ["other", "alice", "w2"],
        ]),
      );
    }));

  it("listens on its machine for several runners, when it is told so", () =>
    play(async (sim) => {
      sim.worker("w1", () => "done", { listens: true });
      const runners = ["a", "b"].map((name) => sim.runner({ name, to: "w1" }));
      await sim.sleep(3_000);
      for (const runner of runners) expect(await runner.execute("job")).toBe("done");
      const [first] = sim.workers;
      first?.restart();
      for (const runner of runners) expect(await runner.execute("job", { acquireTimeout: 60_000 })).toBe("done");
    }));

  it("has a name and a handler, or is refused at once", () =>
    play((sim) => {
      for (const wrong of ["", 5, undefined] as never[]) {
        expect(() => sim.worker(wrong, () => "done")).toThrow(/^a worker is called by a name that is not empty, not /);
        expect(() => sim.peer(wrong)).toThrow(/^a peer is called by a name that is not empty, not /);
      }
      for (const wrong of ["", 5, null] as never[]) expect(() => sim.runner({ name: wrong })).toThrow(TypeError);
      expect(() => sim.worker("w1", undefined as never)).toThrow("w1 is a worker with a handler, not undefined");
      sim.worker("w1", () => "done"); // and has not taken the name
    }));

  it("cannot have the name of a machine that is there", () =>
    play((sim) => {
      sim.runner();
      sim.peer("p");
      const worker = sim.worker("w1", () => "done");
      for (const name of ["runner", "p", "w1"]) {
        expect(() => sim.worker(name, () => "done")).toThrow("is there already");
        expect(() => sim.peer(name)).toThrow("is there already");
      }
      worker.crash();
      sim.worker("w1", () => "done");
      expect(() => worker.restart()).toThrow("is there already");
    }));

  it("with an identity that another one has replaces it, if both are of one principal", () =>
    play(async (sim) => {
      const runner = sim.runner();
      sim.worker("w1", () => "first", { identity: "twin" });
      await sim.sleep(100);
      const later = sim.worker("w2", () => "second", { identity: "twin" });
      const stranger = sim.worker("w3", () => "third", { identity: "twin", principal: "mallory" });
      await sim.sleep(50);
      const { workers } = runner.stats();
      expect(workers).toHaveLength(1);
      expect(workers[0]?.peer.principal).toBe("local");
      expect([later.worker.state, stranger.worker.state]).not.toContain("created");
    }));

  it("leaves as in real life by drain and stop", () =>
    play(async (sim) => {
      const runner = sim.runner();
      const [a, b] = [sim.worker("a", slow(sim)), sim.worker("b", slow(sim))];
      const calls = Promise.all([runner.execute("1"), runner.execute("2")]);
      await sim.sleep(20);
      await Promise.all([a.drain(), b.stop()]);
      await sim.sleep(20);
      expect(runner.stats().workers).toEqual([]);
      b.restart();
      expect(await calls).toEqual(["1", "2"]);
    }));
});

describe("a crash", () => {
  it("loses the job, which another worker runs again", () =>
    play(async (sim) => {
      const runner = sim.runner();
      const worker = sim.worker("w1", slow(sim));
      sim.at(30, () => worker.crash(sim.rng.pick(["fin", "rst", "silent"])));
      sim.at(500, () => worker.restart());
      expect(await runner.execute("job")).toBe("job");
      await expect(runner.execute("once", { attempts: 1 }).finally(() => worker.crash())).resolves.toBe("once");
      worker.restart();
      const lost = runner.execute("lost", { attempts: 1 });
      sim.at(sim.now() + 500, () => worker.crash());
      sim.at(sim.now() + 900, () => worker.restart());
      await Promise.allSettled([lost]);
    }));

  it("by the handler's own hand is one as well", () =>
    play(async (sim) => {
      const runner = sim.runner();
      let sideEffects = 0;
      const worker: SimulatedWorker = sim.worker("w1", async () => {
        worker.crash();
        await sim.sleep(10);
        sideEffects++;
        return "never";
      });
      const call = runner.execute("job", { maxLost: 1 });
      await expect(call).rejects.toThrow(WorkerLostError);
      await sim.sleep(1_000);
      expect(sideEffects).toBe(0);
    }));

  it("and a restart by the handler's own hand: the job is done in the second life", () =>
    play(async (sim) => {
      const runner = sim.runner();
      let lives = 0;
      const worker: SimulatedWorker = sim.worker("w1", async (job) => {
        if (++lives === 1) worker.restart();
        await sim.sleep(10);
        return `${String(job.data)} in life ${lives}`;
      });
      expect(await runner.execute("job")).toBe("job in life 2");
      await sim.sleep(1_000);
      expect(lives).toBe(2);
    }));

  it("is followed by a process that knows nothing of the last one", () =>
    play(async (sim) => {
      const runner = sim.runner();
      const worker = sim.worker("w1", () => "done");
      await runner.execute("job");
      const before = worker.worker;
      worker.restart(); // crashes it first
      expect(worker.worker).not.toBe(before);
      expect(await runner.execute("job")).toBe("done");
      expect(runner.stats().workers.map(({ served }) => served)).toEqual([1]);
    }));
});

it("crashes in one of three ways, and a runner too", () =>
  play((sim) => {
    const [runner, worker] = [sim.runner(), sim.worker("w1", () => "done")];
    for (const one of [runner, worker])
      expect(() => one.crash("RST" as never)).toThrow(new TypeError('a crash is "fin", "rst" or "silent", not "RST"'));
    expect([runner.machineState, worker.machineState]).toEqual(["up", "up"]);
  }));

describe("a peer", () => {
  it("says what it is told to, and hears everything", () =>
    play(async (sim) => {
      const runner = sim.runner({ attempts: 1 });
      const peer = sim.peer("p", { principal: "mallory" });
      expect(peer.send()).toBe(false);
      await peer.connect();
      await expect(peer.connect()).rejects.toThrow("connected already");
      peer.on((message) => {
        if (message.type === "JOB")
          peer.send({ type: "JOBRES", attemptId: message.attemptId, value: `from ${peer.name}` });
      });
      peer.hello({ capacity: 3 });
      expect(await runner.execute("job")).toBe("from p");
      expect(peer.received.map(({ type }) => type)).toEqual(expect.arrayContaining(["WELCOME", "JOB"]));
      expect(runner.stats().workers[0]).toMatchObject({ identity: "p", capacity: 3, peer: { principal: "mallory" } });
      peer.close();
      await sim.sleep(10);
      expect(peer.closed?.code).toBe("local");
      await peer.connect();
      expect(peer.closed).toBeUndefined();
    }));

  it("that sends rubbish is let go of", () =>
    play(async (sim) => {
      sim.runner();
      const peer = sim.peer("p");
      await peer.connect();
      expect(peer.sendBytes(new Uint8Array([255, 255, 255]))).toBe(true);
      await sim.sleep(100);
      expect(peer.closed).toBeDefined();
      expect(peer.sendBytes(new Uint8Array(1))).toBe(false);
    }));

  it("sends messages that there are, or bytes", () =>
    play(async (sim) => {
      sim.runner();
      const peer = sim.peer("p");
      await peer.connect();
      for (const type of ["NOPE", "toString", undefined])
        expect(() => peer.send({ type } as never)).toThrow(/^send: no message is of the type /);
      expect(() => peer.send(undefined as never)).toThrow(TypeError);
      expect(() => peer.sendBytes("abc" as never)).toThrow(new TypeError('sendBytes takes a Uint8Array, not "abc"'));
    }));

  it("fails to dial where nothing listens, and fails the run when its listener throws", async () => {
    await play(async (sim) => {
      await expect(sim.peer("p", { to: "nowhere" }).connect()).rejects.toThrow("refuses");
    });
    const run = play(async (sim) => {
      sim.runner();
      const peer = sim.peer("p");
      peer.on(() => {
        throw new Error("a bad hearer");
      });
      await peer.connect();
      peer.hello();
      await sim.sleep(100);
    });
    await expect(run).rejects.toThrow("a bad hearer");
  });
});

function slow(sim: Simulation): Parameters<Simulation["worker"]>[1] {
  return async (job, { signal }) => {
    await sim.sleep(40, signal);
    return job.data;
  };
}
