/** What happens behind a real `powerhose work` means what it means in a local thread. */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { threads } from "powerhose/threads";
import { ExecutionError, JobRunner, relay, Worker } from "../../../src/index.ts";
import { dialWebSocket } from "../../../src/transports/websocket/node/index.ts";
import { begun, fates, HostStage } from "./host-stage.ts";

function outcomes(error: unknown): string[] {
  const { attempts } = error as ExecutionError;
  return attempts.map(({ identity, outcome }) => `${outcome} ${identity}`);
}

async function failure(promise: Promise<unknown>): Promise<{ readonly code: string; readonly outcomes: string[] }> {
  const error: unknown = await promise.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  return { code: (error as ExecutionError).code, outcomes: outcomes(error) };
}

describe.each(["exit", "crash"])("a job that ends its thread (%s)", (fate) => {
  test("is lost on two threads, and given to no third", async () => {
    await using stage = await HostStage.start();
    const host = await stage.host("host", fates(fate), 3);
    let id = "";
    const ended = await failure(stage.runner.execute("a", { attempts: 10, onJobId: (jobId) => (id = jobId) }));
    expect(ended.code).toBe("WORKER_LOST");
    expect(ended.outcomes).toHaveLength(2);
    expect(new Set(ended.outcomes).size, "elsewhere holds inside the host").toBe(2);
    for (const outcome of ended.outcomes) expect(outcome).toMatch(/^lost host\/thread-[123]$/);
    expect(begun(host)).toEqual([`${id} #1`, `${id} #2`]);
    expect(stage.events.filter(({ type }) => type === "worker-gone")).toEqual([]);
  });

  test("is lost once, when one attempt is all it has", async () => {
    await using stage = await HostStage.start();
    const host = await stage.host("host", fates(fate));
    expect(await failure(stage.runner.execute("a", { attempts: 1 }))).toEqual({
      code: "WORKER_LOST",
      outcomes: ["lost host/thread-1"],
    });
    expect(begun(host)).toHaveLength(1);
  });

  test("goes to another host, and ends no more than two threads in all", async () => {
    await using stage = await HostStage.start();
    const hosts = [await stage.host("one", fates(fate)), await stage.host("two", fates(fate))];
    const ended = await failure(stage.runner.execute("a", { attempts: 10 }));
    expect([ended.code, [...ended.outcomes].sort()]).toEqual([
      "WORKER_LOST",
      ["lost one/thread-1", "lost two/thread-1"],
    ]);
    expect(hosts.map((host) => begun(host).length)).toEqual([1, 1]);
  });
});

test("jobs beside one that ends its thread lose nothing", async () => {
  await using stage = await HostStage.start();
  await stage.host("host", fates("mixed"), 2);
  const poisoned = failure(stage.runner.execute("exit"));
  const others = Array.from({ length: 40 }, (_, index) => stage.runner.execute(String(index % 7), { attempts: 1 }));
  expect(await Promise.all(others)).toEqual(Array.from({ length: 40 }, (_, index) => String(index % 7)));
  expect((await poisoned).code).toBe("WORKER_LOST");
});

test("a handler that asks for another attempt is given it, with the same job id", async () => {
  await using stage = await HostStage.start();
  const host = await stage.host("host", fates("retryUntil"));
  let id = "";
  expect(await stage.runner.execute("3", { onJobId: (jobId) => (id = jobId) })).toBe(`${id} #3`);
  expect(begun(host)).toEqual([1, 2, 3].map((attempt) => `${id} #${attempt}`));
  expect(await failure(stage.runner.execute("9", { attempts: 3 }))).toEqual({
    code: "EXECUTION",
    outcomes: Array.from({ length: 3 }, () => "error host/thread-1"),
  });
});

test("two runners at one broker of hosts: each handler sees its own caller's job", async () => {
  await using inner = await HostStage.start();
  await inner.host("host", fates("name"), 2);
  const callers = [await HostStage.start(), await HostStage.start()];
  const brokers = callers.map(
    ({ listener }) =>
      new Worker({ dial: dialWebSocket(listener.address), handler: relay(inner.runner), identity: "broker" }),
  );
  for (const broker of brokers) await broker.start();
  const told: string[] = [];
  const seen = await Promise.all(
    callers.flatMap(({ runner }) =>
      Array.from({ length: 10 }, () => runner.execute("x", { onJobId: (jobId) => told.push(`${jobId} #1`) })),
    ),
  );
  expect(seen).toEqual(told);
  expect(new Set(seen).size).toBe(20);
  for (const broker of brokers) await broker.stop();
  for (const caller of callers) await caller[Symbol.asyncDispose]();
});

describe("where it was thrown", () => {
  /** The stack of `fail`, as a runner is told it by a relay of its threads. */
  async function stackOf(runnerWants: boolean, relayWants: boolean): Promise<string> {
    await using stage = await HostStage.start({ remoteStacks: runnerWants });
    await using inner = new JobRunner({
      listen: threads(new URL("../fixtures/fates.js", import.meta.url), { export: "fail", size: 1 }),
    });
    await inner.start();
    const dial = dialWebSocket(stage.listener.address);
    const worker = new Worker({ dial, handler: relay(inner), remoteStacks: relayWants });
    await worker.start();
    const error: unknown = await stage.runner.execute("x").catch((reason: unknown) => reason);
    await worker.stop();
    if (!(error instanceof ExecutionError)) throw new Error("it did not fail", { cause: error });
    expect(error.remoteMessage).toBe("no");
    const path = fileURLToPath(new URL("../fixtures/fates.js", import.meta.url));
    expect(JSON.stringify([error.remoteDetails, error.cause]).includes(path)).toBe(false);
    return error.remoteStack;
  }

  test("is told when both ends of the connection want it, and not otherwise", async () => {
    expect(await stackOf(true, true)).toContain("fates.js");
    for (const [atRunner, atRelay] of [
      [true, false],
      [false, true],
      [false, false],
    ] as const) {
      expect(await stackOf(atRunner, atRelay)).toBe("");
    }
  });

  test("is not told by `powerhose work`, whatever the runner wants", async () => {
    await using stage = await HostStage.start({ remoteStacks: true });
    await stage.host("host", fates("fail"));
    await expect(stage.runner.execute("x")).rejects.toMatchObject({
      remoteName: "TypeError",
      remoteStack: "",
      remoteDetails: "",
    });
  });
});

test("a host of two threads is one principal: verify needs two hosts", async () => {
  const listen = {
    authenticate: ({ headers }: { readonly headers: { readonly authorization?: string | undefined } }) =>
      headers.authorization?.replace("Bearer ", ""),
  };
  await using stage = await HostStage.start({}, listen);
  await stage.host("one", fates("name"), 2, "--token", "first");
  await expect(stage.runner.execute("x", { verify: 2, acquireTimeout: 100 })).rejects.toMatchObject({
    code: "NO_WORKER",
  });
  await stage.host("two", fates("name"), 2, "--token", "second");
  let id = "";
  expect(await stage.runner.execute("x", { verify: 2, onJobId: (jobId) => (id = jobId) })).toBe(`${id} #1`);
});
