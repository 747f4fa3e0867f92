/** Cases of opening, of the ownership of bytes, of the frame limit and of what a socket says about itself. */
import { expectEqual, expectTrue, expectWords, thrownBy } from "./expectation.ts";
import { bytes, Recorder, textOf, utf8 } from "./recorder.ts";
import { MAX, type SocketCase } from "./socket-fixture.ts";

const opening: readonly SocketCase[] = [
  {
    name: "frames sent before the other end opens are held, in order",
    check: async (fixture) => {
      const [near, far] = await fixture.connect();
      for (let i = 0; i < 20; i++) near.send(utf8(String(i)));
      await fixture.harness.quiet();
      const farSide = new Recorder("the listener's end");
      far.open(farSide);
      near.open(new Recorder("the dialler's end"));
      near.send(utf8("20"));
      await fixture.arrived(farSide, 21);
      const words = Array.from({ length: 21 }, (_, i) => String(i));
      expectEqual(farSide.frames.map(textOf), words, "the frames");
    },
  },
  {
    name: "an end that is not open yet can send",
    check: async (fixture) => {
      const [near, far] = await fixture.connect();
      const nearSide = new Recorder("the dialler's end");
      near.open(nearSide);
      expectTrue(far.send(bytes(3)), "send takes the frame");
      await fixture.arrived(nearSide, 1);
    },
  },
  {
    name: "frames and the close that came before open are delivered, in that order",
    check: async (fixture) => {
      const [near, far] = await fixture.connect();
      near.open(new Recorder("the dialler's end"));
      near.send(bytes(1));
      near.send(bytes(2));
      near.close();
      await fixture.harness.quiet();
      const farSide = new Recorder("the listener's end");
      far.open(farSide);
      await fixture.closed(farSide);
      expectEqual(farSide.order, "ffc", "what the end that opened late was told");
    },
  },
  {
    name: "opening twice throws",
    check: async (fixture) => {
      const { near } = await fixture.pair();
      const error = thrownBy(() => near.open(new Recorder("a second reader")), "opening twice");
      expectWords(String(error), "already open", "the error");
    },
  },
  {
    name: "closed before it is opened: told once, and no held frame",
    check: async (fixture) => {
      const [near, far] = await fixture.connect();
      near.open(new Recorder("the dialler's end"));
      near.send(bytes(4));
      await fixture.harness.quiet();
      far.close();
      const farSide = new Recorder("the listener's end");
      far.open(farSide);
      await fixture.closed(farSide);
      await fixture.harness.quiet();
      expectEqual(farSide.order, "c", "what the end that closed was told");
    },
  },
  ...([undefined, "violation"] as const).map(
    (code) =>
      ({
        name: `closing (${code}) in the middle of held frames ends them`,
        check: async (fixture): Promise<void> => {
          const [near, far] = await fixture.connect();
          near.open(new Recorder("the dialler's end"));
          for (let i = 0; i < 5; i++) near.send(bytes(4, i));
          await fixture.harness.quiet();
          const farSide = new Recorder("the listener's end");
          farSide.onFrame = (): void => {
            if (farSide.frames.length === 2) far.close(code === undefined ? undefined : { code, message: "enough" });
          };
          far.open(farSide);
          await fixture.closed(farSide);
          await fixture.harness.quiet();
          expectEqual(farSide.order, "ffc", "what the end that closed was told");
        },
      }) satisfies SocketCase,
  ),
];

const ownership: readonly SocketCase[] = [
  {
    name: "views of one buffer arrive exactly, and leave the rest of it usable",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      const whole = bytes(100, 9);
      near.send(whole.subarray(10, 20));
      near.send(whole.subarray(20, 100));
      near.send(whole.subarray(0, 10));
      await fixture.arrived(farSide, 3);
      const again = bytes(100, 9);
      expectEqual(farSide.frames, [again.slice(10, 20), again.slice(20), again.slice(0, 10)], "the frames");
    },
  },
  {
    name: "a received frame is the receiver's to write into",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      farSide.onFrame = (frame): void => void (farSide.frames.length % 2 === 1 && frame.fill(0xff));
      for (let i = 0; i < 10; i++) near.send(bytes(50, i));
      await fixture.arrived(farSide, 10);
      for (let i = 1; i < 10; i += 2) expectEqual(farSide.frames[i], bytes(50, i), `frame ${i}`);
    },
  },
  {
    name: "a received frame is a plain Uint8Array",
    check: async (fixture) => {
      const { near, far, nearSide, farSide } = await fixture.pair();
      near.send(bytes(8));
      far.send(bytes(8));
      await fixture.arrived(farSide, 1);
      await fixture.arrived(nearSide, 1);
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
        check: async (fixture): Promise<void> => {
          const { near, far, nearSide, farSide } = await fixture.pair();
          const [sender, senderSide, receiverSide] =
            from === "dialler" ? [near, nearSide, farSide] : [far, farSide, nearSide];
          sender.send(bytes(MAX + 1));
          expectEqual(senderSide.order, "", "what the sender was told inside send");
          await fixture.closed(senderSide, receiverSide);
          const codes = [...senderSide.closes, ...receiverSide.closes].map((reason) => reason.code);
          expectTrue(codes.includes("too-large"), `the code too-large at one end at least; seen: ${codes.join(", ")}`);
          expectEqual(receiverSide.frames.length, 0, "the number of frames at the receiver");
          expectEqual(sender.send(bytes(1)), false, "send once closed");
        },
      }) satisfies SocketCase,
  ),
  {
    name: "what was sent before the frame over the limit still arrives",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      near.send(bytes(5));
      near.send(bytes(MAX));
      near.send(bytes(MAX + 1));
      await fixture.closed(farSide);
      expectEqual(farSide.order, "ffc", "what the receiver was told");
    },
  },
];

/** Frames: 64 MiB. A loopback connection holds some MiB. */
const MAX_FRAMES_SENT = 1_024;

const facts: readonly SocketCase[] = [
  {
    name: "both ends say who is there, in words",
    check: async (fixture) => {
      for (const { peer } of await fixture.connect()) {
        for (const word of [peer.transport, peer.address, peer.principal]) {
          expectTrue(/^\S.*$/.test(word), `a word for transport, address and principal; it is ${JSON.stringify(peer)}`);
        }
      }
    },
  },
  {
    name: "both ends declare the transport's faults",
    check: async (fixture) => {
      for (const { faults } of await fixture.connect()) expectEqual(faults, fixture.harness.faults, "faults");
    },
  },
  {
    name: "peers that dial in are told apart by their address",
    check: async (fixture) => {
      const [, first] = await fixture.connect();
      const [, second] = await fixture.connect();
      const { address } = second.peer;
      expectTrue(first.peer.address !== address, `two addresses for two diallers; both are ${address}`);
    },
  },
  {
    name: "bufferedBytes is a count that goes back to 0",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      expectEqual(near.bufferedBytes, 0, "bufferedBytes before anything is sent");
      for (let i = 0; i < 50; i++) {
        near.send(bytes(MAX, i));
        const count = near.bufferedBytes;
        expectTrue(Number.isFinite(count) && count >= 0, `a count of bytes; bufferedBytes is ${count}`);
      }
      await fixture.arrived(farSide, 50);
      await fixture.emptied(near);
    },
  },
  {
    name: "bufferedBytes grows while the peer takes nothing",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      // In one turn the peer takes nothing. A network between may, until it is full.
      let sent = 0;
      for (; near.bufferedBytes === 0 && sent < MAX_FRAMES_SENT; sent++) near.send(bytes(MAX, sent));
      const counted = near.bufferedBytes;
      expectTrue(counted > 0, `bytes that wait are counted; bufferedBytes is 0 after ${sent * MAX} bytes in one turn`);
      for (const last = sent + 16; sent < last; sent++) near.send(bytes(MAX, sent));
      const grown = near.bufferedBytes - counted;
      expectTrue(grown >= 15 * MAX, `what is sent besides is counted; bufferedBytes grew by ${grown} of ${16 * MAX}`);
      await fixture.arrived(farSide, sent);
      await fixture.emptied(near);
    },
  },
  {
    name: "bufferedBytes is 0 once closed",
    check: async (fixture) => {
      const { near, nearSide } = await fixture.pair();
      for (let i = 0; i < 50; i++) near.send(bytes(MAX, i));
      near.close();
      await fixture.closed(nearSide);
      await fixture.emptied(near);
      expectEqual(near.send(bytes(1)), false, "send once closed");
    },
  },
];

/** In the order to read them in. */
export const openCases: readonly SocketCase[] = [...opening, ...ownership, ...limits, ...facts];
