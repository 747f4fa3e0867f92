/**
 * Every transport as the cases see it: a listener, dialers that reach it, and a way to wait for it. The case-suites run over
 * this list; list.test.ts fails when a transport is missing from it.
 */
import { WebSocket } from "ws";
import type { Dialer, Listener } from "../../src/core/transport/listener.ts";
import type { Harness, HarnessFactory } from "../../src/testing/conformance/harness.ts";
import { realTime, virtualTime } from "../../src/testing/conformance/test-time.ts";
import { FaultyNetwork } from "../../src/testing/network/network.ts";
import { SeededRandom } from "../../src/testing/time/seeded-random.ts";
import { inSteps } from "../support/time-in-steps.ts";
import { FakeNats } from "../transports/nats/fake-nats.ts";
import { MemoryTransport } from "../../src/transports/memory.ts";
import { dialMessagePort, MessagePortListener } from "../../src/transports/message-port.ts";
import { dialNats, listenNats } from "../../src/transports/nats/index.ts";
import { dialWebSocket as dialFromNode, listenWebSocket } from "../../src/transports/websocket/node/index.ts";
import { dialWebSocket } from "../../src/transports/websocket/index.ts";

/** A transport and how to set it up. */
export interface NamedHarness {
  readonly name: string;
  readonly make: HarnessFactory;
}

function memory(): Promise<Harness> {
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

function messagePort(): Promise<Harness> {
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
      // Closes ports that were added and not accepted, or made and not dialled.
      for (const { port1 } of channels) port1.close();
    },
  });
}

function webSocketHarness(dial: (address: string) => Dialer): Promise<Harness> {
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

/** The simulated network, as long as nothing is done to it. Its frames take no time: the cases do not move it. */
function simulated(): Promise<Harness> {
  const time = virtualTime();
  const network = new FaultyNetwork({ clock: time.clock, random: new SeededRandom(1), latency: [0, 0] });
  const listener = network.listen("runner");
  let workers = 0;
  return Promise.resolve({
    ...time,
    listener,
    dialer: () => network.dialer(`worker ${++workers}`, "runner"),
    faults: "stream",
    dialMeetsListener: true,
    [Symbol.asyncDispose]: async () => {
      await listener.stop();
      await time.quiet();
    },
  });
}

/** Over a NATS server in memory. Acknowledgements and repeated dials take a few ms, which pass while a case waits. */
function nats(): Promise<Harness> {
  const time = inSteps(virtualTime());
  const server = new FakeNats(time.clock);
  const random = new SeededRandom(1);
  const options = { fleet: "jobs", clock: time.clock, random };
  const listener = listenNats(server.connect(), options);
  let workers = 0;
  return Promise.resolve({
    ...time,
    listener,
    dialer: () => dialNats(server.connect(), { ...options, principal: `worker${++workers}` }),
    faults: "stream",
    dialMeetsListener: true,
    [Symbol.asyncDispose]: async () => {
      await time.settle(listener.stop());
      await time.quiet();
      if (server.subscriptions > 0) throw new Error(`${server.subscriptions} subscriptions are left`);
    },
  });
}

/** All transports. */
export const transports: readonly NamedHarness[] = [
  { name: "memory", make: memory },
  { name: "simulated", make: simulated },
  { name: "message-port", make: messagePort },
  { name: "nats", make: nats },
  { name: "websocket", make: () => webSocketHarness((address) => dialWebSocket(address, { WebSocket })) },
  { name: "websocket-node", make: () => webSocketHarness((address) => dialFromNode(address)) },
];
