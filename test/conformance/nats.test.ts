/** The conformance cases of sockets over a real NATS server, each end with a connection of its own. See nats.long.test.ts for the rest. */
import { afterAll, beforeAll, test } from "vitest";
import { socketConformance } from "../../src/testing/conformance/socket-conformance.ts";
import { connectTo, describeWithNats } from "../support/nats-server.ts";
import { type NatsConnections, natsHarness } from "./nats-harness.ts";

describeWithNats("the cases of a socket, a listener and a dialer", (server) => {
  let connections: NatsConnections | undefined;
  beforeAll(async () => {
    connections = { listening: await connectTo(server()), dialling: await connectTo(server()) };
  });
  afterAll(async () => {
    await connections?.listening.close();
    await connections?.dialling.close();
  });
  const make = natsHarness(() => {
    if (connections === undefined) throw new Error("connected from the suite's first test on, not before");
    return connections;
  });
  const cases = socketConformance(make).map(({ name, run }) => [name, run] as const);
  test.each(cases)("%s", (_name, run) => run());
});
