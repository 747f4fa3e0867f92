/** A real nats-server for test suites, and what they say when there is none. */
import { connect, type ConnectionOptions, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, test } from "vitest";
import { findNatsServers, NatsServer, type NatsStart, WITHOUT_NATS } from "./nats-program.ts";

/**
 * A suite with one server, started before its first test and killed after its last: `server()` is it. Without a nats-server the
 * suite is one skipped test whose name says why, and a line on stderr.
 */
export function describeWithNats(
  name: string,
  body: (server: () => NatsServer) => void,
  config = "",
  start: NatsStart = {},
): void {
  const [program] = findNatsServers();
  if (program === undefined) skipWithoutNats(name);
  else runWithNats(name, () => NatsServer.start(program, config, start), body);
}

/** A suite that starts its servers itself. */
export function describeWithNatsProgram(name: string, body: (program: string) => void): void {
  const [program] = findNatsServers();
  if (program === undefined) return skipWithoutNats(name);
  describe(`with nats-server: ${name}`, () => {
    body(program);
  });
}

/** A cluster of three, each joined to the others. The caller disposes of all. */
export async function startCluster(program: string): Promise<readonly NatsServer[]> {
  const servers: NatsServer[] = [];
  for (const name of ["a", "b", "c"]) {
    const routes = servers.map((server) => `"nats-route://${String(server.routes)}"`).join(", ");
    const config = `server_name: ${name}\ncluster { name: three, listen: "127.0.0.1:-1", routes: [${routes}] }`;
    servers.push(await NatsServer.start(program, config));
  }
  await findEachOther(servers);
  return servers;
}

/** Waits until a client at each server is heard by one at each other. */
async function findEachOther(servers: readonly NatsServer[]): Promise<void> {
  const clients = await Promise.all(servers.map((server) => connectTo(server, { ignoreClusterUpdates: true })));
  for (const [i, client] of clients.entries())
    client.subscribe(`probe.${i}`, { callback: (_error, message) => void message.respond() });
  const probe = async (client: NatsConnection, subject: string, tries: number): Promise<void> => {
    try {
      await client.request(subject, "", { timeout: 1_000 });
    } catch (error) {
      if (tries === 0) throw error;
      await new Promise((resolve) => void setTimeout(resolve, 20));
      await probe(client, subject, tries - 1);
    }
  };
  for (const client of clients) for (const i of clients.keys()) await probe(client, `probe.${i}`, 500);
  for (const client of clients) await client.close();
}

/** A suite with such a cluster. */
export function describeWithNatsCluster(name: string, body: (servers: () => readonly NatsServer[]) => void): void {
  const [program] = findNatsServers();
  if (program === undefined) return skipWithoutNats(name);
  describe(`with nats-server: ${name}`, () => {
    let servers: readonly NatsServer[] = [];
    beforeAll(async () => {
      servers = await startCluster(program);
    });
    afterAll(async () => {
      for (const server of servers) await server[Symbol.asyncDispose]();
    });
    body(() => servers);
  });
}

/** The same suite with each server there is beside the first, such as newer ones. */
export function describeWithOtherNats(name: string, body: (server: () => NatsServer) => void): void {
  const [, ...others] = findNatsServers();
  if (others.length === 0) skipWithoutNats(name, "no other nats-server: NATS_SERVERS names but one, or none");
  for (const [i, program] of others.entries())
    runWithNats(`${name}, other ${i + 1}`, () => NatsServer.start(program), body);
}

/** A skipped test whose name says why. */
function skipWithoutNats(name: string, reason: string = WITHOUT_NATS): void {
  process.stderr.write(`with nats-server: ${name}: skipped, ${reason}\n`);
  describe(`with nats-server: ${name}`, () => {
    test(`skipped: ${reason}`, { skip: true }, () => undefined);
  });
}

function runWithNats(title: string, start: () => Promise<NatsServer>, body: (server: () => NatsServer) => void): void {
  describe(`with nats-server: ${title}`, () => {
    let server: NatsServer | undefined;
    beforeAll(async () => {
      server = await start();
      process.stderr.write(`with nats-server ${server.version}: ${title}\n`);
    });
    afterAll(() => server?.[Symbol.asyncDispose]());
    body(() => {
      if (server === undefined) throw new Error("the server is there from the suite's first test on, not before");
      return server;
    });
  });
}

/** A connection of the official client, which tries for ever and often to come back. The caller closes it. */
export function connectTo(
  server: NatsServer | readonly NatsServer[],
  options: ConnectionOptions = {},
): Promise<NatsConnection> {
  const servers = [server].flat().map(({ address }) => address);
  return connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 0, ...options });
}
