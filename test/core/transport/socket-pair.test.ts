import { describe, expect, it } from "vitest";
import { socketPair } from "../../../src/core/transport/socket-pair.ts";
import type { CloseReason, Receiver, Socket } from "../../../src/core/transport/socket.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

class Ear implements Receiver {
  readonly heard: (string | CloseReason)[] = [];
  next: () => void = () => undefined;

  frame(bytes: Uint8Array): void {
    this.heard.push(new TextDecoder().decode(bytes));
    this.next();
  }

  closed(reason: CloseReason): void {
    this.heard.push(reason);
    this.next();
  }

  /** What was heard, closes by their codes alone. */
  get brief(): string[] {
    return this.heard.map((item) => (typeof item === "string" ? item : `closed: ${item.code}`));
  }
}

class Pair {
  readonly clock = new VirtualClock();
  readonly ears: [Ear, Ear] = [new Ear(), new Ear()];
  readonly ends: [Socket, Socket];

  constructor(maxFrameBytes = 10) {
    const peers = ["one", "other"].map((address) => ({ transport: "memory", address, principal: address }));
    const [one = { transport: "", address: "", principal: "" }, other = one] = peers;
    this.ends = socketPair({ clock: this.clock, peers: [one, other], maxFrameBytes });
  }

  open(): this {
    this.ends[0].open(this.ears[0]);
    this.ends[1].open(this.ears[1]);
    return this;
  }
}

function frame(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

describe("two joined sockets", () => {
  it("say who is at the other end, and that nothing is lost between", () => {
    const { ends } = new Pair();
    expect(ends.map((end) => end.peer.address)).toEqual(["one", "other"]);
    expect(ends.map((end) => end.faults)).toEqual(["stream", "stream"]);
  });

  it("deliver nothing in the step it is sent in, and all of it in order in a later one", async () => {
    const { clock, ends, ears } = new Pair().open();
    for (const text of ["1", "2", "3"]) expect(ends[0].send(frame(text))).toBe(true);
    ends[1].send(frame("back"));
    expect([ears[0].heard, ears[1].heard]).toEqual([[], []]);
    await clock.settle();
    expect([ears[0].brief, ears[1].brief]).toEqual([["back"], ["1", "2", "3"]]);
  });

  it("move all that is sent in one turn together", async () => {
    const { clock, ends } = new Pair().open();
    let turns = 0;
    const nextTurn = clock.nextTurn.bind(clock);
    clock.nextTurn = (fn) => {
      turns++;
      nextTurn(fn);
    };
    for (const text of ["1", "2", "3"]) ends[0].send(frame(text));
    await clock.settle();
    expect(turns).toBe(1);
  });

  it("deliver what a receiver sends as it hears, in a later step still", async () => {
    const { clock, ends, ears } = new Pair().open();
    ears[1].next = () => {
      if (ears[1].heard.length < 3) ends[0].send(frame(`after ${ears[1].heard.length}`));
      expect(ears[1].heard.length).toBeLessThanOrEqual(3);
    };
    ends[0].send(frame("first"));
    await clock.settle();
    expect(ears[1].brief).toEqual(["first", "after 1", "after 2"]);
  });

  it("hold what comes before they are opened", async () => {
    const { clock, ends, ears } = new Pair();
    ends[0].send(frame("early"));
    await clock.settle();
    ends[1].open(ears[1]);
    await clock.settle();
    ends[0].send(frame("late"));
    await clock.settle();
    expect(ears[1].brief).toEqual(["early", "late"]);
  });

  it("count the bytes that are on their way", async () => {
    const { clock, ends } = new Pair().open();
    ends[0].send(frame("12345"));
    ends[0].send(frame("678"));
    expect([ends[0].bufferedBytes, ends[1].bufferedBytes]).toEqual([8, 0]);
    await clock.settle();
    expect(ends[0].bufferedBytes).toBe(0);
  });

  it("are opened by one receiver only", () => {
    const { ends } = new Pair().open();
    expect(() => ends[0].open(new Ear())).toThrow("already open");
  });
});

describe("a closed end", () => {
  it("tells both sides once, in a later step, after what was sent before", async () => {
    const { clock, ends, ears } = new Pair().open();
    ends[0].send(frame("last"));
    ends[0].close();
    ends[0].close();
    expect([ears[0].heard, ears[1].heard]).toEqual([[], []]);
    expect(ends[0].send(frame("too late"))).toBe(false);
    await clock.settle();
    expect([ears[0].brief, ears[1].brief]).toEqual([["closed: local"], ["last", "closed: peer"]]);
    expect(ends[1].send(frame("x"))).toBe(false);
    ends[1].close();
    await clock.settle();
    expect(ears[1].brief).toEqual(["last", "closed: peer"]);
  });

  it("hears nothing more of what was on its way", async () => {
    const { clock, ends, ears } = new Pair().open();
    ends[1].send(frame("before"));
    ends[0].close();
    ends[1].send(frame("after"));
    expect(ends[1].bufferedBytes).toBe(5);
    await clock.settle();
    expect([ears[0].brief, ends[1].bufferedBytes]).toEqual([["closed: local"], 0]);
  });

  it("that is closed as it hears a frame hears no other", async () => {
    const { clock, ends, ears } = new Pair().open();
    ears[1].next = () => ends[1].close();
    for (const text of ["1", "2"]) ends[0].send(frame(text));
    await clock.settle();
    expect([ears[0].brief, ears[1].brief]).toEqual([["closed: peer"], ["1", "closed: local"]]);
  });

  it("is local to each when both close in one step", async () => {
    const { clock, ends, ears } = new Pair().open();
    for (const end of ends) end.close();
    await clock.settle();
    expect([ears[0].brief, ears[1].brief]).toEqual([["closed: local"], ["closed: local"]]);
  });

  it("passes its reason on to its own receiver alone", async () => {
    const { clock, ends, ears } = new Pair().open();
    ends[0].close({ code: "violation", message: "nonsense" });
    await clock.settle();
    expect(ears[0].heard).toEqual([{ code: "violation", message: "nonsense" }]);
    expect(ears[1].brief).toEqual(["closed: peer"]);
  });

  it("still delivers what was held when it is opened after the other end has closed", async () => {
    const { clock, ends, ears } = new Pair();
    ends[0].send(frame("1"));
    ends[0].close();
    await clock.settle();
    ends[1].open(ears[1]);
    ends[0].open(ears[0]);
    await clock.settle();
    expect([ears[0].brief, ears[1].brief]).toEqual([["closed: local"], ["1", "closed: peer"]]);
  });
});

describe("a frame over the limit", () => {
  it("closes both ends, delivers what was before it and nothing after", async () => {
    const { clock, ends, ears } = new Pair(3).open();
    for (const text of ["123", "1234", "5"]) ends[0].send(frame(text));
    await clock.settle();
    expect([ears[0].brief, ears[1].brief]).toEqual([["closed: too-large"], ["123", "closed: too-large"]]);
    expect(ears[1].heard[1]).toMatchObject({ message: "a frame of 4 bytes is over the limit of 3" });
    expect(ends.map((end) => end.send(frame("x")))).toEqual([false, false]);
  });

  it("does not change how an end was closed before", async () => {
    const { clock, ends, ears } = new Pair(3).open();
    ends[0].send(frame("1234"));
    ends[1].close();
    await clock.settle();
    expect([ears[0].brief, ears[1].brief]).toEqual([["closed: peer"], ["closed: local"]]);
  });
});
