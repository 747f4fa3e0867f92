/** What a simulated network carries when all is well, how it is slow, and what it loses when it is cut, halved or crashes. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { type End, MAX, numbered, Wire } from "../wire.ts";

/** Whether one list is how the other begins: nothing was lost but a suffix. */
function isPrefix(some: readonly number[], all: readonly number[]): boolean {
  return some.every((number, place) => number === all[place]);
}

const TEN = Array.from({ length: 10 }, (_, i) => i);

async function tenSent(seed: number): Promise<{ wire: Wire; near: End; far: End }> {
  const wire = new Wire({ latency: [1, 50] }, seed);
  const [near, far] = await wire.connect();
  near.send(...TEN);
  far.send(...TEN);
  return { wire, near, far };
}

describe("frames", () => {
  it("take the latency, and never overtake each other", async () => {
    const wire = new Wire({ latency: [5, 50] });
    const [near, far] = await wire.connect();
    const began = wire.clock.now();
    for (let i = 0; i < 100; i++) {
      near.send(i);
      await wire.clock.advance(1);
    }
    await wire.clock.advance(100);
    expect(far.numbers).toEqual(Array.from({ length: 100 }, (_, i) => i));
    far.at.forEach((at, i) => expect(at - began - i).toBeGreaterThanOrEqual(5));
    expect(new Set(far.at.map((at, i) => Math.round(at - i))).size).toBeGreaterThan(5); // not all took as long
    expect(near.seen.frames).toEqual([]);
  });

  it("take another latency from when it is set", async () => {
    const wire = new Wire({ latency: [5, 5] });
    const [near, far] = await wire.connect();
    const began = wire.clock.now();
    wire.network.setLatency(70, 70);
    near.send(1);
    await wire.clock.advance(100);
    expect(far.at).toEqual([began + 70]);
    for (const [least, most] of [
      [5, 4],
      [-1, 4],
      [0, Number.POSITIVE_INFINITY],
      [Number.NaN, 1],
    ] as const)
      expect(() => wire.network.setLatency(least, most)).toThrow(RangeError);
  });

  it("over the limit close both ends, with the reason", async () => {
    const wire = new Wire();
    const [near, far] = await wire.connect();
    near.socket.send(numbered(1, MAX + 1));
    near.send(2);
    await wire.clock.advance(100);
    expect(far.seen.order).toBe("c");
    expect([near, far].map(({ seen }) => seen.closes[0]?.code)).toEqual(["too-large", "too-large"]);
    expect([wire.network.connections, near.socket.send(numbered(3))]).toEqual([0, false]);
  });

  it("are told of as they leave and as they arrive", async () => {
    const wire = new Wire();
    const [near] = await wire.connect();
    near.send(1);
    await wire.clock.advance(100);
    near.socket.close();
    await wire.clock.advance(100);
    const kinds = wire.observed.map((one) => one.kind);
    expect(kinds).toEqual(["opened", "sent", "delivered", "closed", "closed"]);
    expect(wire.observed[1]).toEqual({
      kind: "sent",
      connection: 1,
      from: "worker",
      to: "runner",
      messages: undefined, // not a word of the protocol
      bytes: 10,
    });
  });
});

describe("a connection that is cut", () => {
  it("loses a suffix in each direction, never one in the middle, and tells each end in its time", async () => {
    const lost = new Set<number>();
    const apart = new Set<boolean>();
    for (let seed = 1; seed <= 40; seed++) {
      const { wire, near, far } = await tenSent(seed);
      await wire.clock.advance(20);
      wire.network.cut("worker");
      const cutAt = wire.clock.now();
      near.send(10);
      await wire.clock.advance(200);
      for (const end of [near, far]) {
        expect(isPrefix(end.numbers, TEN), `seed ${seed}: ${end.numbers.join()}`).toBe(true);
        expect(end.seen.order.replaceAll("f", "")).toBe("c");
        expect(end.seen.closes[0]?.code).toBe("error");
        expect(end.closedAt).toBeGreaterThan(cutAt);
        lost.add(10 - end.numbers.length);
      }
      apart.add(near.closedAt !== far.closedAt);
      expect(wire.network.connections).toBe(0);
    }
    expect(lost.size).toBeGreaterThan(4);
    expect(apart).toEqual(new Set([true]));
  });

  it("is the one that is meant", async () => {
    const wire = new Wire();
    const [a] = await wire.connect("a");
    const [b] = await wire.connect("b");
    wire.network.cut("a", "b"); // which do not talk to each other
    await wire.clock.advance(100);
    expect([a.seen.order, b.seen.order]).toEqual(["", ""]);
    wire.network.cut("b", "runner");
    await wire.clock.advance(100);
    expect([a.seen.order, b.seen.order]).toEqual(["", "c"]);
    wire.network.cut("runner");
    await wire.clock.advance(100);
    expect([a.seen.order, b.seen.order]).toEqual(["c", "c"]);
  });

  it("and closed at one end, tells the other once", async () => {
    const wire = new Wire();
    const [near, far] = await wire.connect();
    near.send(1);
    near.socket.close();
    wire.network.cut("worker");
    wire.network.cut("worker");
    await wire.clock.advance(100);
    expect([near.seen.order, far.seen.order.replace("f", "")]).toEqual(["c", "c"]);
    expect(near.seen.closes[0]?.code).toBe("local");
  });
});

describe("a cut after a close", () => {
  it("loses what is still on its way, the close included: the other end hears of the cut, and never of a good end", async () => {
    const lost = new Set<number>();
    for (let seed = 1; seed <= 20; seed++) {
      const { wire, near, far } = await tenSent(seed);
      near.socket.close();
      wire.network.cut("worker");
      await wire.clock.advance(200);
      expect([isPrefix(far.numbers, TEN), far.seen.closes.map(({ code }) => code)]).toEqual([true, ["error"]]);
      expect([near.seen.closes.map(({ code }) => code), wire.network.connections]).toEqual([["local"], 0]);
      lost.add(10 - far.numbers.length);
    }
    expect(lost.size).toBeGreaterThan(3);
  });

  it("comes too late when all has arrived", async () => {
    const { wire, near, far } = await tenSent(1);
    near.socket.close();
    await wire.clock.advance(200);
    wire.network.cut("worker");
    await wire.clock.advance(200);
    expect([far.numbers, far.seen.closes.map(({ code }) => code)]).toEqual([TEN, ["peer"]]);
  });
});

describe("a connection that is half open", () => {
  it("carries one way only, tells neither end, and brings everything in order when it heals", async () => {
    const wire = new Wire({ latency: [1, 30] });
    const [near, far] = await wire.connect();
    near.send(0, 1, 2);
    wire.network.halfOpen("worker", "runner");
    near.send(3, 4);
    far.send(7, 8);
    await wire.clock.advance(100_000);
    expect([far.numbers, near.numbers]).toEqual([[], [7, 8]]);
    wire.network.heal();
    near.send(5);
    await wire.clock.advance(100);
    expect(far.numbers).toEqual([0, 1, 2, 3, 4, 5]);
    expect([near.seen.order, far.seen.order]).toEqual(["ff", "ffffff"]);
  });

  it("tells of a close only when it heals, behind what was sent", async () => {
    const wire = new Wire();
    const [near, far] = await wire.connect();
    wire.network.halfOpen(["worker"], ["runner"]);
    near.send(0);
    near.socket.close();
    await wire.clock.advance(60_000);
    expect([near.seen.order, far.seen.order, wire.network.connections]).toEqual(["c", "", 1]);
    wire.network.heal();
    await wire.clock.advance(100);
    expect([far.seen.order, wire.network.connections]).toEqual(["fc", 0]);
  });
});

describe("a partition", () => {
  it("lets nothing pass between two groups, and everything within", async () => {
    const wire = new Wire();
    const [a, runnerA] = await wire.connect("a");
    const [b, runnerB] = await wire.connect("b");
    const [c, other] = await wire.connect("c", "other");
    wire.network.partition(["a", "c"], ["runner"]);
    for (const end of [a, runnerA, b, runnerB, c, other]) end.send(1);
    const dialled = wire.dial(undefined, "a");
    await wire.clock.advance(5_000);
    expect([a, runnerA, b, runnerB, c, other].map(({ numbers }) => numbers.length)).toEqual([0, 0, 1, 1, 1, 1]);
    wire.network.heal();
    await wire.clock.advance(2_000); // a knock that was not heard is repeated
    expect([a, runnerA].map(({ numbers }) => numbers)).toEqual([[1], [1]]);
    expect((await dialled).peer.address).toBe("runner");
  });
});

describe("a fault of the network", () => {
  it("ends by what it gave back, once, and leaves others alone", async () => {
    const wire = new Wire();
    const [a, runnerA] = await wire.connect("a");
    const [b, runnerB] = await wire.connect("b");
    const endA = wire.network.halfOpen("a", "runner");
    wire.network.partition("b", "runner");
    for (const end of [a, b, runnerB]) end.send(1);
    endA();
    endA();
    await wire.clock.advance(100);
    expect([runnerA, runnerB, b].map(({ numbers }) => numbers)).toEqual([[1], [], []]);
    const heals = wire.observed.filter((one) => one.kind === "fault" && one.fault === "heal");
    expect(heals).toEqual([{ kind: "fault", fault: "heal", target: "half-open a → runner" }]);
  });

  it("is over when all that overlap are", async () => {
    const wire = new Wire();
    const [near, far] = await wire.connect();
    const ends = [
      wire.network.partition("worker", "runner"),
      wire.network.halfOpen("worker", "runner"),
      wire.network.halfOpen("worker", "runner"),
    ];
    near.send(1);
    far.send(2);
    const arrived: number[][] = [];
    for (const end of ends) {
      end();
      await wire.clock.advance(100);
      arrived.push([near.numbers.length, far.numbers.length]);
    }
    expect(arrived).toEqual([
      [1, 0],
      [1, 0],
      [1, 1],
    ]);
  });

  it("that was healed with all the others does not end one that came later", async () => {
    const wire = new Wire();
    const [near, far] = await wire.connect();
    const end = wire.network.halfOpen("worker", "runner");
    wire.network.heal();
    wire.network.halfOpen("worker", "runner");
    end();
    near.send(1);
    await wire.clock.advance(100);
    expect(far.numbers).toEqual([]);
  });

  it("of a slow reader: the latest that lasts holds", async () => {
    const wire = new Wire({ latency: [1, 1] });
    const [near, far] = await wire.connect();
    wire.network.throttle("runner", 1);
    const end = wire.network.throttle("runner", 1_000);
    near.send(1);
    await wire.clock.advance(12);
    expect(far.numbers).toEqual([1]);
    end();
    near.send(2);
    await wire.clock.advance(9_000); // ten bytes, one a second
    expect(far.numbers).toEqual([1]);
    await wire.clock.advance(2_000);
    expect(far.numbers).toEqual([1, 2]);
  });
});

describe("a machine that stands still", () => {
  it("reads nothing: what was sent to it waits at the sender until it wakes", async () => {
    const wire = new Wire({ window: 15 });
    const held: (() => void)[] = [];
    let still = true;
    wire.network.attach("runner", { run: (fn) => (still ? void held.push(fn) : fn()) });
    still = false;
    const [near, far] = await wire.connect();
    still = true;
    near.send(1, 2, 3);
    await wire.clock.advance(1_000);
    expect([far.numbers, near.socket.bufferedBytes]).toEqual([[], 15]);
    held.shift()?.();
    expect([far.numbers, near.socket.bufferedBytes]).toEqual([[1], 5]);
    for (const fn of held.splice(0)) fn();
    expect([far.numbers, near.socket.bufferedBytes]).toEqual([[1, 2, 3], 0]);
  });

  it("and crashes without a word, has never read it", async () => {
    const wire = new Wire({ window: 15 });
    const [near] = await wire.connect();
    wire.network.abandon("runner", "silent");
    near.send(1, 2, 3);
    await wire.clock.advance(1_000);
    expect(near.socket.bufferedBytes).toBe(15);
  });
});

describe("a slow reader", () => {
  it("makes bytes wait at the sender: those that neither it nor the network has taken in", async () => {
    const wire = new Wire({ window: 100, latency: [1, 1] });
    const [near, far] = await wire.connect();
    wire.network.throttle("runner", 1_000); // a byte each ms
    for (let i = 0; i < 10; i++) near.socket.send(numbered(i, 100));
    expect([near.socket.bufferedBytes, far.socket.bufferedBytes]).toEqual([900, 0]);
    expect(wire.network.load("worker")).toEqual(new Map([[1, 900]]));
    await wire.clock.advance(501);
    expect([far.numbers.length, near.socket.bufferedBytes]).toEqual([5, 400]);
    await wire.clock.advance(500);
    expect([far.numbers.length, near.socket.bufferedBytes]).toEqual([10, 0]);
  });

  it("reads as fast as it can again when it heals, and in order", async () => {
    const wire = new Wire({ window: 0 });
    const [near, far] = await wire.connect();
    wire.network.throttle("runner", 1);
    near.send(...TEN);
    far.send(...TEN);
    await wire.clock.advance(1_000);
    expect([far.numbers, near.numbers]).toEqual([[], TEN]);
    wire.network.heal();
    await wire.clock.advance(100);
    expect([far.numbers, near.socket.bufferedBytes]).toEqual([TEN, 0]);
    for (const rate of [0, -1, Number.NaN]) expect(() => wire.network.throttle("runner", rate)).toThrow(RangeError);
  });

  it("waits no more for what a cut has taken away", async () => {
    const wire = new Wire({ window: 0 });
    const [near] = await wire.connect();
    wire.network.halfOpen("worker", "runner");
    near.send(...TEN);
    expect(near.socket.bufferedBytes).toBe(100);
    near.socket.close();
    wire.network.abandon("runner", "rst");
    wire.network.heal();
    await wire.clock.advance(100);
    expect([near.socket.bufferedBytes, wire.network.connections, wire.clock.pending]).toEqual([0, 0, 0]);
  });
});

describe("a machine that crashes", () => {
  it("with fin: what it had sent arrives, then the close", async () => {
    const { wire, near, far } = await tenSent(1);
    wire.network.abandon("worker", "fin");
    await wire.clock.advance(1_000);
    expect([far.numbers, far.seen.closes.map(({ code }) => code), near.seen.order]).toEqual([TEN, ["peer"], ""]);
  });

  it("with rst: a part of what it had sent arrives, then an error", async () => {
    const arrived = new Set<number>();
    for (let seed = 1; seed <= 20; seed++) {
      const { wire, near, far } = await tenSent(seed);
      wire.network.abandon("worker", "rst");
      await wire.clock.advance(1_000);
      expect([isPrefix(far.numbers, TEN), far.seen.closes.map(({ code }) => code)]).toEqual([true, ["error"]]);
      expect(near.seen.order).toBe("");
      arrived.add(far.numbers.length);
    }
    expect(arrived.size).toBeGreaterThan(2);
  });

  it("silently: what it had sent arrives, and nothing tells of its end", async () => {
    const { wire, near, far } = await tenSent(1);
    wire.network.abandon("worker", "silent");
    far.send(10);
    await wire.clock.advance(1_000_000);
    expect([far.seen.order, near.seen.order]).toEqual(["ffffffffff", ""]);
    expect(near.socket.send(numbered(11))).toBe(false);
  });

  it.each(["before", "after"])("silently, blocked %s that: nobody sends again what it had sent", async (when) => {
    const { wire, far } = await tenSent(1);
    if (when === "before") wire.network.partition("worker", "runner");
    wire.network.abandon("worker", "silent");
    if (when === "after") wire.network.partition("worker", "runner");
    await wire.clock.advance(100);
    wire.network.heal();
    await wire.clock.advance(100_000);
    expect([far.numbers, far.seen.order]).toEqual([[], ""]);
  });

  it("silently: what the network had not taken in is lost with it", async () => {
    const wire = new Wire({ window: 35 });
    const [near, far] = await wire.connect();
    near.send(...TEN);
    wire.network.abandon("worker", "silent");
    await wire.clock.advance(1_000);
    expect([far.numbers, far.seen.order]).toEqual([[0, 1, 2], "fff"]);
  });

  it("with rst, blocked: the reset comes through in the end, and nothing of what it had sent", async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { wire, far } = await tenSent(seed);
      wire.network.partition("worker", "runner");
      wire.network.abandon("worker", "rst");
      wire.network.heal();
      await wire.clock.advance(1_000);
      expect(far.seen.order).toBe("c");
    }
  });

  it("silently, and comes back: resets what it does not know as soon as it hears of it", async () => {
    const { wire, far } = await tenSent(1);
    wire.network.abandon("worker", "silent");
    await wire.clock.advance(1_000);
    wire.network.attach("worker", { run: (fn) => fn() });
    await wire.clock.advance(1_000);
    expect(far.seen.closes).toEqual([]);
    far.send(10);
    await wire.clock.advance(1_000);
    expect(far.seen.closes).toEqual([{ code: "error", message: "connection reset" }]);
    expect(wire.network.connections).toBe(0);
  });
});

describe("wrong options", () => {
  it.each([
    ["latency", [5, 1], RangeError],
    ["latency", [1], TypeError],
    ["latency", 5, RangeError],
    ["faults", "strem", TypeError],
    ["window", -1, RangeError],
    ["connectTimeout", 0, RangeError],
    ["observe", 1, RangeError],
    ["clock", {}, TypeError],
    ["latencies", [1, 2], TypeError],
  ])("%s: %j is refused", (name, value, error) => {
    const options = { random: new SeededRandom(1), [name]: value };
    expect(() => new Wire(options)).toThrow(error);
  });
});
