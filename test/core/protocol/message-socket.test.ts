/** One link by itself: when a batch leaves, what is heard, and what is no longer heard once it is closed. */
import { describe, expect, it } from "vitest";
import { HoledBytes } from "../../../src/core/job/holed-bytes.ts";
import { ANY_CODEC, FrameWriter } from "../../../src/core/protocol/codec.ts";
import { MessageSocket, type MessageSocketOwner } from "../../../src/core/protocol/message-socket.ts";
import type { Message } from "../../../src/core/protocol/message.ts";
import type { AttachmentKind, Peer } from "../../../src/core/peer.ts";
import type { Receiver, Socket } from "../../../src/core/transport/socket.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

const PEER: Peer = { transport: "test", address: "", principal: "me" };

class Wire implements Socket {
  readonly peer = PEER;
  readonly faults = "stream";
  readonly bufferedBytes = 0;
  attachments: AttachmentKind | undefined;
  readonly beside: (readonly ArrayBufferLike[] | undefined)[] = [];
  sent = 0;
  closes = 0;
  taking = true;
  send(_frame: Uint8Array, attachments?: readonly ArrayBufferLike[]): boolean {
    this.beside.push(attachments);
    this.sent++;
    return this.taking;
  }
  open(_receiver: Receiver): void {}
  close(): void {
    this.closes++;
  }
}

/** Counts how often it is asked for the end of a turn. */
class Turns extends VirtualClock {
  asked = 0;
  override endOfTurn(fn: () => void): void {
    this.asked++;
    super.endOfTurn(fn);
  }
}

const MAX = 100_000;

function rig(onMessage: (link: MessageSocket) => void = () => undefined) {
  const clock = new Turns();
  const wire = new Wire();
  const told: string[] = [];
  const owner: MessageSocketOwner = {
    onData: () => void told.push("heard"),
    onPart: () => void told.push("heard in part"),
    onMessage: (message) => {
      told.push(message.type);
      onMessage(link);
    },
    onFrameEnd: () => void told.push("done"),
    onProtocolError: (error) => void told.push(`malformed: ${error.message}`),
    onFlush: (taken) => void told.push(taken ? "taken" : "refused"),
    onClose: (reason) => void told.push(`closed: ${reason.message}`),
  };
  const link: MessageSocket = new MessageSocket(wire, clock, owner, MAX, ANY_CODEC);
  return { clock, wire, link, told };
}

function frame(...messages: readonly Message[]): Uint8Array {
  const writer = new FrameWriter();
  for (const message of messages) writer.append(message);
  return writer.take();
}

const PING: Message = { type: "PING", nonce: 1 };

function result(length: number): Message {
  return { type: "JOBRES", attemptId: 1, value: "x".repeat(length) };
}

describe("a batch", () => {
  it("leaves at the end of the turn, for which is asked once", async () => {
    const { clock, wire, link, told } = rig();
    for (let i = 0; i < 3; i++) expect(link.send(PING)).toBe(true);
    expect([clock.asked, wire.sent]).toEqual([1, 0]);
    await clock.settle();
    expect([wire.sent, link.framesSent, told]).toEqual([1, 1, ["taken"]]);
    link.send(PING);
    await clock.settle();
    expect([clock.asked, wire.sent]).toEqual([2, 2]);
  });

  it("leaves at 64 messages, and is not sent again at the end of the turn", async () => {
    const { clock, wire, link } = rig();
    for (let i = 0; i < 63; i++) link.send(PING);
    expect(wire.sent).toBe(0);
    link.send(PING);
    expect([wire.sent, link.bufferedBytes]).toEqual([1, 0]);
    await clock.settle();
    expect(wire.sent).toBe(1);
  });

  it("leaves at 64 KiB, exactly", () => {
    const [small, exact] = [rig(), rig()];
    small.link.send(result(60_000));
    const overhead = small.link.bufferedBytes - 60_000;
    small.link.send(result(65_535 - 60_000 - 2 * overhead));
    const left = 65_535 - small.link.bufferedBytes;
    expect([small.wire.sent, left < 16]).toEqual([0, true]);
    exact.link.send(result(65_536 - overhead));
    expect(exact.wire.sent).toBe(1);
  });

  it("that is refused is not counted as sent", () => {
    const { wire, link, told } = rig();
    wire.taking = false;
    link.send(PING);
    link.flush();
    expect([wire.sent, link.framesSent, told]).toEqual([1, 0, ["refused"]]);
  });

  it("is none when there is nothing to say", () => {
    const { wire, link, told } = rig();
    link.flush();
    expect([wire.sent, told]).toEqual([0, []]);
  });
});

describe("a frame", () => {
  it("is a sign of life, its messages, and their end", () => {
    const { link, told } = rig();
    link.frame(frame(PING, PING));
    expect(told).toEqual(["heard", "PING", "PING", "done"]);
  });

  it("may be as large as was agreed, and no larger", () => {
    const { link, told } = rig();
    const overhead = frame(result(70_000)).byteLength - 70_000;
    link.frame(frame(result(MAX - overhead)));
    expect(told).toEqual(["heard", "JOBRES", "done"]);
    told.length = 0;
    link.frame(frame(result(MAX - overhead + 1)));
    expect(told).toEqual(["heard", `malformed: a frame of ${MAX + 1} bytes is too large`, "done"]);
  });

  it("that makes its owner throw is no fault of the peer's", () => {
    const { link, told } = rig(() => {
      throw new TypeError("ours");
    });
    expect(() => link.frame(frame(PING))).toThrow("ours");
    expect(told).toEqual(["heard", "PING"]);
  });

  it("that makes its owner close is read no further, well-formed or not", () => {
    const { link, told } = rig((open) => open.close());
    link.frame(Uint8Array.from([...frame(PING, PING), 0xee]));
    expect(told).toEqual(["heard", "PING", "done"]);
  });
});

describe("a closed link", () => {
  it("says and hears nothing, and closes its socket once, after what was left to say", async () => {
    const { clock, wire, link, told } = rig();
    link.send(PING);
    link.close();
    link.close();
    expect([link.isClosed, link.send(PING)]).toEqual([true, false]);
    link.flush();
    link.frame(frame(PING));
    link.closed({ code: "error", message: "late" });
    await clock.settle();
    expect([wire.sent, wire.closes, told]).toEqual([1, 1, []]);
  });

  it("is told once when the other end closed it", () => {
    const { wire, link, told } = rig();
    link.closed({ code: "error", message: "reset" });
    link.closed({ code: "error", message: "again" });
    link.close();
    expect([link.isClosed, wire.closes, told]).toEqual([true, 0, ["closed: reset"]]);
  });
});

describe("buffers that stand apart", () => {
  const content = Uint8Array.of(1, 2);
  const apart = (): HoledBytes => new HoledBytes(Uint8Array.of(7), [{ at: 0, content }]);
  const answer = (value: Uint8Array): Message => ({ type: "JOBRES", attemptId: 1, value });

  it("leave with their frame, once both ends speak of them", () => {
    const { wire, link } = rig();
    wire.attachments = "transferred";
    const [before, payload] = [apart(), apart()];
    link.send(answer(before));
    link.flush();
    link.allowAttachments();
    for (const value of [payload, Uint8Array.of(1)]) {
      link.send(answer(value));
      link.flush();
    }
    expect(wire.beside).toEqual([undefined, [content.buffer], undefined]);
    expect([before.hasLeft, payload.hasLeft]).toEqual([false, true]);
  });

  it("are filled in where the socket carries none", () => {
    const { wire, link } = rig();
    link.allowAttachments();
    link.send(answer(apart()));
    link.close();
    expect([wire.beside, link.attachments]).toEqual([[undefined], undefined]);
  });

  it("have not left with a frame that was refused: another session may send them", () => {
    const { wire, link } = rig();
    wire.attachments = "shared";
    wire.taking = false;
    link.allowAttachments();
    const payload = apart();
    link.send(answer(payload));
    link.close();
    expect([payload.hasLeft, payload.holes.length]).toEqual([false, 1]);
  });
});
