/** What a listener has of its runner: a view, and two things to ask for. */
import { describe, expect, it } from "vitest";
import type { Listener, ListenerContext } from "../../../src/core/transport/listener.ts";
import { Puppet, Stage, watch } from "../../support/stage.ts";

/** A listener that nobody dials. */
class Eavesdropper implements Listener {
  readonly address = "nowhere";
  context: ListenerContext | undefined;

  start(_accept: unknown, context: ListenerContext): Promise<void> {
    this.context = context;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

async function opened(): Promise<{ set: Stage; listener: Eavesdropper }> {
  const listener = new Eavesdropper();
  const set = new Stage({ listen: listener });
  await set.settle(set.runner.start());
  return { set, listener };
}

describe("a listener", () => {
  it("sees the numbers and the events of its runner", async () => {
    const { set: started, listener } = await opened();
    await using set = started;
    const seen: string[] = [];
    const end = listener.context?.runner?.on(({ type }) => seen.push(type));
    await set.worker(() => "", { identity: "w" });
    await set.settle(set.runner.execute("x"));
    end?.();
    await set.settle(set.runner.execute("y"));
    expect(seen).toEqual(["worker-joined", "job-started", "job-settled"]);
    expect(listener.context?.runner?.stats()).toEqual(set.runner.stats());
  });

  it("lets a worker go after what it has, for a minute", async () => {
    const { set: started, listener } = await opened();
    await using set = started;
    const puppet = new Puppet();
    await set.worker(puppet.handler, { identity: "w" });
    const job = watch(set.runner.execute("x"));
    await set.clock.settle();
    expect(listener.context?.controls?.removeWorker("w", { drain: true })).toBe(true);
    await set.clock.settle();
    expect(set.runner.stats().workers.map(({ state }) => state)).toEqual(["draining"]);
    puppet.runs[0]?.end("done");
    await set.clock.settle();
    expect([job.value, set.runner.stats().workers]).toEqual(["done", []]);
    await set.clock.advance(59_000);
    expect(set.runner.stats().workers).toEqual([]);
    await set.clock.advance(32_000);
    expect(set.runner.stats().workers).toHaveLength(1);
  });

  it("cuts a worker off, and what it has is tried elsewhere", async () => {
    const { set: started, listener } = await opened();
    await using set = started;
    const puppet = new Puppet();
    await set.worker(puppet.handler, { identity: "w" });
    const job = watch(set.runner.execute("x"));
    await set.clock.settle();
    expect(listener.context?.controls?.removeWorker("nobody", { drain: false })).toBe(false);
    expect(listener.context?.controls?.removeWorker("w", { drain: false })).toBe(true);
    // Its handler has to end before it has a slot to come back with.
    puppet.runs[0]?.end("too late");
    await set.clock.advance(1_000);
    expect(puppet.runs).toHaveLength(2);
    puppet.runs[1]?.end("again");
    await set.clock.settle();
    expect(job.value).toBe("again");
  });

  it("drains the runner", async () => {
    const { set: started, listener } = await opened();
    await using set = started;
    listener.context?.controls?.drain();
    expect(set.runner.state).toBe("draining");
    await set.clock.settle();
    expect(set.runner.state).toBe("stopped");
  });
});
