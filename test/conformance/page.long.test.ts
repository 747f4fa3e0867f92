/** The conformance cases in a page: ports within it, and Web Workers as the runner's fleet. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runnerConformance } from "../../src/testing/conformance/runner-conformance.ts";
import { socketConformance } from "../../src/testing/conformance/socket-conformance.ts";
import { describeInChromium } from "../support/chromium.ts";
import { root } from "../support/package-files.ts";
import { PageStage } from "../web-workers/page-stage.ts";

/** As harnesses.ts and fleets.ts have it for Node. */
const SCRIPT = `
import { dialMessagePort, MessagePortListener } from "powerhose/message-port";
import { webWorkers } from "powerhose/web-workers";
import { inProcessFleet, realTime, runnerConformance, socketConformance } from "powerhose/testing";

const ports = async () => {
  const time = realTime();
  const listener = new MessagePortListener();
  return {
    ...time,
    listener,
    dialer: () => {
      const { port1, port2 } = new MessageChannel();
      listener.add(port1);
      return dialMessagePort(port2);
    },
    faults: "port",
    dialMeetsListener: false,
    [Symbol.asyncDispose]: () => listener.stop(),
  };
};
const inWebWorkers = async (size, capacity) => {
  const time = realTime();
  const sockets = [];
  const inner = webWorkers("/conformance/page-handler.js", { size, capacity });
  const listener = {
    address: inner.address,
    start: (accept, context) => inner.start((socket) => (sockets.push(socket), accept(socket)), context),
    stop: () => inner.stop(),
  };
  return {
    ...time,
    listener,
    join: async (count, _capacity, runner) => await time.until(() => runner.stats().workers.length === count),
    lose: async () => {
      await new Promise((resolve) => time.clock.nextTurn(resolve));
      sockets[0].close();
    },
    [Symbol.asyncDispose]: () => listener.stop(),
  };
};
const suites = {
  sockets: socketConformance(ports),
  ports: runnerConformance(inProcessFleet(ports)),
  workers: runnerConformance(inWebWorkers),
};
globalThis.play = (suite, name) => suites[suite].find((one) => one.name === name).run();
globalThis.isReady = true;
`;

/** Their names alone are read here. */
const none = (): Promise<never> => Promise.reject(new Error("played in the page"));

describeInChromium("the conformance cases", (browser) => {
  let stage: PageStage;
  beforeAll(async () => {
    stage = await PageStage.open(
      browser(),
      { folders: { "/conformance/": join(root, "test/conformance/fixtures") } },
      SCRIPT,
    );
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  describe.each([
    ["of a socket, a listener and a dialer, over ports", "sockets", socketConformance(none)],
    ["of a runner, over ports", "ports", runnerConformance(none)],
    ["of a runner, over webWorkers", "workers", runnerConformance(none)],
  ])("%s", (_title, suite, cases) => {
    test.each(cases.map(({ name }) => name))("%s", async (name) => {
      await expect(stage.run(`await play(${JSON.stringify(suite)}, ${JSON.stringify(name)})`)).resolves.toBeUndefined();
    });
  });
});
