/** Cases of closing: seen once at both ends, never inside `close`, nothing after it. */
import { SeededRandom } from "../time/seeded-random.ts";
import { expectEqual, expectTrue } from "./expectation.ts";
import { bytes, textOf, utf8 } from "./recorder.ts";
import { MAX, type Pair, type SocketCase, type SocketFixture } from "./socket-fixture.ts";

/** What may happen to a connection before it is closed, as the last case draws it. */
const STEPS = ["near sends", "far sends", "near closes", "far closes", "quiet"] as const;
/** Histories that are drawn, each on a connection of its own. */
const DRAWN = 20;

type Step = (typeof STEPS)[number];

function drawSteps(seed: number): readonly Step[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: random.below(13) }, () => random.pick(STEPS));
}

async function take(step: Step, { near, far }: Pair, fixture: SocketFixture): Promise<void> {
  if (step === "near sends") near.send(bytes(20));
  else if (step === "far sends") far.send(bytes(20));
  else if (step === "near closes") near.close();
  else if (step === "far closes") far.close();
  else await fixture.harness.quiet();
}

const closing: readonly SocketCase[] = [
  {
    name: "a local close is told once at both ends: local here, peer there",
    check: async (fixture) => {
      const { near, nearSide, farSide } = await fixture.pair();
      near.close();
      await fixture.closed(nearSide, farSide);
      await fixture.harness.quiet();
      expectEqual([nearSide.order, farSide.order], ["c", "c"], "what both ends were told");
      expectEqual([nearSide.closes[0]?.code, farSide.closes[0]?.code], ["local", "peer"], "the codes of the close");
    },
  },
  {
    name: "and so when the listener's end closes",
    check: async (fixture) => {
      const { far, nearSide, farSide } = await fixture.pair();
      far.close();
      await fixture.closed(nearSide, farSide);
      expectEqual([nearSide.closes[0]?.code, farSide.closes[0]?.code], ["peer", "local"], "the codes of the close");
    },
  },
  {
    name: "closed never comes inside close()",
    check: async (fixture) => {
      const { near, far, nearSide, farSide } = await fixture.pair();
      near.close();
      far.close();
      expectEqual([nearSide.order, farSide.order], ["", ""], "what was told inside close()");
      await fixture.closed(nearSide, farSide);
    },
  },
  {
    name: "closing twice, and again after it is closed, changes nothing",
    check: async (fixture) => {
      const { near, nearSide, farSide } = await fixture.pair();
      near.close();
      near.close({ code: "violation", message: "too late to matter" });
      await fixture.closed(nearSide, farSide);
      near.close();
      await fixture.harness.quiet();
      expectEqual([nearSide.order, farSide.order], ["c", "c"], "what both ends were told");
      expectEqual(nearSide.closes[0]?.code, "local", "the code of the first close");
    },
  },
  {
    name: "both ends closing at once are each told once",
    check: async (fixture) => {
      const { near, far, nearSide, farSide } = await fixture.pair();
      near.close();
      far.close();
      await fixture.closed(nearSide, farSide);
      await fixture.harness.quiet();
      expectEqual([nearSide.order, farSide.order], ["c", "c"], "what both ends were told");
    },
  },
];

const reasons: readonly SocketCase[] = [
  ...(["error", "too-large", "violation"] as const).map(
    (code) =>
      ({
        name: `a close for the reason ${code} is told here as given`,
        check: async (fixture): Promise<void> => {
          const { near, nearSide, farSide } = await fixture.pair();
          near.close({ code, message: "because" });
          await fixture.closed(nearSide, farSide);
          expectEqual(nearSide.closes[0], { code, message: "because" }, "the reason here");
          const there = farSide.closes[0]?.message ?? "";
          expectTrue(!there.includes("because"), `a reason there that keeps the words to this end; it is ${there}`);
        },
      }) satisfies SocketCase,
  ),
  {
    name: "a reason with a very long message closes all the same",
    check: async (fixture) => {
      const { near, nearSide, farSide } = await fixture.pair();
      near.close({ code: "violation", message: "🐎".repeat(10_000) });
      await fixture.closed(nearSide, farSide);
      expectEqual([nearSide.order, farSide.order], ["c", "c"], "what both ends were told");
    },
  },
];

const lastFrames: readonly SocketCase[] = [
  {
    name: "frames sent before close arrive before the close",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      for (let i = 0; i < 50; i++) near.send(bytes(MAX, i));
      near.close();
      await fixture.closed(farSide);
      expectEqual(farSide.order, `${"f".repeat(50)}c`, "what the other end was told");
    },
  },
  {
    name: "no frame is delivered after a local close, whatever is on its way",
    check: async (fixture) => {
      const { near, far, nearSide } = await fixture.pair();
      for (let i = 0; i < 50; i++) far.send(bytes(1_000, i));
      near.close();
      await fixture.closed(nearSide);
      await fixture.harness.quiet();
      expectEqual(nearSide.order, "c", "what the end that closed was told");
    },
  },
  {
    name: "frames, then one close, whatever the history",
    check: async (fixture) => {
      for (let seed = 0; seed < DRAWN; seed++) {
        const steps = drawSteps(seed);
        const pair = await fixture.pair();
        for (const step of steps) await take(step, pair, fixture);
        pair.near.close();
        await fixture.closed(pair.nearSide, pair.farSide);
        for (const { name, order } of [pair.nearSide, pair.farSide]) {
          expectTrue(
            /^f*c$/.test(order),
            `frames, then one close, at ${name} after ${steps.join(", ")}; seen: ${order}`,
          );
        }
      }
    },
  },
];

const reentrancy: readonly SocketCase[] = [
  {
    name: "closing inside the frame callback: no further frame, told once, not inside",
    check: async (fixture) => {
      const { near, far, farSide } = await fixture.pair();
      let toldInside = true;
      farSide.onFrame = (): void => {
        far.close();
        toldInside = farSide.closes.length > 0;
      };
      for (let i = 0; i < 10; i++) near.send(bytes(10, i));
      await fixture.closed(farSide);
      await fixture.harness.quiet();
      expectEqual(farSide.order, "fc", "what the end that closed was told");
      expectTrue(!toldInside, "a close that is told after close() has returned");
    },
  },
  {
    name: "closing and sending inside the closed callback is harmless",
    check: async (fixture) => {
      const { near, far, nearSide, farSide } = await fixture.pair();
      const sent: boolean[] = [];
      for (const [socket, side] of [
        [near, nearSide],
        [far, farSide],
      ] as const) {
        side.onClosed = (): void => {
          sent.push(socket.send(bytes(1)));
          socket.close();
        };
      }
      near.close();
      await fixture.closed(nearSide, farSide);
      await fixture.harness.quiet();
      expectEqual([nearSide.order, farSide.order], ["c", "c"], "what both ends were told");
      expectEqual(sent, [false, false], "what send returned inside closed");
    },
  },
  {
    name: "a last word from inside the frame callback still leaves",
    check: async (fixture) => {
      const { near, far, nearSide, farSide } = await fixture.pair();
      farSide.onFrame = (): void => {
        far.send(utf8("goodbye"));
        far.close();
      };
      near.send(utf8("hello"));
      await fixture.closed(nearSide);
      expectEqual(nearSide.frames.map(textOf), ["goodbye"], "the last words");
    },
  },
];

/** In the order to read them in. */
export const closeCases: readonly SocketCase[] = [...closing, ...reasons, ...lastFrames, ...reentrancy];
