import { describe, expect, it } from "vitest";
import type { TimerHandle } from "../../../src/core/time/clock.ts";
import type { Dialer } from "../../../src/core/transport/listener.ts";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import { Reconnector } from "../../../src/core/transport/reconnector.ts";
import type { CloseReason, Socket } from "../../../src/core/transport/socket.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

const MIN = 100;
const MAX = 2_000;
const LOST = { isWelcomed: false, isRefused: false };
const WELCOMED = { isWelcomed: true, isRefused: false };
const REFUSED = { isWelcomed: false, isRefused: true };
const peer = { transport: "memory", address: "", principal: "" };

class AliveClock extends VirtualClock {
  readonly keptAlive: (boolean | undefined)[] = [];

  override set(delay: number, fn: () => void, keepAlive?: boolean): TimerHandle {
    this.keptAlive.push(keepAlive);
    return super.set(delay, fn);
  }
}

interface RigOptions extends Partial<Dialer> {
  /** What is drawn each time, from 0 to 2^32 - 1; half of it when absent. */
  readonly chance?: number;
  readonly mayDial?: () => boolean;
  /** The bound of the pauses. */
  readonly max?: number;
}

/** A redial whose dials the test answers, and what its owner is told. */
class Rig {
  readonly clock = new AliveClock();
  readonly dials: {
    at: number;
    signal: AbortSignal;
    open: (socket: Socket) => void;
    fail: (error: unknown) => void;
  }[] = [];
  readonly connected: Socket[] = [];
  readonly failures: { error: unknown; retryIn: number }[] = [];
  goOn = true;
  readonly redial: Reconnector;

  constructor({ chance = 0x8000_0000, sameProcess, dial, mayDial = () => true, max = MAX }: RigOptions = {}) {
    const dialer: Dialer = {
      ...(sameProcess === undefined ? {} : { sameProcess }),
      dial:
        dial ??
        ((signal) =>
          new Promise((open, fail) => {
            this.dials.push({ at: this.clock.now(), signal, open, fail });
          })),
    };
    this.redial = new Reconnector({
      dialer,
      clock: this.clock,
      random: { u32: () => chance, id: () => "" },
      limits: { maxFrameBytes: 10 },
      reconnectMin: MIN,
      reconnectMax: max,
      mayDial,
      onConnected: (socket) => this.connected.push(socket),
      onFailed: (error, retryIn) => {
        this.failures.push({ error, retryIn });
        return this.goOn;
      },
    });
  }

  /** Dials, and lets the newest dial fail. */
  async refuse(error: unknown = "refused"): Promise<void> {
    this.dials.at(-1)?.fail(error);
    await this.clock.settle();
  }

  /** Lets the newest dial succeed, and says why the socket was closed as soon as it is. */
  async accept(): Promise<CloseReason[]> {
    const [socket] = socketPair({ clock: this.clock, peers: [peer, peer], maxFrameBytes: 10 });
    const closes: CloseReason[] = [];
    socket.open({ frame: () => undefined, closed: (reason) => closes.push(reason) });
    this.dials.at(-1)?.open(socket);
    await this.clock.settle();
    return closes;
  }
}

describe("a connection that is kept up", () => {
  it("is dialled at once, with the limits, and handed over", async () => {
    const limits: unknown[] = [];
    const rig = new Rig({ dial: (_signal, given) => (limits.push(given), new Promise(() => undefined)) });
    rig.redial.dial();
    expect(limits).toEqual([{ maxFrameBytes: 10 }]);
    const other = new Rig();
    other.redial.dial();
    await other.accept();
    expect([other.connected.length, other.failures.length, other.clock.pending]).toEqual([1, 0, 0]);
  });

  it("is dialled again after each failure, waiting up to twice as long each time, up to a bound", async () => {
    const rig = new Rig();
    rig.redial.dial();
    for (let i = 0; i < 8; i++) {
      await rig.refuse(i);
      await rig.clock.advance(MAX);
    }
    expect(rig.failures.map(({ error }) => error)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(rig.failures.map(({ retryIn }) => retryIn)).toEqual([50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
    expect(rig.dials).toHaveLength(9);
    rig.redial.stop();
  });

  it("waits just as long as it said", async () => {
    const rig = new Rig();
    rig.redial.dial();
    await rig.refuse();
    await rig.clock.advance(49);
    expect(rig.dials).toHaveLength(1);
    await rig.clock.advance(1);
    expect(rig.dials.map(({ at }) => at)).toEqual([0, 50]);
    rig.redial.stop();
  });

  it("draws each pause from 0 to its bound, the bound excluded", async () => {
    for (const [chance, lowest, highest] of [
      [0, 0, 0],
      [0xffff_ffff, MIN - 0.001, MIN],
    ] as const) {
      const rig = new Rig({ chance });
      rig.redial.dial();
      await rig.refuse();
      const [failure] = rig.failures;
      expect(failure?.retryIn).toBeGreaterThanOrEqual(lowest);
      expect(failure?.retryIn).toBeLessThan(highest + Number(highest === 0));
      rig.redial.stop();
    }
    const random = new SeededRandom(3);
    const pauses = Array.from({ length: 200 }, () => new Rig({ chance: random.u32() }).redial.dialLater(LOST));
    const quarters = new Set(pauses.map((pause) => Math.floor((pause / MIN) * 4)));
    expect([...quarters].sort((a, b) => a - b)).toEqual([0, 1, 2, 3]);
  });

  it("does not overflow after thousands of failures", () => {
    const { redial } = new Rig();
    const pauses = Array.from({ length: 3_000 }, () => redial.dialLater(LOST));
    expect(Math.max(...pauses)).toBe(MAX / 2);
    expect(pauses.at(-1)).toBe(MAX / 2);
  });

  it("starts over with short pauses only once a connection has lived ten seconds", async () => {
    const rig = new Rig();
    rig.redial.dial();
    await rig.refuse();
    await rig.clock.advance(50);
    await rig.refuse();
    await rig.clock.advance(100);
    await rig.accept();
    await rig.clock.advance(9_999);
    expect(rig.redial.dialLater(LOST), "kicked a millisecond too soon").toBe(200);
    rig.redial.dialAfter(1);
    await rig.clock.advance(1);
    await rig.accept();
    await rig.clock.advance(10_000);
    expect(rig.redial.dialLater(LOST)).toBe(50);
    expect(rig.redial.dialLater(LOST), "and counts on from there").toBe(50);
  });

  it("comes back with short pauses after a session that was welcomed and lost, however long the other end is away", async () => {
    const rig = new Rig({ max: 30_000 });
    rig.redial.dial();
    for (let i = 0; i < 10; i++) {
      await rig.refuse();
      await rig.clock.advance(30_000);
    }
    expect(rig.failures.at(-1)?.retryIn).toBe(15_000);
    await rig.accept();
    await rig.clock.advance(1_000);
    expect(rig.redial.dialLater(WELCOMED)).toBe(50);
    rig.redial.dialAfter(1);
    await rig.clock.advance(1);
    rig.failures.length = 0;
    for (let i = 0; i < 9; i++) {
      await rig.refuse();
      await rig.clock.advance(2_000);
    }
    expect(rig.failures.map(({ retryIn }) => retryIn)).toEqual([100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000, 1_000]);
    // A refusal on its return doubles from there, up to the long bound.
    const refusal = Object.assign(new Error("HTTP 503"), { refused: true });
    for (let i = 0; i < 5; i++) {
      await rig.refuse(refusal);
      await rig.clock.advance(30_000);
    }
    expect(rig.failures.slice(9).map(({ retryIn }) => retryIn)).toEqual([1_600, 3_200, 6_400, 12_800, 15_000]);
    rig.redial.stop();
  });

  it.each([
    ["a refusal", [REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED], [50, 100, 200, 400, 800, 1_600]],
    ["three short sessions", Array.from({ length: 8 }, () => WELCOMED), [50, 50, 100, 200, 400, 800, 1_600, 3_200]],
    ["no answer to HELLO", Array.from({ length: 7 }, () => LOST), [50, 100, 200, 400, 800, 1_600, 3_200]],
  ])("waits longer and longer after %s, beyond two seconds", async (_name, ends, pauses) => {
    const rig = new Rig({ max: 30_000 });
    const seen: number[] = [];
    rig.redial.dial();
    for (const end of ends) {
      await rig.accept();
      seen.push(rig.redial.dialLater(end));
      rig.redial.dialAfter(1);
      await rig.clock.advance(1);
    }
    expect(seen).toEqual(pauses);
    rig.redial.stop();
  });

  it("obeys what the other end asks for, on top of its own pause", () => {
    const rig = new Rig();
    expect(rig.redial.dialLater(WELCOMED, 7_000)).toBe(7_050);
    expect(rig.redial.dialLater(WELCOMED, 900_000)).toBe(300_050);
  });

  it("has one dial under way at a time", async () => {
    const rig = new Rig();
    rig.redial.dial();
    rig.redial.dial();
    rig.redial.dialAfter(5);
    await rig.clock.advance(10);
    expect(rig.dials).toHaveLength(1);
    rig.redial.stop();
  });

  it("does not dial a second time when it is dialled before the pause is over", async () => {
    const rig = new Rig();
    rig.redial.dialAfter(100);
    rig.redial.dial();
    await rig.accept();
    await rig.clock.advance(1_000);
    expect(rig.dials).toHaveLength(1);
  });

  it("is not dialled while its owner has no use for it, and without a timer", async () => {
    let may = false;
    const rig = new Rig({ mayDial: () => may });
    rig.redial.dial();
    rig.redial.dialAfter(5);
    await rig.clock.advance(10);
    expect([rig.dials.length, rig.clock.pending]).toEqual([0, 0]);
    may = true;
    rig.redial.dial();
    expect(rig.dials).toHaveLength(1);
    rig.redial.stop();
  });

  it("is given up when its owner says so", async () => {
    const rig = new Rig();
    rig.goOn = false;
    rig.redial.dial();
    await rig.refuse();
    expect(rig.clock.pending).toBe(0);
    await rig.clock.advance(1e6);
    expect(rig.dials).toHaveLength(1);
  });

  it("takes a dialer that throws for one that fails", async () => {
    const rig = new Rig({
      dial: () => {
        throw new Error("thrown, not rejected");
      },
    });
    expect(() => rig.redial.dial()).not.toThrow();
    await rig.clock.settle();
    expect(rig.failures.map(({ error }) => String(error))).toEqual(["Error: thrown, not rejected"]);
    await rig.clock.advance(50);
    expect(rig.failures, "and dials it again").toHaveLength(2);
    rig.redial.stop();
    expect(rig.clock.pending).toBe(0);
  });

  it.each([
    [undefined, true],
    [false, true],
    [true, false],
  ])("keeps the process alive unless the other end lives in it too (%s)", async (sameProcess, keepAlive) => {
    const rig = new Rig(sameProcess === undefined ? {} : { sameProcess });
    rig.redial.dial();
    await rig.refuse();
    expect(rig.clock.keptAlive).toEqual([keepAlive]);
    rig.redial.stop();
  });
});

describe("a stopped redial", () => {
  it("aborts the dial under way and closes the socket that comes all the same", async () => {
    const rig = new Rig();
    rig.redial.dial();
    rig.redial.stop();
    rig.redial.stop();
    expect(rig.dials[0]?.signal.aborted).toBe(true);
    const closes = await rig.accept();
    expect(closes.map(({ code }) => code)).toEqual(["local"]);
    expect([rig.connected, rig.failures]).toEqual([[], []]);
  });

  it("says nothing of the dial that fails for it", async () => {
    const rig = new Rig();
    rig.redial.dial();
    rig.redial.stop();
    await rig.refuse();
    expect([rig.failures, rig.clock.pending]).toEqual([[], 0]);
  });

  it("does not dial any more, whatever it is told", async () => {
    const rig = new Rig();
    rig.redial.dialAfter(10);
    rig.redial.stop();
    rig.redial.dial();
    rig.redial.dialAfter(10);
    expect(rig.clock.pending).toBe(0);
    await rig.clock.advance(100);
    expect(rig.dials).toEqual([]);
  });

  it("can be stopped by its owner as it hears of a failure", async () => {
    const rig = new Rig();
    rig.failures.push = () => {
      rig.redial.stop();
      return 0;
    };
    rig.redial.dial();
    await rig.refuse();
    expect(rig.clock.pending).toBe(0);
  });
});
