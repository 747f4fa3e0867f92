/** Laws of opening, of who owns the bytes, of the frame limit and of what a socket says about itself. */
import { expectEqual, expectTrue, expectWords, thrownBy } from "./expectation.ts";
import { bytes, Recorder, text, utf8 } from "./recorder.ts";
import { MAX, type SocketCase } from "./socket-fixture.ts";

const opening: readonly SocketCase[] = [
  {
    name: "frames sent before the other end opens are held, in order",
    check: async (stage) => {
      const [near, far] = await stage.connect();
      for (let i = 0; i < 20; i++) near.send(utf8(String(i)));
      await stage.rig.quiet();
      const farSide = new Recorder("the listener's end");
      far.open(farSide);
      near.open(new Recorder("the dialler's end"));
      near.send(utf8("20"));
      await stage.arrived(farSide, 21);
      const words = Array.from({ length: 21 }, (_, i) => String(i));
      expectEqual(farSide.frames.map(text), words, "the frames");
    },
  },
  {
    name: "an end that is not open yet can send",
    check: async (stage) => {
      const [near, far] = await stage.connect();
      const nearSide = new Recorder("the dialler's end");
      near.open(nearSide);
      expectTrue(far.send(bytes(3)), "send takes the frame");
      await stage.arrived(nearSide, 1);
    },
  },
  {
    name: "frames and the close that came before open are delivered, in that order",
    check: async (stage) => {
      const [near, far] = await stage.connect();
      near.open(new Recorder("the dialler's end"));
      near.send(bytes(1));
      near.send(bytes(2));
      near.close();
      await stage.rig.quiet();
      const farSide = new Recorder("the listener's end");
      far.open(farSide);
      await stage.closed(farSide);
      expectEqual(farSide.order, "ffc", "what the end that opened late was told");
    },
  },
  {
    name: "opening twice throws",
    check: async (stage) => {
      const { near } = await stage.pair();
      const error = thrownBy(() => near.open(new Recorder("a second reader")), "opening twice");
      expectWords(String(error), "already open", "the error");
    },
  },
  {
    name: "closed before it is opened: told once, and no held frame",
    check: async (stage) => {
      const [near, far] = await stage.connect();
      near.open(new Recorder("the dialler's end"));
      near.send(bytes(4));
      await stage.rig.quiet();
      far.close();
      const farSide = new Recorder("the listener's end");
      far.open(farSide);
      await stage.closed(farSide);
      await stage.rig.quiet();
      expectEqual(farSide.order, "c", "what the end that closed was told");
    },
  },
  ...([undefined, "violation"] as const).map(
    (code) =>
      ({
        name: `closing (${code}) in the middle of held frames ends them`,
        check: async (stage): Promise<void> => {
          const [near, far] = await stage.connect();
          near.open(new Recorder("the dialler's end"));
          for (let i = 0; i < 5; i++) near.send(bytes(4, i));
          await stage.rig.quiet();
          const farSide = new Recorder("the listener's end");
          farSide.onFrame = (): void => {
            if (farSide.frames.length === 2) far.close(code === undefined ? undefined : { code, message: "enough" });
          };
          far.open(farSide);
          await stage.closed(farSide);
          await stage.rig.quiet();
          expectEqual(farSide.order, "ffc", "what the end that closed was told");
        },
      }) satisfies SocketCase,
  ),
];

const ownership: readonly SocketCase[] = [
  {
    name: "views of one buffer arrive exactly, and leave the rest of it usable",
    check: async (stage) => {
      const { near, farSide } = await stage.pair();
      const whole = bytes(100, 9);
      near.send(whole.subarray(10, 20));
      near.send(whole.subarray(20, 100));
      near.send(whole.subarray(0, 10));
      await stage.arrived(farSide, 3);
      const again = bytes(100, 9);
      expectEqual(farSide.frames, [again.slice(10, 20), again.slice(20), again.slice(0, 10)], "the frames");
    },
  },
  {
    name: "a received frame is the receiver's to write into",
    check: async (stage) => {
      const { near, farSide } = await stage.pair();
      farSide.onFrame = (frame): void => void (farSide.frames.length % 2 === 1 && frame.fill(0xff));
      for (let i = 0; i < 10; i++) near.send(bytes(50, i));
      await stage.arrived(farSide, 10);
      for (let i = 1; i < 10; i += 2) expectEqual(farSide.frames[i], bytes(50, i), `frame ${i}`);
    },
  },
  {
    name: "a received frame is a plain Uint8Array",
    check: async (stage) => {
      const { near, far, nearSide, farSide } = await stage.pair();
      near.send(bytes(8));
      far.send(bytes(8));
      await stage.arrived(farSide, 1);
      await stage.arrived(nearSide, 1);
      for (const frame of [...farSide.frames, ...nearSide.frames]) {
        const plain = Object.getPrototypeOf(frame) === Uint8Array.prototype && frame.buffer instanceof ArrayBuffer;
        expectTrue(plain, `a plain Uint8Array over an ArrayBuffer; it is a ${frame.constructor.name}`);
      }
    },
  },
];

const limits: readonly SocketCase[] = [
  ...(["dialler", "listener"] as const).map(
    (from) =>
      ({
        name: `a frame over the limit from the ${from} closes both ends`,
        check: async (stage): Promise<void> => {
          const { near, far, nearSide, farSide } = await stage.pair();
          const [sender, senderSide, receiverSide] =
            from === "dialler" ? [near, nearSide, farSide] : [far, farSide, nearSide];
          sender.send(bytes(MAX + 1));
          expectEqual(senderSide.order, "", "what the sender was told inside send");
          await stage.closed(senderSide, receiverSide);
          const codes = [...senderSide.closes, ...receiverSide.closes].map((reason) => reason.code);
          expectTrue(codes.includes("too-large"), `the code too-large at one end at least; seen: ${codes.join(", ")}`);
          expectEqual(receiverSide.frames.length, 0, "the number of frames at the receiver");
          expectEqual(sender.send(bytes(1)), false, "send once closed");
        },
      }) satisfies SocketCase,
  ),
  {
    name: "what was sent before the frame over the limit still arrives",
    check: async (stage) => {
      const { near, farSide } = await stage.pair();
      near.send(bytes(5));
      near.send(bytes(MAX));
      near.send(bytes(MAX + 1));
      await stage.closed(farSide);
      expectEqual(farSide.order, "ffc", "what the receiver was told");
    },
  },
];

const facts: readonly SocketCase[] = [
  {
    name: "both ends say who is there, in words",
    check: async (stage) => {
      for (const { peer } of await stage.connect()) {
        for (const word of [peer.transport, peer.address, peer.principal]) {
          expectTrue(/^\S.*$/.test(word), `a word for transport, address and principal; it is ${JSON.stringify(peer)}`);
        }
      }
    },
  },
  {
    name: "both ends declare the transport's faults",
    check: async (stage) => {
      for (const { faults } of await stage.connect()) expectEqual(faults, stage.rig.faults, "faults");
    },
  },
  {
    name: "peers that dial in are told apart by their address",
    check: async (stage) => {
      const [, first] = await stage.connect();
      const [, second] = await stage.connect();
      const { address } = second.peer;
      expectTrue(first.peer.address !== address, `two addresses for two diallers; both are ${address}`);
    },
  },
  {
    name: "bufferedBytes is a count that goes back to 0",
    check: async (stage) => {
      const { near, farSide } = await stage.pair();
      expectEqual(near.bufferedBytes, 0, "bufferedBytes before anything is sent");
      for (let i = 0; i < 50; i++) {
        near.send(bytes(MAX, i));
        const count = near.bufferedBytes;
        expectTrue(Number.isFinite(count) && count >= 0, `a count of bytes; bufferedBytes is ${count}`);
      }
      await stage.arrived(farSide, 50);
      await stage.emptied(near);
    },
  },
  {
    name: "bufferedBytes is 0 once closed",
    check: async (stage) => {
      const { near, nearSide } = await stage.pair();
      for (let i = 0; i < 50; i++) near.send(bytes(MAX, i));
      near.close();
      await stage.closed(nearSide);
      await stage.emptied(near);
      expectEqual(near.send(bytes(1)), false, "send once closed");
    },
  },
];

/** In the order to read them in. */
export const openCases: readonly SocketCase[] = [...opening, ...ownership, ...limits, ...facts];
