/** What can be wrong with listeners and dialers. */
import type { Socket } from "../../../src/core/transport/socket.ts";
import { MemoryTransport } from "../../../src/transports/memory.ts";
import type { TransportFault } from "./broken-harness.ts";

const listening: readonly TransportFault[] = [
  {
    what: "stops and leaves its sockets open",
    one: "stop closes the accepted sockets, and their peers learn of it",
    transport: (_inner, time) => {
      let current = new MemoryTransport({ clock: time.clock });
      return {
        start: (accept, context) => current.start(accept, context),
        stop: () => {
          current = new MemoryTransport({ clock: time.clock });
          return Promise.resolve();
        },
        dial: (signal, limits) => current.dial(signal, limits),
      };
    },
  },
  {
    what: "does not stop",
    one: "dialling after stop fails with an error that says where, unless there is no telling",
    transport: () => ({ stop: () => Promise.resolve() }),
  },
  {
    what: "cannot be stopped twice",
    one: "it may be stopped twice, also at once",
    transport: (inner) => {
      let stopped = false;
      return {
        stop: () => {
          if (stopped) return Promise.reject(new Error("not listening"));
          stopped = true;
          return inner.stop();
        },
      };
    },
  },
  {
    what: "cannot be started again",
    one: "it may be started again after stop, and works",
    transport: (inner) => {
      let stopped = false;
      return {
        start: (accept, context) =>
          stopped ? Promise.reject(new Error("this listener is used up")) : inner.start(accept, context),
        stop: () => {
          stopped = true;
          return inner.stop();
        },
      };
    },
  },
  {
    what: "takes a start behind a stop for the same run",
    one: "start right behind stop waits its turn",
    transport: (inner, time) => ({
      stop: async () => {
        await new Promise<void>((resolve) => time.clock.nextTurn(resolve));
        await inner.stop();
      },
    }),
  },
  {
    what: "hands its sockets to two takers",
    one: "starting twice for the same taker changes nothing; for another it is refused",
    transport: (inner) => {
      let started = false;
      return {
        start: async (accept, context) => {
          if (!started) await inner.start(accept, context);
          started = true;
        },
        stop: () => {
          started = false;
          return inner.stop();
        },
      };
    },
  },
  {
    what: "keeps reporting trouble",
    one: "it has an address, started or not",
    transport: (inner) => ({
      start: (accept, context) => {
        context.report(new Error("this is no good"));
        return inner.start(accept, context);
      },
    }),
  },
  {
    what: "has no address",
    one: "it has an address, started or not",
    transport: () => ({ address: "" }),
  },
  {
    what: "loses on stop what was sent before",
    one: "frames sent before stop arrive",
    socket: (inner, wire) => ({
      send: (frame) => {
        // Out of the turn in which the listener closes this socket.
        wire.clock.nextTurn(() => void inner.send(frame));
        return true;
      },
    }),
  },
];

const dialling: readonly TransportFault[] = [
  {
    what: "does not look at the dial's signal",
    one: "an aborted signal rejects the dial with its reason",
    transport: (inner) => ({ dial: (_signal, limits) => inner.dial(new AbortController().signal, limits) }),
  },
  {
    what: "looks at the dial's signal only at first",
    one: "aborting during the dial rejects it with the reason, unless it was quicker",
    transport: (inner) => ({
      dial: (signal, limits) => inner.dial(signal.aborted ? signal : new AbortController().signal, limits),
    }),
  },
  {
    what: "rejects an aborted dial with an error of its own",
    one: "an aborted signal rejects the dial with its reason",
    transport: (inner) => ({
      dial: (signal, limits) =>
        inner.dial(signal, limits).catch((cause: unknown) => {
          throw new Error("the dial failed", { cause });
        }),
    }),
  },
  {
    what: "never ends a dial when nobody listens",
    one: "dialling after stop fails with an error that says where, unless there is no telling",
    transport: (inner) => ({
      dial: (signal, limits) => inner.dial(signal, limits).catch(() => new Promise<Socket>(() => undefined)),
    }),
  },
  {
    what: "leaves its listener on the signal",
    one: "a dial leaves no listener on the signal",
    transport: (inner) => ({
      dial: (signal, limits) => {
        signal.addEventListener("abort", () => undefined);
        return inner.dial(signal, limits);
      },
    }),
  },
  {
    what: "closes the socket when the signal aborts later",
    one: "aborting after the dial does not touch the socket",
    transport: (inner) => ({
      dial: async (signal, limits) => {
        const socket = await inner.dial(signal, limits);
        signal.addEventListener("abort", () => socket.close());
        return socket;
      },
    }),
  },
];

/** For the cases of listeners and dialers. */
export const listenerFaults: readonly TransportFault[] = [...listening, ...dialling];
