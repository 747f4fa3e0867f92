/** The cases as the author of a transport meets them: the sound one passes, and each planted fault is named by a case. */
import { describe, expect, test } from "vitest";
import type { FleetHarnessFactory, ConformanceCase } from "../../../src/testing/conformance/harness.ts";
import { inProcessFleet } from "../../../src/testing/conformance/in-process-fleet.ts";
import { runnerConformance } from "../../../src/testing/conformance/runner-conformance.ts";
import { socketConformance } from "../../../src/testing/conformance/socket-conformance.ts";
import { harnessWith, type TransportFault } from "./broken-harness.ts";
import { closeFaults } from "./close-faults.ts";
import { frameFaults } from "./frame-faults.ts";
import { listenerFaults } from "./listener-faults.ts";

const transportFaults: readonly TransportFault[] = [...frameFaults, ...closeFaults, ...listenerFaults];

/** What a case says; `undefined` when it finds nothing. */
async function verdict(one: ConformanceCase | undefined): Promise<string | undefined> {
  if (one === undefined) return undefined;
  return one.run().then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : "not an Error"),
  );
}

function caseNamed(cases: readonly ConformanceCase[], name: string): ConformanceCase {
  const found = cases.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no case is called ${name}`);
  return found;
}

/** The faults a case is there for, then the others. */
function faultsFor(name: string): readonly TransportFault[] {
  return transportFaults.toSorted((a, b) => Number(b.one === name) - Number(a.one === name));
}

describe("the conformance cases of sockets", () => {
  const names = socketConformance(harnessWith()).map(({ name }) => name);

  test("have names of their own", () => {
    expect(names.length).toBeGreaterThan(60);
    expect(new Set(names).size).toBe(names.length);
  });

  test("find nothing wrong with a sound transport, as often as they are run", async () => {
    for (const one of socketConformance(harnessWith())) {
      expect(await verdict(one), one.name).toBeUndefined();
      expect(await verdict(one), one.name).toBeUndefined();
    }
  });

  test.each(transportFaults.map((fault) => [fault.what, fault] as const))(
    "notice one that %s",
    async (_what, fault) => {
      const said = await verdict(caseNamed(socketConformance(harnessWith(fault)), fault.one));
      expect(said).toMatch(/\S/);
      expect(said).not.toBe("not an Error");
    },
  );

  test.each(names.map((name) => [name]))("can be broken: %s", async (name) => {
    for (const fault of faultsFor(name)) {
      if ((await verdict(caseNamed(socketConformance(harnessWith(fault)), name))) !== undefined) return;
    }
    throw new Error("none of the faults breaks it");
  });

  test.each([
    ["loses one frame in a thousand", "waited in vain for 10000 frames; seen at the listener's end: 9990 frames"],
    ["drops what is over 65,535 bytes of a frame", "the frame: expected 65536 bytes, got 65535"],
    ["reorders frames", `the frames: [0]: expected "0", got "9999"`],
    ["delivers inside send", `what arrived inside send: [0]: expected "", got "f"`],
    ["tells of a close twice", "how often the dialler's end was told that it is closed: expected at most 1, got 2"],
    ["rejects an aborted dial with an error of its own", "got Error: the dial failed"],
    ["never ends a dial when nobody listens", "nothing moves any more, and the promise has not settled"],
    ["leaves a timer behind for each frame", "the number of timers left behind: expected 0, got 1"],
    ["keeps reporting trouble", "it reported: this is no good"],
  ])("say of one that %s: %s", async (what, words) => {
    const fault = transportFaults.find((one) => one.what === what);
    expect(await verdict(caseNamed(socketConformance(harnessWith(fault)), fault?.one ?? what))).toContain(words);
  });
});

/** A fleet over the transport that has this fault, or none. */
function fleetWith(what?: string): FleetHarnessFactory {
  const fault = transportFaults.find((one) => one.what === what);
  if (what !== undefined && fault === undefined) throw new Error(`no fault is called ${what}`);
  return inProcessFleet(harnessWith(fault));
}

/** One that is short of a worker. */
const shortHanded: FleetHarnessFactory = async (count, capacity) => {
  const fleet = await fleetWith()(count, capacity);
  return { ...fleet, join: (workers, each, runner) => fleet.join(workers - 1, each, runner) };
};

/** One that cannot cut a connection, and says it has. */
const uncut: FleetHarnessFactory = async (count, capacity) => ({
  ...(await fleetWith()(count, capacity)),
  lose: () => Promise.resolve(),
});

/** A transport with connections that break with the tenth frame. */
const brittle: FleetHarnessFactory = inProcessFleet(
  harnessWith({
    what: "breaks after a while",
    one: "",
    socket: (inner) => {
      let sent = 0;
      return {
        send: (frame) => {
          if (++sent === 10) inner.close({ code: "error", message: "it broke" });
          return inner.send(frame);
        },
      };
    },
  }),
);

describe("the runner's conformance cases", () => {
  test("find nothing wrong with a sound fleet", async () => {
    for (const one of runnerConformance(fleetWith())) expect(await verdict(one), one.name).toBeUndefined();
  });

  test.each([
    ["is short of a worker", shortHanded, "uses every worker", "waited in vain for 3 workers; 2 have registered"],
    [
      "cuts no connection",
      uncut,
      "loses no job with a worker: it runs elsewhere, or the caller is told",
      "not settled",
    ],
    [
      "breaks after a while",
      brittle,
      "settles a thousand jobs, each with its own answer",
      "the answers: nothing moves any more",
    ],
    [
      "takes bytes for text",
      fleetWith("takes bytes for text"),
      "runs text, bytes, empty and odd data, and answers in kind",
      "flags of no meaning",
    ],
    [
      "drops large frames",
      fleetWith("drops what is over 65,535 bytes of a frame"),
      "carries a payload of the limit both ways, and refuses one byte more",
      "the answer to 1048576 bytes: nothing moves any more",
    ],
    [
      "sends every frame twice",
      fleetWith("sends every frame twice"),
      "settles a thousand jobs, each with its own answer",
      "waited in vain for 2 workers; 0 have registered",
    ],
    [
      "never tells of a close",
      fleetWith("never tells of any close"),
      "loses no job with a worker: it runs elsewhere, or the caller is told",
      "nothing moves any more, and the promise has not settled",
    ],
  ])("notice a fleet that %s", async (_what, fleet, name, words) => {
    const said = await verdict(caseNamed(runnerConformance(fleet), name));
    expect(said).toBeDefined();
    expect(said).toContain(words);
  });
});
