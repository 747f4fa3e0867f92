/** Payloads whose buffers stand apart: what is written of them, and what a stranger may claim. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EncodingError, ProtocolError } from "../../../src/core/errors.ts";
import { HoledBytes, type Hole } from "../../../src/core/job/holed-bytes.ts";
import { Job } from "../../../src/core/job/job.ts";
import { ANY_CODEC, FrameWriter, readFrame, wirePayloadBytes } from "../../../src/core/protocol/codec.ts";
import { heldJobBytes, heldPayloadBytes } from "../../../src/core/job/held-bytes.ts";
import type { Message } from "../../../src/core/protocol/message.ts";
import { bytesOf, decode, encode, encodeApart, fromHex, result, toHex } from "../../support/frames.ts";
import { errorOf } from "../../support/job-texts.ts";

function hole(at: number, ...bytes: number[]): Hole {
  return { at, content: Uint8Array.from(bytes) };
}

function contentOf(message: Message): unknown {
  return "value" in message ? message.value : undefined;
}

const inline = Uint8Array.of(1, 2, 3);
const holed = new HoledBytes(inline, [hole(0, 10), hole(2, 11, 12), hole(3, 13)]);
const FILLED = Uint8Array.of(10, 1, 2, 11, 12, 3, 13);

function jobOf(content: Uint8Array): Message {
  const job = new Job(content, { a: "b" }).forTask("resize");
  return { type: "JOB", attemptId: 1, attempt: 1, jobId: 1, ttl: 1_000, job };
}

describe("a payload with holes", () => {
  it("is written with them filled where nothing stands apart", () => {
    expect(toHex(encode(result(holed)))).toBe(toHex(encode(result(FILLED))));
    expect(toHex(encode(jobOf(holed)))).toBe(toHex(encode(jobOf(FILLED))));
    expect(toHex(encode({ type: "ITEM", attemptId: 1, value: holed }))).toBe(
      toHex(encode({ type: "ITEM", attemptId: 1, value: FILLED })),
    );
  });

  it("is copied as an item of an input, which none stands apart from", () => {
    const input = { type: "INPUT", attemptId: 1 } as const;
    const { frame, attachments } = encodeApart({ ...input, value: holed });
    expect([toHex(frame), attachments]).toEqual([toHex(encode({ ...input, value: FILLED })), []]);
  });

  it("is filled with one copy", () => {
    const large = new HoledBytes(inline, [{ at: 1, content: new Uint8Array(1_000_000) }]);
    const frame = encode(result(large));
    expect(frame.buffer.byteLength).toBe(frame.length);
  });

  it("counts all its bytes where they are held or framed", () => {
    expect([wirePayloadBytes(holed), heldPayloadBytes(holed)]).toEqual([7, 7]);
    expect(heldJobBytes(new Job(holed))).toBe(heldJobBytes(new Job(FILLED)));
  });

  it("leaves the very buffers beside the frame, which holds the rest", () => {
    for (const message of [result(holed), jobOf(holed)] as const) {
      const { frame, attachments } = encodeApart(message);
      expect(attachments).toEqual(holed.holes.map(({ content }) => content.buffer));
      const [read] = decode(frame, attachments);
      const value = read?.type === "JOB" ? read.job.content : bytesOf(read);
      if (!(value instanceof HoledBytes)) throw new Error("expected holes");
      expect(Array.from(value)).toEqual(Array.from(inline));
      const { holes } = value;
      expect(holes).toEqual(holed.holes);
      expect(holes[1]?.content.buffer).toBe(holed.holes[1]?.content.buffer);
    }
  });

  it("may be part of shared memory", () => {
    const memory = new SharedArrayBuffer(16);
    const shared = new HoledBytes(inline, [{ at: 3, content: new Uint8Array(memory, 4, 8) }]);
    const { frame, attachments } = encodeApart(result(shared));
    const value = bytesOf(decode(frame, attachments)[0]);
    const [read] = value instanceof HoledBytes ? value.holes : [];
    expect(read?.content.buffer).toBe(memory);
    expect([read?.content.byteOffset, read?.content.length]).toEqual([4, 8]);
  });

  it("of shared memory is not filled in", () => {
    const content = new Uint8Array(new SharedArrayBuffer(4));
    const shared = new HoledBytes(inline, [{ at: 1, content, path: "input.image" }]);
    expect(() => encode(result(shared))).toThrow(EncodingError);
    expect(() => encode(result(shared))).toThrow("at input.image: a SharedArrayBuffer crosses threads of one machine");
  });

  it("shows a handler that knows no holes the data with them filled", () => {
    const job = new Job(holed, { a: "b" }).forTask("t");
    expect(job.data).toEqual(FILLED);
    expect(job.data).toBe(job.data);
    expect(job.withDefaultHeaders({ c: "d" }).data).toEqual(FILLED);
    expect(toHex(job.serializeBytes())).toBe(toHex(new Job(FILLED, { a: "b" }).serializeBytes()));
  });

  it("is gone once it has left, unless all of it is shared", () => {
    const sent = new HoledBytes(inline, [hole(1, 1)]);
    sent.leave();
    expect([sent.hasLeft, sent.attachedBytes, wirePayloadBytes(sent)]).toEqual([true, 1, 4]);
    expect(() => encode(result(sent))).toThrow(EncodingError);
    expect(() => encodeApart(result(sent))).toThrow(ProtocolError);
    const shared = new HoledBytes(inline, [{ at: 1, content: new Uint8Array(new SharedArrayBuffer(4)) }]);
    shared.leave();
    expect(shared.hasLeft).toBe(false);
  });

  it("leaves nothing in a frame that it did not get into", () => {
    const writer = new FrameWriter();
    writer.leaveHoles();
    const tooMany = new HoledBytes(
      inline,
      Array.from({ length: 1_025 }, () => hole(3, 1)),
    );
    expect(() => writer.append(result(tooMany))).toThrow(ProtocolError);
    writer.append(result(holed));
    expect(writer.attached).toEqual([holed]);
    writer.take();
    expect(writer.attached).toBeUndefined();
  });
});

describe("a frame of a stranger", () => {
  const { frame, attachments } = encodeApart(result(holed));

  it.each([
    ["holes without buffers", []],
    ["fewer buffers than holes", attachments.slice(1)],
    ["buffers that no hole is for", [...attachments, new ArrayBuffer(1)]],
    ["buffers that are too short", attachments.map(() => new ArrayBuffer(0))],
  ])("with %s is malformed", (_what, given) => {
    expect(() => decode(frame, given)).toThrow(ProtocolError);
  });

  it("with buffers and no holes is malformed", () => {
    expect(() => decode(encode(result("x")), [new ArrayBuffer(1)])).toThrow(ProtocolError);
  });

  // JOBRES, its attempt 1, its flags, then the holes: at, start and length of each.
  const head = (flags: string, holes: string, payload = "aabb"): string => {
    const body = `0000000000000001${flags}${holes}${payload}`;
    return `11${(body.length / 2).toString(16).padStart(8, "0")}${body}`;
  };
  const at = (place: number, start: number, length: number): string =>
    place.toString(16).padStart(8, "0") + start.toString(16).padStart(16, "0") + length.toString(16).padStart(16, "0");

  it.each([
    ["no holes", head("81", "0000")],
    ["a hole in a text", head("80", `0001${at(0, 0, 1)}`)],
    ["a hole behind the payload", head("81", `0001${at(3, 0, 1)}`)],
    ["a hole that begins behind its buffer", head("81", `0001${at(0, 5, 0)}`)],
    ["a hole that ends behind its buffer", head("81", `0001${at(0, 1, 4)}`)],
    ["a hole of nearly 2^53 bytes", head("81", `0001${at(0, 2 ** 53 - 1, 2 ** 53 - 1)}`)],
    ["holes out of order", head("81", `0002${at(2, 0, 1)}${at(1, 0, 1)}`)],
    ["more holes than there may be", head("81", "0401", "00".repeat(30_000))],
    ["holes that end early", head("81", "0002", "")],
  ])("with %s is malformed", (_what, hex) => {
    const buffers = [new ArrayBuffer(4), new ArrayBuffer(4)];
    expect(() => decode(fromHex(hex), buffers)).toThrow(ProtocolError);
  });

  it("is read or refused, whatever its bytes and buffers", () => {
    const valid = encodeApart(result(holed), jobOf(holed), { type: "ITEM", attemptId: 3, value: holed });
    const change = fc.tuple(fc.nat(valid.frame.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), fc.array(fc.nat(20), { maxLength: 12 }), (changes, lengths) => {
        const bytes = Uint8Array.from(valid.frame);
        for (const [place, byte] of changes) bytes[place] = byte;
        const buffers = lengths.length === 0 ? valid.attachments : lengths.map((length) => new ArrayBuffer(length));
        const seen: Message[] = [];
        const error = errorOf(() => readFrame(bytes, ANY_CODEC.decode, (message) => seen.push(message), buffers));
        expect(error === undefined || error instanceof ProtocolError).toBe(true);
        const contents = seen.map((message) => (message.type === "JOB" ? message.job.content : contentOf(message)));
        const joined = contents.filter((content) => content instanceof HoledBytes).map((content) => content.joined());
        expect(joined.every(({ length }, i) => length === wirePayloadBytes(joined[i] ?? ""))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is what it was, for any holes", () => {
    const anyHoles = fc.array(fc.tuple(fc.nat(5), fc.uint8Array({ maxLength: 9 })), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), anyHoles, (bytes, drawn) => {
        let place = 0;
        const holes = drawn.map(([step, content]) => {
          place = Math.min(bytes.length, place + step);
          return { at: place, content: Uint8Array.from(content) };
        });
        const value = new HoledBytes(bytes, holes);
        const apart = encodeApart(result(value));
        const read = bytesOf(decode(apart.frame, apart.attachments)[0]);
        expect(Array.from(read)).toEqual(Array.from(bytes));
        expect(read instanceof HoledBytes ? read.joined() : read).toEqual(value.joined());
        expect(bytesOf(decode(encode(result(value)))[0])).toEqual(value.joined());
      }),
    );
  });
});
