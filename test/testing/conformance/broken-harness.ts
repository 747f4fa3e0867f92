/**
 * Transports with one thing wrong each, made of the sound one in memory. Which things those are is in the files of faults
 * beside this one.
 */
import type { Dialer, Listener, ListenerContext } from "../../../src/core/transport/listener.ts";
import type { Receiver, Socket, SocketLimits } from "../../../src/core/transport/socket.ts";
import type { HarnessFactory } from "../../../src/testing/conformance/harness.ts";
import { type VirtualTime, virtualTime } from "../../../src/testing/conformance/test-time.ts";
import { MemoryTransport } from "../../../src/transports/memory.ts";

/** What sockets carry. */
export type Frame = Uint8Array<ArrayBuffer>;

/** What a fault changes of a socket. */
export interface SocketChange extends Partial<Omit<Socket, "bufferedBytes">> {
  readonly buffered?: () => number;
}

/** What belongs to one connection. */
export interface Wire extends VirtualTime {
  /** The receivers that were opened, by the end that did. */
  readonly readers: Map<Socket, Receiver>;
  /** What was given as the reason of a close, at either end. */
  readonly words: string[];
  /** The ends of all connections, this one's and the others'. */
  readonly sockets: Socket[];
}

/** One thing wrong with a transport. */
export interface TransportFault {
  /** What it does. */
  readonly what: string;
  /** The case that has to notice; others may. */
  readonly one: string;
  /** Changes each end of each connection. */
  readonly socket?: (inner: Socket, wire: Wire) => SocketChange;
  /** Changes the end that opens them. */
  readonly transport?: (inner: MemoryTransport, time: VirtualTime) => Partial<Listener & Dialer>;
}

function bend(inner: Socket, change: SocketChange): Socket {
  const { buffered, ...rest } = change;
  return {
    peer: inner.peer,
    faults: inner.faults,
    get bufferedBytes() {
      return buffered === undefined ? inner.bufferedBytes : buffered();
    },
    send: (frame) => inner.send(frame),
    open: (receiver) => inner.open(receiver),
    close: (reason) => inner.close(reason),
    ...rest,
  };
}

/** Opens with a receiver of which a part is changed. */
export function opened(inner: Socket, change: (receiver: Receiver) => Partial<Receiver>): SocketChange {
  return {
    open: (receiver) =>
      inner.open({
        frame: (bytes) => receiver.frame(bytes),
        closed: (reason) => receiver.closed(reason),
        ...change(receiver),
      }),
  };
}

type Accept = (socket: Socket) => void;

/** The sound transport with a fault put before it. */
class BrokenTransport implements Listener, Dialer {
  readonly #time: VirtualTime;
  readonly #inner: MemoryTransport;
  readonly #fault: TransportFault | undefined;
  readonly #change: Partial<Listener & Dialer>;
  readonly #sockets: Socket[] = [];
  readonly #wires: Wire[] = [];
  /** A listener knows the taker it was started for, so each has one wrapping. */
  readonly #takers = new Map<Accept, Accept>();

  constructor(time: VirtualTime, fault: TransportFault | undefined) {
    this.#time = time;
    this.#inner = new MemoryTransport({ clock: time.clock });
    this.#fault = fault;
    this.#change = fault?.transport?.(this.#inner, time) ?? {};
  }

  get address(): string {
    return this.#change.address ?? this.#inner.address;
  }

  start(accept: Accept, context: ListenerContext): Promise<void> {
    const taker = this.#takers.get(accept) ?? this.#taker(accept);
    this.#takers.set(accept, taker);
    return this.#change.start?.(taker, context) ?? this.#inner.start(taker, context);
  }

  stop(): Promise<void> {
    return this.#change.stop?.() ?? this.#inner.stop();
  }

  async dial(signal: AbortSignal, limits: SocketLimits): Promise<Socket> {
    const socket = await (this.#change.dial?.(signal, limits) ?? this.#inner.dial(signal, limits));
    const wire = this.#wires.shift(); // of the end that was accepted in the same step
    return wire === undefined ? socket : this.#wrap(socket, wire);
  }

  /** Stops it whatever its fault is. */
  end(): Promise<void> {
    return this.#inner.stop();
  }

  #taker(accept: Accept): Accept {
    return (socket) => {
      const wire: Wire = { ...this.#time, readers: new Map(), words: [], sockets: this.#sockets };
      this.#wires.push(wire);
      accept(this.#wrap(socket, wire));
    };
  }

  #wrap(socket: Socket, wire: Wire): Socket {
    const made = bend(socket, this.#fault?.socket?.(socket, wire) ?? {});
    this.#sockets.push(made);
    return made;
  }
}

/** Sets a transport up that has this fault, or none. */
export function harnessWith(fault?: TransportFault): HarnessFactory {
  return () => {
    const time = virtualTime();
    const transport = new BrokenTransport(time, fault);
    return Promise.resolve({
      ...time,
      listener: transport,
      dialer: () => transport,
      faults: "stream",
      dialMeetsListener: true,
      [Symbol.asyncDispose]: async () => {
        await transport.end();
        await time.quiet();
      },
    });
  };
}

/** Sends at the end of the turn what the change makes of all that was sent in it. */
export function batched(
  inner: Socket,
  wire: Wire,
  change: (frames: readonly Frame[]) => readonly Frame[],
): SocketChange {
  let frames: Frame[] = [];
  let open = true;
  const flush = (): void => {
    for (const frame of change(frames)) inner.send(frame);
    frames = [];
  };
  return {
    send: (frame) => {
      if (open && frames.push(frame) === 1) wire.clock.endOfTurn(flush);
      return open;
    },
    close: (reason) => {
      open = false;
      flush();
      inner.close(reason);
    },
  };
}
