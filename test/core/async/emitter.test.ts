import { describe, expect, it } from "vitest";
import { Emitter } from "../../../src/core/async/emitter.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

interface Rig {
  readonly clock: VirtualClock;
  readonly stream: Emitter<string>;
  readonly heard: string[];
  readonly listener: (name: string) => (event: string) => void;
}

function rig(): Rig {
  const clock = new VirtualClock();
  const heard: string[] = [];
  return {
    clock,
    stream: new Emitter(clock),
    heard,
    listener: (name) => (event) => heard.push(`${name}:${event}`),
  };
}

describe("a stream of events", () => {
  it("delivers in order to all, at the end of the turn and not before", async () => {
    const { clock, stream, heard, listener } = rig();
    stream.on(listener("a"));
    stream.on(listener("b"));
    stream.emit("1");
    stream.emit("2");
    expect(heard).toEqual([]);
    await clock.settle();
    expect(heard).toEqual(["a:1", "b:1", "a:2", "b:2"]);
  });

  it("knows whether anybody listens, and keeps nothing for nobody", async () => {
    const { clock, stream, heard, listener } = rig();
    expect(stream.active).toBe(false);
    stream.emit("unheard");
    const off = stream.on(listener("a"));
    expect(stream.active).toBe(true);
    off();
    expect(stream.active).toBe(false);
    stream.emit("unheard");
    stream.on(listener("b"));
    await clock.settle();
    expect(heard).toEqual([]);
  });

  it("knows whether anybody wants to hear of single jobs", () => {
    const { stream, listener } = rig();
    expect(stream.wantsJobEvents).toBe(false);
    stream.on(listener("fleet"), false);
    expect([stream.active, stream.wantsJobEvents]).toEqual([true, false]);
    const off = stream.on(listener("all"));
    expect(stream.wantsJobEvents).toBe(true);
    off();
    expect([stream.active, stream.wantsJobEvents]).toEqual([true, false]);
  });

  it("tells a listener nothing that was emitted before it listened, whoever else did", async () => {
    const { clock, stream, heard, listener } = rig();
    stream.on(listener("a"));
    stream.emit("1");
    stream.on(listener("b"));
    stream.emit("2");
    await clock.settle();
    expect(heard).toEqual(["a:1", "a:2", "b:2"]);
  });

  it("tells a listener nothing once it is removed, also when another removes it as it hears the same event", async () => {
    const { clock, stream, heard, listener } = rig();
    let off = (): void => undefined;
    stream.on((event) => {
      heard.push(`a:${event}`);
      off();
    });
    off = stream.on(listener("b"));
    stream.on(listener("c"));
    stream.emit("1");
    stream.emit("2");
    await clock.settle();
    expect(heard).toEqual(["a:1", "c:1", "a:2", "c:2"]);
  });

  it("lets a listener remove itself as it hears", async () => {
    const { clock, stream, heard, listener } = rig();
    const off = stream.on((event) => {
      heard.push(`once:${event}`);
      off();
      off();
    });
    stream.on(listener("b"));
    stream.emit("1");
    stream.emit("2");
    await clock.settle();
    expect(heard).toEqual(["once:1", "b:1", "b:2"]);
  });

  it("lets a listener add another, which hears what comes after", async () => {
    const { clock, stream, heard, listener } = rig();
    const off = stream.on(() => {
      off();
      stream.on(listener("new"));
      stream.emit("2");
    });
    stream.emit("1");
    await clock.settle();
    expect(heard).toEqual(["new:2"]);
  });

  it("counts the same listener as often as it was added, and removes it one at a time", async () => {
    const { clock, stream, heard, listener } = rig();
    const same = listener("a");
    const off = stream.on(same);
    stream.on(same);
    stream.emit("1");
    await clock.settle();
    off();
    off();
    stream.emit("2");
    await clock.settle();
    expect(heard).toEqual(["a:1", "a:1", "a:2"]);
    expect(stream.active).toBe(true);
  });

  it("lets a listener throw without touching the others, and hands the error to the host afterwards", async () => {
    const clock = new VirtualClock();
    const hosts: (() => void)[] = [];
    clock.endOfTurn = (fn) => void hosts.push(fn);
    const stream = new Emitter<string>(clock);
    const heard: string[] = [];
    stream.on((event) => {
      throw new Error(`cannot bear ${event}`);
    });
    stream.on((event) => heard.push(event));
    stream.emit("1");
    stream.emit("2");
    expect(hosts).toHaveLength(1);
    hosts.shift()?.();
    expect(heard).toEqual(["1", "2"]);
    expect(hosts).toHaveLength(2);
    expect(hosts[0]).toThrow("cannot bear 1");
    expect(hosts[1]).toThrow("cannot bear 2");
  });

  it("asks for no turn when nobody listens", () => {
    const { clock, stream } = rig();
    stream.emit("1");
    expect(clock.busy).toBe(false);
  });

  it("takes functions only", () => {
    const { stream } = rig();
    expect(() => stream.on("a" as never)).toThrow(/^on: expected a function/);
    expect(stream.active).toBe(false);
  });
});
