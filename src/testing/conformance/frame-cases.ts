/** Cases of frames: whole, in order, exact, never synchronous. See open-cases.ts for frames that come before `open`. */
import { SeededRandom } from "../time/seeded-random.ts";
import { expectEqual, expectTrue } from "./expectation.ts";
import { bytes, textOf, utf8 } from "./recorder.ts";
import { MAX, type Pair, type SocketCase } from "./socket-fixture.ts";

/** Connections that are tried with frames drawn from a seed. */
const DRAWN = 25;

function drawFrames(seed: number): readonly Uint8Array<ArrayBuffer>[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: 1 + random.below(20) }, () => {
    // Short ones as often as long ones: the ends of a length field are where transports go wrong.
    const length = 1 + random.below(random.pick([4, 130, 2_000]));
    return Uint8Array.from({ length }, () => random.below(256));
  });
}

function numbers(count: number, word = ""): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${word}${i}`);
}

const exactness: readonly SocketCase[] = [
  ...[1, 2, 125, 126, 127, 4_096, 65_535, MAX].map(
    (length) =>
      ({
        name: `a frame of ${length} bytes arrives whole`,
        check: async (fixture): Promise<void> => {
          const { near, farSide } = await fixture.pair();
          expectTrue(near.send(bytes(length, 3)), "send takes the frame");
          await fixture.arrived(farSide, 1);
          expectEqual(farSide.frames[0], bytes(length, 3), "the frame");
        },
      }) satisfies SocketCase,
  ),
  {
    name: "and so in the other direction",
    check: async (fixture) => {
      const { far, nearSide } = await fixture.pair();
      expectTrue(far.send(bytes(MAX, 5)), "send takes the frame");
      await fixture.arrived(nearSide, 1);
      expectEqual(nearSide.frames[0], bytes(MAX, 5), "the frame");
    },
  },
  {
    name: "every byte value passes, and text of any script",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      const words = "\0 \u{feff}é 漢字 🐎 \u{10ffff}\r\n";
      near.send(Uint8Array.from({ length: 256 }, (_, i) => i));
      near.send(utf8(words));
      await fixture.arrived(farSide, 2);
      expectEqual(farSide.frames, [Uint8Array.from({ length: 256 }, (_, i) => i), utf8(words)], "the frames");
    },
  },
  {
    name: "any frames arrive exactly, in order, nothing added",
    check: async (fixture) => {
      for (let seed = 0; seed < DRAWN; seed++) {
        const sent = drawFrames(seed);
        const { near, far, farSide } = await fixture.pair();
        for (const frame of sent) near.send(frame.slice());
        await fixture.arrived(farSide, sent.length);
        expectEqual(farSide.frames, sent, `the frames of draw ${seed}`);
        near.close();
        far.close();
      }
    },
  },
];

const order: readonly SocketCase[] = [
  {
    name: "ten thousand small frames arrive in order",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      for (const word of numbers(10_000)) near.send(utf8(word));
      await fixture.arrived(farSide, 10_000);
      expectEqual(farSide.frames.map(textOf), numbers(10_000), "the frames");
    },
  },
  {
    name: "many large frames arrive in order",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      for (let i = 0; i < 100; i++) near.send(bytes(MAX - i, i));
      await fixture.arrived(farSide, 100);
      for (const [i, frame] of farSide.frames.entries()) expectEqual(frame, bytes(MAX - i, i), `frame ${i}`);
    },
  },
  {
    name: "large and small frames do not overtake each other",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      const lengths = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? MAX : 1 + i));
      for (const [i, length] of lengths.entries()) near.send(bytes(length, i));
      await fixture.arrived(farSide, lengths.length);
      const arrived = farSide.frames.map((frame) => frame.byteLength);
      expectEqual(arrived, lengths, "the lengths of the frames");
    },
  },
  {
    name: "both directions at once keep their own order",
    check: async (fixture) => {
      const { near, far, nearSide, farSide } = await fixture.pair();
      for (let i = 0; i < 500; i++) {
        near.send(utf8(`there ${i}`));
        far.send(utf8(`back ${i}`));
      }
      await fixture.arrived(farSide, 500);
      await fixture.arrived(nearSide, 500);
      expectEqual(farSide.frames.map(textOf), numbers(500, "there "), "the frames on their way there");
      expectEqual(nearSide.frames.map(textOf), numbers(500, "back "), "the frames on their way back");
    },
  },
  {
    name: "answers from inside the frame callback play ping-pong",
    check: async (fixture) => {
      const { near, far, nearSide, farSide } = await fixture.pair();
      farSide.onFrame = (frame): void => void far.send(Uint8Array.from(frame));
      nearSide.onFrame = (frame): void => void (nearSide.frames.length < 50 && near.send(Uint8Array.from(frame)));
      near.send(utf8("ball"));
      await fixture.arrived(nearSide, 50);
      expectEqual([...new Set(nearSide.frames.map(textOf))], ["ball"], "what came back");
    },
  },
  {
    name: "twenty sockets do not mix their frames",
    check: async (fixture) => {
      const pairs: Pair[] = [];
      for (let i = 0; i < 20; i++) pairs.push(await fixture.pair());
      for (let round = 0; round < 10; round++)
        for (const [i, { near }] of pairs.entries()) near.send(utf8(`${i}/${round}`));
      for (const { farSide } of pairs) await fixture.arrived(farSide, 10);
      for (const [i, { farSide }] of pairs.entries()) {
        expectEqual(farSide.frames.map(textOf), numbers(10, `${i}/`), `the frames of socket ${i}`);
      }
    },
  },
];

const sending: readonly SocketCase[] = [
  {
    name: "send never delivers synchronously",
    check: async (fixture) => {
      const { near, far, nearSide, farSide } = await fixture.pair();
      near.send(bytes(10));
      far.send(bytes(10));
      expectEqual([farSide.order, nearSide.order], ["", ""], "what arrived inside send");
      await fixture.arrived(farSide, 1);
      await fixture.arrived(nearSide, 1);
    },
  },
  {
    name: "send is false after a local close, and nothing arrives",
    check: async (fixture) => {
      const { near, nearSide, farSide } = await fixture.pair();
      near.close();
      expectEqual(near.send(bytes(10)), false, "send right after close");
      await fixture.closed(nearSide, farSide);
      expectEqual(near.send(bytes(10)), false, "send once closed");
      await fixture.harness.quiet();
      expectEqual(farSide.frames, [], "the frames at the other end");
    },
  },
  {
    name: "send is false once the peer has closed",
    check: async (fixture) => {
      const { near, far, nearSide } = await fixture.pair();
      far.close();
      await fixture.closed(nearSide);
      expectEqual(near.send(bytes(10)), false, "send once the peer has closed");
    },
  },
  {
    name: "send does not throw while the peer is closing",
    check: async (fixture) => {
      const { near, far, nearSide } = await fixture.pair();
      far.close();
      for (let i = 0; i < 100; i++) expectEqual(typeof near.send(bytes(100, i)), "boolean", "what send returns");
      await fixture.closed(nearSide);
    },
  },
];

/** In the order to read them in. */
export const frameCases: readonly SocketCase[] = [...exactness, ...order, ...sending];
