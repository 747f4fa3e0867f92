/** The conformance cases over real NATS servers: the runner's, a cluster of three, other versions. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { inProcessFleet } from "../../src/testing/conformance/in-process-fleet.ts";
import { socketConformance } from "../../src/testing/conformance/socket-conformance.ts";
import { describeWithNats, describeWithNatsCluster, describeWithOtherNats } from "../support/nats-server.ts";
import { connectTo } from "../support/nats-server.ts";
import type { NatsServer } from "../support/nats-program.ts";
import { describeRunners } from "./describe-runners.ts";
import { type NatsConnections, natsHarness } from "./nats-harness.ts";

/** Both case-suites, with the listener at one server and the dialers at another. */
function describeCases(servers: () => readonly [NatsServer, NatsServer], depths: readonly number[]): void {
  let connections: NatsConnections | undefined;
  beforeAll(async () => {
    const [one, other] = servers();
    connections = {
      listening: await connectTo(one, { ignoreClusterUpdates: true }),
      dialling: await connectTo(other, { ignoreClusterUpdates: true }),
    };
  });
  afterAll(async () => {
    await connections?.listening.close();
    await connections?.dialling.close();
  });
  const make = natsHarness(() => {
    if (connections === undefined) throw new Error("connected from the suite's first test on, not before");
    return connections;
  });
  describe("the cases of a socket, a listener and a dialer", () => {
    const cases = socketConformance(make).map(({ name, run }) => [name, run] as const);
    test.each(cases)("%s", (_name, run) => run());
  });
  describeRunners([{ name: "nats", make: inProcessFleet(make) }], depths);
}

describeWithNats("one server", (server) => describeCases(() => [server(), server()], [0, 1, 2]));
describeWithOtherNats("one server", (server) => describeCases(() => [server(), server()], [0]));
describeWithNatsCluster("a cluster of three", (servers) => {
  describeCases(() => {
    const [one, other] = servers();
    if (one === undefined || other === undefined) throw new Error("a cluster has three servers");
    return [one, other];
  }, [0]);
});
