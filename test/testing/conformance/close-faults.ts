/** What can be wrong with opening and closing, and with what a socket says of itself. */
import type { CloseReason, Receiver } from "../../../src/core/transport/socket.ts";
import { type Frame, opened, type TransportFault } from "./broken-harness.ts";

const opening: readonly TransportFault[] = [
  {
    what: "throws away what comes before open",
    one: "frames sent before the other end opens are held, in order",
    socket: (inner) => {
      let reader: Receiver | undefined;
      inner.open({ frame: (bytes) => reader?.frame(bytes), closed: (reason) => reader?.closed(reason) });
      return { open: (receiver) => void (reader = receiver) };
    },
  },
  {
    what: "may be opened twice",
    one: "opening twice throws",
    socket: (inner) => {
      let isOpen = false;
      return {
        open: (receiver) => {
          if (!isOpen) inner.open(receiver);
          isOpen = true;
        },
      };
    },
  },
  {
    what: "tells of the close before the frames it held",
    one: "frames and the close that came before open are delivered, in that order",
    socket: (inner) => {
      const late: Uint8Array[] = [];
      return {
        open: (receiver) => {
          let early = true;
          inner.open({
            frame: (bytes) => (early ? void late.push(bytes) : receiver.frame(bytes)),
            closed: (reason) => receiver.closed(reason),
          });
          early = false;
          for (const frame of late) receiver.frame(frame);
        },
      };
    },
  },
  {
    what: "delivers held frames on after a close",
    one: "closing (undefined) in the middle of held frames ends them",
    socket: (inner, wire) => ({
      close: (reason) => wire.clock.nextTurn(() => inner.close(reason)),
    }),
  },
  {
    what: "gives every dialler the same address",
    one: "peers that dial in are told apart by their address",
    socket: (inner) => ({ peer: { ...inner.peer, address: "somewhere" } }),
  },
  {
    what: "names no principal",
    one: "both ends say who is there, in words",
    socket: (inner) => ({ peer: { ...inner.peer, principal: "" } }),
  },
  {
    what: "declares other faults than it has",
    one: "both ends declare the transport's faults",
    socket: () => ({ faults: "port" }),
  },
];

const SILENT: Partial<Receiver> = { closed: () => undefined };

const closing: readonly TransportFault[] = [
  {
    what: "does not tell of a local close",
    one: "a local close is told once at both ends: local here, peer there",
    socket: (inner) => {
      let here = false;
      return {
        ...opened(inner, (receiver) => ({ closed: (reason) => void (here || receiver.closed(reason)) })),
        close: (reason) => {
          here = true;
          inner.close(reason);
        },
      };
    },
  },
  {
    what: "never tells of any close",
    one: "and so when the listener's end closes",
    socket: (inner) => opened(inner, () => SILENT),
  },
  {
    what: "tells of a close twice",
    one: "both ends closing at once are each told once",
    socket: (inner) =>
      opened(inner, (receiver) => ({
        closed: (reason) => {
          receiver.closed(reason);
          receiver.closed(reason);
        },
      })),
  },
  {
    what: "tells of a close inside close()",
    one: "closed never comes inside close()",
    socket: (inner) => {
      let tell: ((reason: CloseReason) => void) | undefined;
      return {
        open: (receiver) => {
          tell = (reason): void => receiver.closed(reason);
          inner.open({
            frame: (bytes) => receiver.frame(bytes),
            closed: (reason) => {
              tell?.(reason);
              tell = undefined;
            },
          });
        },
        close: (reason = { code: "local", message: "closed by this end" }) => {
          inner.close(reason);
          const told = tell;
          tell = undefined;
          told?.(reason);
        },
      };
    },
  },
  {
    what: "delivers a frame after closed",
    one: "a local close is told once at both ends: local here, peer there",
    socket: (inner) =>
      opened(inner, (receiver) => ({
        closed: (reason) => {
          receiver.closed(reason);
          receiver.frame(new Uint8Array(1));
        },
      })),
  },
  {
    what: "delivers on after a local close",
    one: "no frame is delivered after a local close, whatever is on its way",
    socket: (inner, wire) => ({
      close: (reason) => wire.clock.nextTurn(() => wire.clock.nextTurn(() => inner.close(reason))),
    }),
  },
  {
    what: "forgets the reason of a close",
    one: "a close for the reason violation is told here as given",
    socket: (inner) => ({ close: () => inner.close() }),
  },
  {
    what: "tells the peer what was meant for this end",
    one: "a close for the reason error is told here as given",
    socket: (inner, { words }) => ({
      ...opened(inner, (receiver) => ({
        closed: (reason) => receiver.closed({ ...reason, message: words.join() }),
      })),
      close: (reason) => {
        words.push(reason?.message ?? "");
        inner.close(reason);
      },
    }),
  },
  {
    what: "throws on a reason of more than 123 bytes",
    one: "a reason with a very long message closes all the same",
    socket: (inner) => ({
      close: (reason) => {
        if ((reason?.message.length ?? 0) > 123) throw new Error("the message is too long");
        inner.close(reason);
      },
    }),
  },
  {
    what: "throws when it is closed again",
    one: "closing twice, and again after it is closed, changes nothing",
    socket: (inner) => {
      let closed = false;
      return {
        close: (reason) => {
          if (closed) throw new Error("closed already");
          closed = true;
          inner.close(reason);
        },
      };
    },
  },
  {
    what: "drops on close what was sent before",
    one: "frames sent before close arrive before the close",
    socket: (inner, wire) => {
      let frames: Frame[] = [];
      const flush = (): void => {
        for (const frame of frames.splice(0)) inner.send(frame);
      };
      return {
        send: (frame) => {
          if (frames.push(frame) === 1) wire.clock.endOfTurn(flush);
          return true;
        },
        close: (reason) => {
          frames = [];
          inner.close(reason);
        },
      };
    },
  },
  {
    what: "closes its neighbours along with it",
    one: "one closed socket leaves the others alone",
    socket: (inner, { sockets }) => {
      let closed = false;
      return {
        close: (reason) => {
          if (closed) return;
          closed = true;
          inner.close(reason);
          for (const other of sockets) other.close();
        },
      };
    },
  },
];

/** For the cases of opening and closing. */
export const closeFaults: readonly TransportFault[] = [...opening, ...closing];
