/** The harness of NATS over real connections: harnesses.ts has the one over a server in memory. */
import type { NatsConnection } from "@nats-io/nats-core";
import type { Harness, HarnessFactory } from "../../src/testing/conformance/harness.ts";
import { realTime } from "../../src/testing/conformance/test-time.ts";
import { dialNats, listenNats } from "../../src/transports/nats/index.ts";

/** Connections that outlive the cases: one that listens, one that dials. */
export interface NatsConnections {
  readonly listening: NatsConnection;
  readonly dialling: NatsConnection;
}

/** Each case has a fleet of its own on the same connections. */
export function natsHarness(connections: () => NatsConnections): HarnessFactory {
  let cases = 0;
  return () => {
    const { listening, dialling } = connections();
    const time = realTime();
    const fleet = `case${++cases}`;
    const listener = listenNats(listening, { fleet });
    let workers = 0;
    return Promise.resolve<Harness>({
      ...time,
      listener,
      dialer: () => dialNats(dialling, { fleet, principal: `worker${++workers}` }),
      faults: "stream",
      dialMeetsListener: true,
      [Symbol.asyncDispose]: async () => {
        await listener.stop();
        await time.quiet();
      },
    });
  };
}
