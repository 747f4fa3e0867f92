/** Rules of the simulated network: each verdict, which rule decides, and what a stream refuses. */
import { describe, expect, it } from "vitest";
import { PowerhoseError } from "../../../src/core/errors.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { simulate } from "../../../src/testing/simulation/simulate.ts";
import {
  cut,
  delay,
  drop,
  type FrameOnItsWay,
  pass,
  tamper,
  type Verdict,
} from "../../../src/testing/network/rules.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { FaultyNetwork } from "../../../src/testing/network/network.ts";
import { watch } from "../../support/stage.ts";
import { numbered, Wire } from "../wire.ts";

const isTwo = ({ bytes }: FrameOnItsWay): boolean => bytes[0] === 2;

describe("a rule", () => {
  it("is asked about each frame, with all there is to know", async () => {
    const wire = new Wire();
    const [near, far] = await wire.connect();
    const asked: string[] = [];
    wire.network.rule(({ from, to, connection, index, bytes, messages }) => {
      asked.push([from, to, connection, index, bytes.byteLength, messages === undefined].join(" "));
      return pass();
    });
    near.send(1, 2);
    far.send(3);
    expect(asked).toEqual(["worker runner 1 1 10 true", "worker runner 1 2 10 true", "runner worker 1 1 10 true"]);
    await wire.clock.advance(100);
    expect([far.numbers, near.numbers]).toEqual([[1, 2], [3]]);
  });

  it("that says nothing leaves it to the next; the first that does decides; one that is taken away is not asked", async () => {
    const wire = new Wire();
    const [near, far] = await wire.connect();
    let asked = 0;
    wire.network.rule(() => undefined);
    const remove = wire.network.rule((frame) => (isTwo(frame) ? tamper(numbered(22)) : pass()));
    wire.network.rule(() => {
      asked++;
      return tamper(numbered(99));
    });
    near.send(1, 2);
    remove();
    remove();
    near.send(2);
    await wire.clock.advance(100);
    expect([far.numbers, asked]).toEqual([[99, 22, 99], 2]);
  });

  it("delays a frame and all behind it", async () => {
    const wire = new Wire({ latency: [1, 1] });
    const [near, far] = await wire.connect();
    wire.network.rule((frame) => (isTwo(frame) ? delay(500) : undefined));
    near.send(1, 2, 3);
    await wire.clock.advance(500);
    expect(far.numbers).toEqual([1]);
    await wire.clock.advance(1);
    expect(far.numbers).toEqual([1, 2, 3]);
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => delay(ms)).toThrow(RangeError);
  });

  it("cuts before a frame has left: nothing from it on arrives", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const wire = new Wire({}, seed);
      const [near, far] = await wire.connect();
      wire.network.rule((frame) => (isTwo(frame) ? cut() : undefined));
      near.send(0, 1, 2, 3);
      await wire.clock.advance(100);
      expect([[], [0], [0, 1]]).toContainEqual(far.numbers);
      expect([near.seen.order, far.seen.closes[0]?.code]).toEqual(["c", "error"]);
    }
  });

  it("drops a single frame, on a lossy network only", async () => {
    const lossy = new Wire({ faults: "lossy" });
    const [near, far] = await lossy.connect();
    expect(near.socket.faults).toBe("lossy");
    lossy.network.rule((frame) => (isTwo(frame) ? drop() : undefined));
    near.send(1, 2, 3);
    await lossy.clock.advance(100);
    expect(far.numbers).toEqual([1, 3]);

    for (const faults of ["stream", "port"] as const) {
      const wire = new Wire({ faults });
      const [sender] = await wire.connect();
      wire.network.rule(drop);
      expect(() => sender.send(1)).toThrow(`a ${faults} does not lose single frames`);
      expect(wire.observed.filter(({ kind }) => kind === "fault")).toEqual([]);
    }
  });

  it("is given a copy: what it writes there changes nothing", async () => {
    const wire = new Wire();
    const [near, far] = await wire.connect();
    wire.network.rule(({ bytes }) => {
      bytes.fill(9);
      return undefined;
    });
    near.send(1);
    await wire.clock.advance(100);
    expect(far.numbers).toEqual([1]);
  });

  it.each([
    ["true", true],
    ["null", null],
    ['"cut"', "cut"],
    ["a function", cut],
    ["a promise", Promise.resolve(cut())],
    ['{"kind":"explode"}', { kind: "explode" }],
    ['{"kind":"delay"}', { kind: "delay" }],
    ['{"kind":"delay","ms":-1}', { kind: "delay", ms: -1 }],
    ['{"kind":"tamper","bytes":"x"}', { kind: "tamper", bytes: "x" }],
  ])("that returns %s is refused", async (words, verdict) => {
    const wire = new Wire();
    const [near] = await wire.connect();
    wire.network.rule(() => verdict as Verdict);
    expect(() => near.send(1)).toThrow(
      new TypeError(
        `a rule returns sim.pass(), sim.cut(), sim.delay(ms), sim.drop() or sim.tamper(bytes), not ${words}`,
      ),
    );
  });

  it("is a function, and tampers with bytes", () => {
    const wire = new Wire();
    expect(() => wire.network.rule("x" as never)).toThrow(new TypeError('rule takes a function, not "x"'));
    for (const wrong of [undefined, "x", [1]]) expect(() => tamper(wrong as never)).toThrow(TypeError);
    expect(tamper(Buffer.from("x")).kind).toBe("tamper");
  });

  it("tells of every fault it brings", async () => {
    const wire = new Wire();
    const [near] = await wire.connect();
    wire.network.rule((frame) => (isTwo(frame) ? delay(5) : tamper(frame.bytes)));
    near.send(1, 2);
    const faults = wire.observed.flatMap((one) => (one.kind === "fault" ? [`${one.fault} ${one.target}`] : []));
    expect(faults).toEqual(["tamper connection 1, from worker", "delay connection 1, from worker"]);
  });
});

describe("a fault", () => {
  const faults: readonly [string, (network: FaultyNetwork, name: never) => void][] = [
    ["cut", (network, name) => network.cut(name)],
    ["cut", (network, name) => network.cut("runner", name)],
    ["halfOpen", (network, name) => network.halfOpen(name, "runner")],
    ["halfOpen", (network, name) => network.halfOpen("runner", ["w1", name])],
    ["partition", (network, name) => network.partition(name, "runner")],
    ["partition", (network, name) => network.partition("runner", name)],
    ["throttle", (network, name) => network.throttle(name, 5)],
  ];

  it.each(faults)("is for machines that are there: %s", async (fault, bring) => {
    await simulate({ seeds: 1 }, async (sim) => {
      expect(() => bring(sim.network, "runner" as never)).toThrow("there is none yet");
      sim.runner();
      sim.worker("w1", () => "done");
      sim.peer("p");
      const before = sim.trace.count;
      expect(() => bring(sim.network, "worker-1" as never)).toThrow(
        new Error(`${fault}: no machine is called "worker-1"; there are runner, w1, p`),
      );
      expect(sim.trace.count).toBe(before);
      sim.workers[0]?.crash();
      bring(sim.network, "w1" as never); // it has been there
      await sim.sleep(10);
    });
    const { network } = new Wire();
    network.listen("runner");
    network.dialer("w1", "nobody");
    expect(() => bring(network, "nobody" as never)).toThrow("there are runner, w1");
    expect(() => bring(network, 5 as never)).toThrow(new TypeError(`${fault}: expected the name of a machine, got 5`));
    bring(network, "w1" as never);
  });

  it("of a cut without a name is refused, and so are machines without one", () => {
    const { network } = new Wire();
    expect(() => network.cut(undefined as never)).toThrow("cut: expected the name of a machine, got undefined");
    for (const wrong of ["", 5, undefined] as never[]) {
      expect(() => network.listen(wrong)).toThrow(TypeError);
      expect(() => network.dialer(wrong, "runner")).toThrow(TypeError);
      expect(() => network.dialer("w1", wrong)).toThrow(TypeError);
    }
  });
});

describe("in a simulation", () => {
  it("a rule that throws fails the run with what it threw", async () => {
    const run = simulate({ seeds: 1 }, async (sim) => {
      sim.worker("w1", () => "done");
      sim.network.rule(() => {
        throw new Error("a bad rule");
      });
      await sim.runner().execute("job");
    });
    await expect(run).rejects.toThrow("Error: a bad rule");
  });

  it("drop is refused with the words that say what to do", async () => {
    const run = simulate({ seeds: 1 }, async (sim) => {
      sim.worker("w1", () => "done");
      sim.network.rule(() => sim.drop());
      await sim.runner().execute("job");
    });
    await expect(run).rejects.toThrow('use a network with faults: "lossy"');
  });

  it("every verdict is at hand, and damage is one bit, by the seed", async () => {
    const damages: string[] = [];
    await simulate({ seeds: 3, verify: 0 }, (sim) => {
      expect([sim.pass(), sim.cut(), sim.drop(), sim.delay(5)]).toEqual([pass(), cut(), drop(), delay(5)]);
      const frame = new Uint8Array(64);
      expect(sim.tamper(frame, true)).toEqual(tamper(frame));
      expect(sim.tamper(new Uint8Array())).toEqual(tamper(new Uint8Array()));
      const verdict = sim.tamper(frame);
      const bytes = verdict.kind === "tamper" ? [...verdict.bytes] : [];
      expect([bytes.length, bytes.filter((byte) => byte !== 0).length, frame.some((byte) => byte !== 0)]).toEqual([
        64,
        1,
        false,
      ]);
      damages.push(bytes.join());
    });
    expect(new Set(damages).size).toBeGreaterThan(1);
  });
});

describe("a runner", () => {
  it("refuses the sockets of a lossy network, and says why", async () => {
    const clock = new VirtualClock();
    const network = new FaultyNetwork({ clock, random: new SeededRandom(1), faults: "lossy" });
    const runner = new JobRunner({ clock, listen: network.listen("runner") });
    const refused: string[] = [];
    runner.on((event) => {
      if (event.type === "worker-refused") refused.push(event.message);
    });
    const worker = new Worker({ clock, dial: network.dialer("w1", "runner"), handler: () => "done" });
    await runner.start();
    const started = watch(worker.start());
    await clock.advance(20_000);
    expect(runner.stats().workers).toEqual([]);
    expect([refused.length > 0 || started.error instanceof PowerhoseError, started.state === "ok"]).toEqual([
      true,
      false,
    ]);
    const stopped = Promise.all([worker.stop(), runner.stop()]);
    await clock.advance(100);
    await stopped;
    expect(clock.pending).toBe(0);
  });
});
