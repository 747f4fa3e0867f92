/** Cases of memory that goes beside frames. On a transport that declares none they check that nothing is declared by halves. */
import { expectEqual, expectTrue } from "./expectation.ts";
import { bytes, Recorder } from "./recorder.ts";
import { MAX, type SocketCase } from "./socket-fixture.ts";

/** Cases of attachments. */
export const attachmentCases: readonly SocketCase[] = [
  {
    name: "both ends of a connection hand over the same beside a frame",
    check: async (fixture) => {
      const { near, far } = await fixture.pair();
      expectEqual(near.attachments, far.attachments, "what both ends declare");
    },
  },
  {
    name: "buffers go with their frame, whole, in order and over its limit, and change hands",
    check: async (fixture) => {
      const { near, far, nearSide, farSide } = await fixture.pair();
      if (near.attachments === undefined) return;
      for (const [from, to] of [
        [near, farSide],
        [far, nearSide],
      ] as const) {
        const buffers = [bytes(2 * MAX, 1), bytes(5, 2)].map(({ buffer }) => buffer);
        expectTrue(from.send(bytes(3, 1)), "send takes a frame before it");
        expectTrue(from.send(bytes(3, 2), buffers), "send takes the frame");
        expectTrue(from.send(bytes(3, 3)), "send takes a frame behind it");
        await fixture.arrived(to, 3);
        expectEqual(to.frames, [bytes(3, 1), bytes(3, 2), bytes(3, 3)], "the frames");
        const [before, beside, behind] = to.attachments;
        expectEqual([before, behind], [undefined, undefined], "what came with the other frames");
        expectEqual(
          beside?.map((buffer) => new Uint8Array(buffer)),
          [bytes(2 * MAX, 1), bytes(5, 2)],
          "the buffers",
        );
        // Within a process the very memory arrives; across threads it is gone here.
        const isSame = buffers.every((buffer, i) => buffer === beside?.[i]);
        expectTrue(isSame || buffers.every(({ byteLength }) => byteLength === 0), "no copy is left here");
      }
    },
  },
  {
    name: "shared memory goes with a frame by reference, more than once",
    check: async (fixture) => {
      const { near, farSide } = await fixture.pair();
      if (near.attachments !== "shared") return;
      const memory = new SharedArrayBuffer(8);
      near.send(bytes(3, 1), [memory, memory]);
      near.send(bytes(3, 2), [memory]);
      await fixture.arrived(farSide, 2);
      const arrived = farSide.attachments.flatMap((attachments) => attachments ?? []);
      expectEqual(arrived.length, 3, "how many buffers came");
      new Uint8Array(memory).fill(7);
      for (const buffer of arrived) expectEqual(new Uint8Array(buffer)[0], 7, "what is read of the shared memory");
    },
  },
  {
    name: "buffers that come before a socket is opened are held with their frame",
    check: async (fixture) => {
      const [near, far] = await fixture.connect();
      if (near.attachments === undefined) return near.close();
      near.send(bytes(3, 1), [bytes(4, 2).buffer]);
      const farSide = new Recorder("the listener's end");
      far.open(farSide);
      near.open(new Recorder("the dialler's end"));
      await fixture.arrived(farSide, 1);
      expectEqual(
        farSide.attachments[0]?.map((buffer) => new Uint8Array(buffer)),
        [bytes(4, 2)],
        "the buffers",
      );
    },
  },
];
