/**
 * Every transport as a test sees it: a listener, dialers that reach it, and a way to wait for it. The law-suites run over
 * this list; list.test.ts fails when a transport is missing from it.
 */
import { WebSocket } from "ws";
import type { Clock } from "../../src/core/clock.ts";
import { hostClock } from "../../src/core/host.ts";
import type { Dialer, FaultProfile, Listener } from "../../src/core/socket.ts";
import { MemoryTransport } from "../../src/transports/memory.ts";
import { dialMessagePort, MessagePortListener } from "../../src/transports/message-port.ts";
import { dialWebSocket as dialFromNode, listenWebSocket } from "../../src/transports/websocket-node.ts";
import { dialWebSocket } from "../../src/transports/websocket.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** One transport, set up for one test. */
export interface Rig {
  /** Accepts what the dialers dial. The test starts it. */
  readonly listener: Listener;
  /** A dialer that reaches the listener; may have to be made anew for each socket. */
  dialer(): Dialer;
  /** The time both ends live in. */
  readonly clock: Clock;
  /** What the sockets declare. */
  readonly faults: FaultProfile;
  /** Whether a dialer can tell that nobody listens. A port cannot: it waits. */
  readonly dialMeetsListener: boolean;
  /** Waits until a condition holds; throws when it does not come true. */
  until(condition: () => boolean): Promise<void>;
  /** Waits for a promise while time goes on. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Waits until whatever is on its way has arrived. */
  quiet(): Promise<void>;
  /** Stops the listener. The sockets opened by the test are the test's to close. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A transport and how to set it up. */
export interface RigFactory {
  readonly name: string;
  readonly make: () => Promise<Rig>;
}

type Waiting = Pick<Rig, "clock" | "until" | "settle" | "quiet">;

function virtualTime(): Waiting {
  const clock = new VirtualClock();
  const until = async (condition: () => boolean): Promise<void> => {
    await clock.settle();
    if (!condition()) throw new Error(`nothing moves any more, and it is still not so: ${condition.toString()}`);
  };
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => undefined); // it may fail while the clock settles; the return hands that on
    await clock.settle();
    return promise;
  };
  return { clock, until, settle, quiet: () => clock.settle() };
}

const PATIENCE = 5_000;
/** Loopback and ports deliver within a turn or two of the event loop; this is far beyond. */
const QUIET_TURNS = 25;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => hostClock.nextTurn(resolve));
}

function realTime(): Waiting {
  const until = async (condition: () => boolean): Promise<void> => {
    const giveUp = hostClock.now() + PATIENCE;
    while (!condition()) {
      if (hostClock.now() > giveUp) throw new Error(`still not so after ${PATIENCE} ms: ${condition.toString()}`);
      await nextTurn();
    }
  };
  const quiet = async (): Promise<void> => {
    for (let turn = 0; turn < QUIET_TURNS; turn++) await nextTurn();
    await new Promise((resolve) => void hostClock.set(5, () => resolve(undefined), true));
  };
  return { clock: hostClock, until, quiet, settle: (promise) => promise };
}

function memory(): Promise<Rig> {
  const time = virtualTime();
  const transport = new MemoryTransport({ clock: time.clock });
  return Promise.resolve({
    ...time,
    listener: transport,
    dialer: () => transport,
    faults: "stream",
    dialMeetsListener: true,
    [Symbol.asyncDispose]: async () => {
      await transport.stop();
      await time.quiet();
    },
  });
}

function messagePort(): Promise<Rig> {
  const time = realTime();
  const listener = new MessagePortListener();
  const channels: MessageChannel[] = [];
  return Promise.resolve({
    ...time,
    listener,
    dialer: () => {
      const channel = new MessageChannel();
      channels.push(channel);
      listener.add(channel.port1);
      return dialMessagePort(channel.port2);
    },
    faults: "port",
    dialMeetsListener: false,
    [Symbol.asyncDispose]: async () => {
      await listener.stop();
      await time.quiet();
      // One that was added and never accepted, or made and never dialled, is nobody else's.
      for (const { port1 } of channels) port1.close();
    },
  });
}

function webSocketRig(dial: (address: string) => Dialer): Promise<Rig> {
  const time = realTime();
  const inner = listenWebSocket();
  let address = "";
  const listener: Listener = {
    start: async (accept, context) => {
      await inner.start(accept, context);
      address = inner.address; // the port is known once it listens, and is dialled in vain when it has stopped
    },
    stop: () => inner.stop(),
    get address() {
      return inner.address;
    },
  };
  return Promise.resolve({
    ...time,
    listener,
    dialer: () => ({ dial: (signal, limits) => dial(address).dial(signal, limits) }),
    faults: "stream",
    dialMeetsListener: true,
    [Symbol.asyncDispose]: () => listener.stop(),
  });
}

/** All transports. */
export const transports: readonly RigFactory[] = [
  { name: "memory", make: memory },
  { name: "message-port", make: messagePort },
  { name: "websocket", make: () => webSocketRig((address) => dialWebSocket(address, { WebSocket })) },
  { name: "websocket-node", make: () => webSocketRig((address) => dialFromNode(address)) },
];
