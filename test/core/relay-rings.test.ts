/** Brokers that dial each other in a ring, and relays stacked too deep: found out, said, and no job goes round for ever. */
import { describe, expect, it } from "vitest";
import { TimeoutError } from "../../src/core/errors.ts";
import { MAX_RELAYS } from "../../src/core/identifiers.ts";
import { relay } from "../../src/core/relay.ts";
import { JobRunner } from "../../src/core/runner/runner.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import { hello } from "../support/scripted-peer.ts";
import { type Stage, stage, watch } from "../support/stage.ts";

/** Runners in a row, each with a relay to the next one as a worker; `isRing`: the last with one to the first. */
class Row {
  readonly stage: Stage;
  readonly runners: JobRunner[] = [];
  readonly relays: Worker[] = [];
  /** CAPACITY messages that the runners were sent. */
  resized = 0;
  /** What the relays were warned of. */
  readonly warned: string[] = [];

  constructor(set: Stage, length: number) {
    const { clock, random } = set;
    this.stage = set;
    this.runners.push(set.runner);
    while (this.runners.length < length) this.runners.push(new JobRunner({ clock, random }));
    for (const runner of this.runners)
      runner.on((event) => {
        if (event.type === "worker-resized") this.resized++;
      });
  }

  async link(from: number, to: number): Promise<Worker> {
    const { clock, random } = this.stage;
    const [dial, fleet] = [this.runners[from], this.runners[to]];
    if (dial === undefined || fleet === undefined) throw new RangeError("no such runner");
    const onWarning = ({ message }: Error): void => void this.warned.push(message);
    const identity = `relay-${from}-${to}`;
    const worker = new Worker({ dial, handler: relay(fleet), identity, clock, random, onWarning });
    this.relays.push(worker);
    watch(worker.start());
    await clock.settle();
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.relays) await this.stage.settle(worker.stop());
    for (const runner of this.runners) await this.stage.settle(runner.stop());
    await this.stage[Symbol.asyncDispose]();
  }
}

async function row(length: number, isRing: boolean): Promise<Row> {
  const made = new Row(await stage(), length);
  for (const runner of made.runners.slice(1)) await made.stage.settle(runner.start());
  for (let i = 0; i + 1 < length; i++) await made.link(i, i + 1);
  if (isRing) await made.link(length - 1, 0);
  return made;
}

describe.each([1, 2, 3, 8])("%i brokers in a ring", (length) => {
  it("are found out: one link ends for good, and says why", async () => {
    await using ring = await row(length, true);
    await ring.stage.clock.advance(60_000);
    const ended = ring.relays.filter(({ state }) => state === "stopped");
    expect(ended).toHaveLength(1);
    expect(ring.warned).toEqual([expect.stringContaining("relays are stacked, or they are a ring")]);
    expect(ring.resized).toBeLessThan(100);
  });

  it("count each slot once for each way that leads there", async () => {
    await using ring = await row(length, true);
    const leaf = await ring.stage.worker(({ data }) => data, { identity: "leaf" });
    const capacities = ring.runners.map((runner) => runner.stats().capacity);
    expect(Math.max(...capacities)).toBe(1);
    await ring.stage.settle(leaf.stop());
    expect(ring.runners.map((runner) => runner.stats().capacity)).toEqual(capacities.map(() => 0));
  });

  it("settle a job that no worker is there for", async () => {
    await using ring = await row(length, true);
    const calls = ring.runners.map((runner) => watch(runner.execute("x", { acquireTimeout: 1_000 })));
    await ring.stage.clock.advance(2_000);
    for (const { error } of calls) expect(error).toBeInstanceOf(TimeoutError);
  });
});

describe("a ring that closes while jobs wait in it", () => {
  it.each([2, 3])("of %i brokers runs each job once", async (length) => {
    await using ring = await row(length, false);
    const ran: string[] = [];
    const { clock } = ring.stage;
    const handler = ({ data }: { readonly data: string | Uint8Array }): string => {
      ran.push(String(data));
      return "done";
    };
    const leaf = await ring.stage.worker(handler, { identity: "leaf" });
    const jobs = Array.from({ length: 30 }, (_, i) => `${i}`);
    const calls = jobs.map((job) => watch(ring.stage.runner.execute(job)));
    await ring.link(length - 1, 0);
    await clock.advance(10_000);
    expect(calls.map(({ value }) => value)).toEqual(jobs.map(() => "done"));
    expect(ran.sort()).toEqual(jobs.sort());
    await ring.stage.settle(leaf.stop());
  });
});

describe("a job that comes back to its own runner", () => {
  it("is handed back, and not taken in a second time", async () => {
    await using set = await stage();
    const peer = await set.peer({ identity: "relay", isRelay: true });
    const call = await set.execute("x", { attempts: 1 });
    const { route, ...job } = peer.last("JOB");
    expect(route).toBeUndefined();
    const origin = set.runner.fleet.runnerId;
    let result: unknown;
    const message = { ...job, route: { origin, deadline: 1_000, priority: 0, labels: [], avoid: [] } };
    const from = { runnerId: "other", labels: [], asyncContext: undefined, waited: 0 };
    const nothing = (): void => undefined;
    const onRelayed = (ended: unknown): void => void (result = ended);
    const told = { onRelayedItem: nothing, onRelayedCredit: nothing, onRelayedProgress: nothing, onRelayed };
    relay(set.runner).forward(message, from, told);
    expect(result).toEqual({ ok: false, reject: "unfit" });
    expect(set.runner.stats()).toMatchObject({ submitted: 1, running: 1, queued: 0 });
    peer.answer("y");
    await set.clock.settle();
    expect(call.value).toBe("y");
  });
});

describe(`${MAX_RELAYS} relays`, () => {
  it("may be stacked, and their labels tell nothing of it", async () => {
    await using chain = await row(MAX_RELAYS + 1, false);
    const { clock, random } = chain.stage;
    const last = chain.runners.at(-1);
    const leaf = new Worker({ dial: last, handler: () => "done", identity: "leaf", labels: ["gpu"], clock, random });
    await chain.stage.settle(leaf.start());
    const call = await chain.stage.execute("x", { require: ["gpu"] });
    await clock.settle();
    expect(call.value).toBe("done");
    expect(chain.runners.map((runner) => runner.stats().workers[0]?.labels)).toEqual(chain.runners.map(() => ["gpu"]));
    await chain.stage.settle(leaf.stop());
  });

  it("and one more are refused", async () => {
    await using set = await stage();
    const peer = await set.connection();
    peer.send(hello({ isRelay: true, labels: [`relays:${MAX_RELAYS + 1}`], features: 0xc0 }));
    await set.clock.settle();
    expect(peer.last("ERROR")).toMatchObject({ code: "PROTOCOL", text: expect.stringContaining("ring") as string });
  });

  it("are told by labels that no worker may have", () => {
    expect(() => new Worker({ dial: new JobRunner(), handler: () => "", labels: ["relays:2"] })).toThrow(/relays:/);
  });
});
