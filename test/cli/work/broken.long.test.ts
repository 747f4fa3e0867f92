/** Runners, brokers and hosts that are killed, stopped and restarted under load, in real processes and with default options. */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Payload } from "../../../src/index.ts";
import type { Command } from "../child.ts";
import { begun, fates, HostStage } from "./host-stage.ts";

/** A broker in a process of its own. */
class Broker implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(process: ChildProcess) {
    this.process = process;
    this.#ended = new Promise((resolve) => void process.once("close", () => resolve()));
  }

  static async start(
    identity: string,
    url: string,
    options: object = {},
  ): Promise<{ broker: Broker; address: string }> {
    const path = fileURLToPath(new URL("../fixtures/broker.js", import.meta.url));
    const child = fork(path, [JSON.stringify({ identity, url, ...options })], { execArgv: [] });
    const broker = new Broker(child);
    const { address } = await new Promise<{ readonly address: string }>((resolve) => {
      child.once("message", (message) => resolve(message as { address: string }));
    });
    return { broker, address };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#ended;
  }
}

/** Keeps so many calls with default options under way until it is told to end; then resolves with all that came of them. */
class Load {
  readonly #results: (Payload | Error)[] = [];
  readonly #lanes: Promise<void>[] = [];
  readonly #waiting = new Map<() => void, number>();
  #done = 0;
  #ended = false;

  constructor(execute: (data: string) => Promise<Payload>, lanes: number) {
    for (let lane = 0; lane < lanes; lane++) this.#lanes.push(this.#lane(execute));
  }

  /** Resolves once so many more calls have settled. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => void this.#waiting.set(resolve, this.#done + count));
  }

  async end(): Promise<readonly (Payload | Error)[]> {
    this.#ended = true;
    await Promise.all(this.#lanes);
    return this.#results;
  }

  async #lane(execute: (data: string) => Promise<Payload>): Promise<void> {
    while (!this.#ended) {
      this.#results.push(await execute("15").catch((error: unknown) => error as Error));
      this.#done++;
      for (const [wake, wanted] of this.#waiting) {
        if (this.#done < wanted) continue;
        this.#waiting.delete(wake);
        wake();
      }
    }
  }
}

const LANES = 6;

function failuresOf(results: readonly (Payload | Error)[]): string[] {
  return results.filter((result) => result !== "15").map(String);
}

/** No attempt at a job begins twice. */
function expectNoDoubles(hosts: readonly Command[]): void {
  const all = hosts.flatMap(begun);
  expect(all.filter((attempt, index) => all.indexOf(attempt) !== index)).toEqual([]);
}

describe("a chain of two brokers", () => {
  test("whose middle is killed loses no call: what was in flight is tried again once it is back", async () => {
    await using stage = await HostStage.start({ acquireTimeout: 5_000 });
    const { broker: outerBroker, address } = await Broker.start("outer", stage.listener.address);
    await using _outer = outerBroker;
    const { broker: middle, address: inner } = await Broker.start("middle", address);
    const host = await stage.hostAt(inner, "host", fates("mixed"), 2);
    await stage.until(() => stage.runner.stats().capacity === 2);
    const load = new Load((data) => stage.runner.execute(data), LANES);
    await load.more(20);
    await middle[Symbol.asyncDispose]();
    const { broker: again } = await Broker.start("middle", address, { port: Number(new URL(inner).port) });
    await using _again = again;
    await load.more(20);
    const results = await load.end();
    expect(failuresOf(results)).toEqual([]);
    expectNoDoubles([host]);
    const retried = stage.events.filter((event) => event.type === "job-retried");
    expect(
      retried.map(({ identity }) => identity).every((path) => path.startsWith("outer")),
      JSON.stringify(retried),
    ).toBe(true);
  });

  test("that stands still for longer than the heartbeat loses no call", async () => {
    const heartbeat = 300;
    await using stage = await HostStage.start({ acquireTimeout: 5_000, heartbeat });
    const { broker: first, address } = await Broker.start("outer", stage.listener.address, { heartbeat });
    await using _first = first;
    const { broker: second, address: inner } = await Broker.start("inner", address, { heartbeat });
    await using _second = second;
    const host = await stage.hostAt(inner, "host", fates("mixed"), 2);
    await stage.until(() => stage.runner.stats().capacity === 2);
    const load = new Load((data) => stage.runner.execute(data), LANES);
    for (const broker of [first, second]) {
      await load.more(20);
      broker.process.kill("SIGSTOP");
      await stage.until(() => stage.runner.stats().capacity === 0);
      broker.process.kill("SIGCONT");
      await load.more(20);
    }
    expect(failuresOf(await load.end())).toEqual([]);
    expectNoDoubles([host]);
  });
});

describe("a runner that is restarted under load", () => {
  test.each(["drain", "stop"] as const)("(%s) finds its hosts again in time for each call", async (leave) => {
    const first = await HostStage.start({ acquireTimeout: 5_000 });
    const hosts = [await first.host("one", fates("mixed"), 2), await first.host("two", fates("mixed"))];
    const port = Number(new URL(first.listener.address).port);
    const before = new Load((data) => first.runner.execute(data), LANES);
    await before.more(20);
    const ended = before.end();
    await first.runner[leave]();
    // A stop settles every call at once; a drain lets them end.
    const allowed = leave === "drain" ? /^15$/ : /^15$|RunnerStoppedError/;
    expect((await ended).filter((result) => !allowed.test(String(result)))).toEqual([]);
    await using second = await HostStage.start({ acquireTimeout: 5_000 }, { port });
    const after = new Load((data) => second.runner.execute(data), LANES);
    await after.more(60);
    expect(failuresOf(await after.end())).toEqual([]);
    expectNoDoubles(hosts);
    await first[Symbol.asyncDispose]();
  });

  test("behind a broker, too", async () => {
    const first = await HostStage.start({ acquireTimeout: 5_000 });
    const { broker, address } = await Broker.start("broker", first.listener.address);
    await using _broker = broker;
    const host = await first.hostAt(address, "host", fates("mixed"), 2);
    await first.until(() => first.runner.stats().capacity === 2);
    const port = Number(new URL(first.listener.address).port);
    const before = new Load((data) => first.runner.execute(data), LANES);
    await before.more(20);
    const ended = before.end();
    await first.runner.drain();
    expect(failuresOf(await ended)).toEqual([]);
    await using second = await HostStage.start({ acquireTimeout: 5_000 }, { port });
    const after = new Load((data) => second.runner.execute(data), LANES);
    await after.more(60);
    expect(failuresOf(await after.end())).toEqual([]);
    expectNoDoubles([host]);
    await first[Symbol.asyncDispose]();
  });
});

test("hosts that come and go, in order and not, cost no call and no second start", async () => {
  await using stage = await HostStage.start({ acquireTimeout: 5_000 });
  const hosts = [await stage.host("one", fates("mixed"), 2)];
  const load = new Load((data) => stage.runner.execute(data), LANES);
  for (const signal of ["SIGTERM", "SIGINT", "SIGKILL"] as const) {
    const leaving = hosts.at(-1);
    hosts.push(await stage.host(`after-${signal}`, fates("mixed"), 2));
    await load.more(10);
    leaving?.child.kill(signal);
    const ended = await leaving?.ended;
    expect(ended?.code).toBe(signal === "SIGKILL" ? null : 0);
  }
  await load.more(20);
  expect(failuresOf(await load.end())).toEqual([]);
  expectNoDoubles(hosts);
  const retried = stage.events.filter((event) => event.type === "job-retried" && event.outcome !== "rejected");
  expect(retried.length, "only the one that was killed loses anything").toBeLessThanOrEqual(2);
});
