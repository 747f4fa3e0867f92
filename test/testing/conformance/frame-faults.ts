/** What can be wrong with frames and with sending them. */
import type { Socket } from "../../../src/core/transport/socket.ts";
import { batched, type Frame, opened, type SocketChange, type TransportFault } from "./broken-harness.ts";

/** The first two frames as one. */
function glued([first, second, ...more]: readonly Frame[]): readonly Frame[] {
  if (first === undefined || second === undefined) return first === undefined ? [] : [first];
  return [Uint8Array.of(...first, ...second), ...more];
}

function each(change: (frame: Frame) => Frame): (inner: Socket) => SocketChange {
  return (inner) => ({ send: (frame) => inner.send(change(frame)) });
}

const wholeness: readonly TransportFault[] = [
  {
    what: "reorders frames",
    one: "ten thousand small frames arrive in order",
    socket: (inner, wire) => batched(inner, wire, (frames) => frames.toReversed()),
  },
  {
    what: "lets small frames overtake large ones",
    one: "large and small frames do not overtake each other",
    socket: (inner, wire) => batched(inner, wire, (frames) => frames.toSorted((a, b) => a.byteLength - b.byteLength)),
  },
  {
    what: "glues together what is sent at once",
    one: "any frames arrive exactly, in order, nothing added",
    socket: (inner, wire) => batched(inner, wire, glued),
  },
  {
    what: "loses one frame in a thousand",
    one: "ten thousand small frames arrive in order",
    socket: (inner) => {
      let sent = 0;
      return { send: (frame) => ++sent % 1_000 === 0 || inner.send(frame) };
    },
  },
  {
    what: "sends every frame twice",
    one: "a frame of 1 bytes arrives whole",
    socket: (inner) => ({ send: (frame) => inner.send(frame.slice()) && inner.send(frame) }),
  },
  {
    what: "drops what is over 65,535 bytes of a frame",
    one: "a frame of 65536 bytes arrives whole",
    socket: each((frame) => frame.slice(0, 65_535)),
  },
  {
    what: "takes bytes for text",
    one: "every byte value passes, and text of any script",
    socket: each((frame) => new TextEncoder().encode(new TextDecoder().decode(frame))),
  },
  {
    what: "sends the buffer below a view",
    one: "views of one buffer arrive exactly, and leave the rest of it usable",
    socket: each((frame) => new Uint8Array(frame.buffer.slice(0))),
  },
  {
    what: "takes the whole buffer away with a view of it",
    one: "views of one buffer arrive exactly, and leave the rest of it usable",
    socket: each((frame) => {
      const copy = frame.slice();
      structuredClone(frame.buffer, { transfer: [frame.buffer] });
      return copy;
    }),
  },
  {
    what: "reuses the memory of a frame for the next",
    one: "a received frame is the receiver's to write into",
    socket: (inner) => {
      const memory = new Uint8Array(1 << 17);
      return opened(inner, (receiver) => ({
        frame: (bytes) => {
          memory.set(bytes);
          receiver.frame(memory.subarray(0, bytes.byteLength));
        },
      }));
    },
  },
  {
    what: "delivers a class of its own",
    one: "a received frame is a plain Uint8Array",
    socket: (inner) => {
      class Odd extends Uint8Array {}
      return opened(inner, (receiver) => ({ frame: (bytes) => receiver.frame(new Odd(bytes)) }));
    },
  },
];

const sending: readonly TransportFault[] = [
  {
    what: "leaves a timer behind for each frame",
    one: "and so in the other direction",
    socket: (inner, wire) => ({
      send: (frame) => {
        wire.clock.set(60_000, () => undefined);
        return inner.send(frame);
      },
    }),
  },
  {
    what: "delivers inside send",
    one: "send never delivers synchronously",
    socket: (inner, wire) => ({
      send: (frame) => {
        const reader = [...wire.readers].find(([socket]) => socket !== inner)?.[1];
        if (reader === undefined) return inner.send(frame);
        reader.frame(frame);
        return true;
      },
      open: (receiver) => {
        wire.readers.set(inner, receiver);
        inner.open(receiver);
      },
    }),
  },
  {
    what: "throws from send once closed",
    one: "send is false after a local close, and nothing arrives",
    socket: (inner) => ({
      send: (frame) => {
        if (!inner.send(frame)) throw new Error("this socket is closed");
        return true;
      },
    }),
  },
  {
    what: "says it sent what it did not",
    one: "send is false once the peer has closed",
    socket: (inner) => ({ send: (frame) => inner.send(frame) || true }),
  },
  {
    what: "ignores the frame limit",
    one: "a frame over the limit from the dialler closes both ends",
    transport: (inner) => ({
      start: (accept, context) =>
        inner.start(accept, { report: (error) => context.report(error), maxFrameBytes: Number.POSITIVE_INFINITY }),
      dial: (signal) => inner.dial(signal, { maxFrameBytes: Number.POSITIVE_INFINITY }),
    }),
  },
  {
    what: "drops a frame over the limit without a word",
    one: "a frame over the limit from the listener closes both ends",
    socket: (inner) => ({ send: (frame) => frame.byteLength > 65_536 || inner.send(frame) }),
  },
  {
    what: "counts bufferedBytes up and never down",
    one: "bufferedBytes is a count that goes back to 0",
    socket: (inner) => {
      let sent = 0;
      return {
        send: (frame) => {
          sent += frame.byteLength;
          return inner.send(frame);
        },
        buffered: () => sent,
      };
    },
  },
  {
    what: "does not know bufferedBytes and says 0",
    one: "bufferedBytes grows while the peer takes nothing",
    socket: () => ({ buffered: () => 0 }),
  },
  {
    what: "counts the last frame only",
    one: "bufferedBytes grows while the peer takes nothing",
    socket: (inner) => {
      let last = 0;
      return {
        send: (frame) => {
          last = frame.byteLength;
          return inner.send(frame);
        },
        buffered: () => Math.min(last, inner.bufferedBytes),
      };
    },
  },
  {
    what: "does not know bufferedBytes and says NaN",
    one: "bufferedBytes is a count that goes back to 0",
    socket: () => ({ buffered: () => Number.NaN }),
  },
];

/** For the cases of frames. */
export const frameFaults: readonly TransportFault[] = [...wholeness, ...sending];
