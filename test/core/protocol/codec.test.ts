import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { frameLimit, FrameWriter, wirePayloadBytes } from "../../../src/core/protocol/codec.ts";
import { EncodingError, ProtocolError, type RemoteError } from "../../../src/core/errors.ts";
import { isIdentity } from "../../../src/core/identifiers.ts";
import { Job, JOB_LIMITS } from "../../../src/core/job/job.ts";
import type { Message } from "../../../src/core/protocol/message.ts";
import {
  anyMessage,
  decode,
  decodeOne,
  encode,
  encodeApart,
  golden,
  goldenApart,
  goldenWords,
  plain,
  result,
  toHex,
  valueOf,
} from "../../support/frames.ts";
import { growthOf } from "../../support/growth.ts";
import { errorOf } from "../../support/job-texts.ts";

describe("golden frames", () => {
  const doc = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");

  it.each([...golden, ...goldenApart])("$name", ({ name, messages, hex, frame, attachments }) => {
    const written = attachments === undefined ? { frame: encode(...messages) } : encodeApart(...messages);
    expect(toHex(written.frame)).toBe(hex);
    expect("attachments" in written ? written.attachments : undefined).toEqual(attachments);
    expect(decode(frame, attachments).map(plain)).toEqual(messages.map(plain));
    // On the page with what it means, so that the page alone is enough.
    const beside = (attachments ?? []).map((buffer) => `+ ${toHex(new Uint8Array(buffer))}`);
    expect(doc).toContain([`**${name}**`, "", "```text", hex, ...beside, ...goldenWords(name), "```", ""].join("\n"));
  });

  it("are there for every type of message", () => {
    expect(new Set(golden.flatMap(({ messages }) => messages).map(({ type }) => type)).size).toBe(23);
  });
});

describe("for all messages", () => {
  it("decoding undoes encoding", () => {
    const writer = new FrameWriter();
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 8 }), (messages) => {
        for (const each of messages) writer.append(each);
        expect(writer.messages).toBe(messages.length);
        const size = writer.bytes;
        const frame = writer.take();
        expect([writer.messages, writer.bytes]).toEqual([0, 0]);
        expect(frame.length).toBe(size);
        expect(frame.buffer.byteLength).toBe(size);
        expect(decode(frame).map(plain)).toEqual(messages.map(plain));
        // Whatever the writer held before: a frame is the same from a new one.
        expect(toHex(frame)).toBe(toHex(encode(...messages)));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("names", () => {
  it.each(["a", "A-Z.0_9:x", "x".repeat(128)])("may be %s", (given) => {
    expect(isIdentity(given)).toBe(true);
  });

  it.each(["", "x".repeat(129), "a b", "a\n", "\na", "é", "a/b", "__proto__\0"])("may not be %j", (given) => {
    expect(isIdentity(given)).toBe(false);
  });

  it("and numbers outside their bounds never reach the wire", () => {
    const hello = {
      type: "HELLO",
      version: 1,
      identity: "w",
      instance: "i",
      capacity: 1,
      blocking: true,
      served: 0,
      features: 0,
      maxPayload: 1,
      isRelay: false,
    } as const;
    const bad: Message[] = [
      { ...hello, labels: [], identity: "a b" },
      { ...hello, labels: [], instance: "" },
      { ...hello, labels: ["ok", "\n"] },
      { ...hello, labels: Array.from({ length: 256 }, () => "x") },
      ...[0, -1, 1.5, 65_536, Number.NaN].map((capacity) => ({ ...hello, labels: [], capacity })),
      { type: "WELCOME", version: 1, sessionId: "", runnerId: "r", heartbeat: 1, maxPayload: 1, features: 0 },
    ];
    const writer = new FrameWriter();
    writer.append({ type: "REMOVE" });
    for (const each of bad) {
      expect(errorOf(() => writer.append(each))).toBeInstanceOf(ProtocolError);
      expect([writer.messages, writer.bytes]).toEqual([1, 5]);
    }
    expect(decode(writer.take())).toEqual([{ type: "REMOVE" }]);
  });
});

describe("durations", () => {
  it.each([
    [0.2, 1],
    [-5, 1],
    [1500.1, 1501],
    [0xffff_ffff, 0xffff_fffe],
    [2 ** 40, 0xffff_fffe],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])("a limit of %s ms travels as %s", (ttl, expected) => {
    const frame = encode({ type: "JOB", attemptId: 1, attempt: 1, jobId: 0, ttl, job: new Job("x") });
    expect(decodeOne(frame)).toMatchObject({ ttl: expected });
  });

  it.each([
    [0, 0],
    [-1, 0],
    [Number.NaN, 0],
    [0.5, 1],
    [Number.POSITIVE_INFINITY, 0xffff_ffff],
  ])("a wait of %s ms travels as %s", (retryAfter, expected) => {
    expect(decodeOne(encode({ type: "GOAWAY", reason: "draining", retryAfter }))).toMatchObject({
      retryAfter: expected,
    });
  });
});

describe("texts for people", () => {
  const bounds = { name: 256, message: 8192, code: 256, stack: 16_384 };

  function errorIn(message: Message): RemoteError {
    if (message.type !== "JOBERR") throw new Error("expected a JOBERR");
    return message.error;
  }

  function textIn(message: Message): string {
    if (message.type !== "ERROR") throw new Error("expected an ERROR");
    return message.text;
  }

  function sent(part: string): Message {
    const error = { name: part, message: part, code: part, stack: part };
    return decodeOne(encode({ type: "JOBERR", attemptId: 1, error, retryable: false, retryAfter: 0 }));
  }

  it.each(["x", "é", "漢", "😀", "a😀", "\ud800", "\udc00x", "😀\ud83d"])("are cut between characters: %j", (unit) => {
    const long = unit.repeat(20_000);
    const got = errorIn(sent(long));
    for (const [field, most] of Object.entries(bounds) as [keyof typeof bounds, number][]) {
      const cut = got[field];
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(most);
      expect(Buffer.byteLength(cut)).toBeGreaterThan(most - 4);
      expect(long.toWellFormed().startsWith(cut)).toBe(true);
    }
  });

  it("are made well-formed and never throw", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff)), (units) => {
        const part = String.fromCharCode(...units);
        expect(sent(part)).toMatchObject({ error: { message: part.toWellFormed() } });
        const whole = part.repeat(300);
        const text = textIn(decodeOne(encode({ type: "ERROR", code: "BUSY", text: whole, retryAfter: 0 })));
        expect(whole.toWellFormed().startsWith(text)).toBe(true);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1024);
      }),
    );
  });

  it("of a sender that does not cut are cut on arrival", () => {
    const long = Buffer.from(`${"x".repeat(1023)}é`.padEnd(3000, "x"));
    const body = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, long.length >> 8, long.length & 0xff]), long]);
    const frame = Buffer.concat([Buffer.from([0x7f, 0, 0, body.length >> 8, body.length & 0xff]), body]);
    expect(decodeOne(frame)).toMatchObject({ text: "x".repeat(1023) });
  });
});

describe("payloads", () => {
  it("of ill-formed text are refused, not damaged", () => {
    const writer = new FrameWriter();
    writer.append(result("8"));
    const before = writer.bytes;
    expect(errorOf(() => writer.append(result("\ud800")))).toBeInstanceOf(EncodingError);
    expect([writer.messages, writer.bytes]).toEqual([1, before]);
  });

  it.each(["", "a", "é", "漢", "😀", "\ufeff", "\ud800", "a\udc00b", "\ud800\ud800\udc00"])(
    "are counted in UTF-8: %j",
    (unit) => {
      for (const times of [1, 3, 200, 5000]) {
        const many = unit.repeat(times);
        expect(wirePayloadBytes(many)).toBe(Buffer.byteLength(many));
      }
      expect(wirePayloadBytes(Buffer.from(unit).subarray(0))).toBe(Buffer.byteLength(unit));
    },
  );

  it.each([1, 23, 24, 25, 26, 100, 1000, 40_000, 300_000, 1_000_000])("of %i characters arrive whole", (size) => {
    for (const unit of ["x", "é", "漢", "😀"]) {
      for (const value of [unit.repeat(size), "x".repeat(size) + unit]) {
        expect(valueOf(decodeOne(encode(result(value)))) === value).toBe(true);
      }
    }
    const bytes = new Uint8Array(size).fill(7);
    expect(Buffer.from(valueOf(decodeOne(encode(result(bytes))))).equals(bytes)).toBe(true);
  });

  it("fit into the frame that was promised", () => {
    const most = 1024 * 1024;
    const half = (JOB_LIMITS.maxHeaderBytes - 2) / 2;
    const worst = new Job("x".repeat(most), [["n", ":".repeat(half)]]);
    const writer = new FrameWriter();
    while (writer.bytes < 64 * 1024) writer.append(result("x".repeat(1000)));
    writer.append({ type: "JOB", attemptId: 1, attempt: 1, jobId: 1, ttl: 1, job: worst });
    expect(writer.bytes).toBeLessThanOrEqual(frameLimit(most));
    expect(frameLimit(0)).toBeLessThan(256 * 1024);
  });
});

describe("a writer", () => {
  it("gives every frame memory of its own", () => {
    const writer = new FrameWriter();
    for (const size of [10, 600, 40_000, 300_000, 10, 500_000, 3]) {
      writer.append(result("s".repeat(size)));
      const first = writer.take();
      const copy = first.slice();
      expect(first.buffer.byteLength).toBe(first.length);
      writer.append(result("t".repeat(size)));
      const second = writer.take();
      expect(Buffer.from(first).equals(copy)).toBe(true);
      expect(second.buffer).not.toBe(first.buffer);
      expect(Buffer.from(second).includes("s")).toBe(false);
    }
  });

  it("takes messages after a large one and before it", () => {
    const large = "x".repeat(200_000);
    const messages: Message[] = [result("a"), result(large), result("b"), result(large), { type: "REMOVE" }];
    expect(decode(encode(...messages))).toEqual(messages);
  });

  it("hands out an empty frame when nothing was appended", () => {
    expect(new FrameWriter().take()).toHaveLength(0);
  });
});

describe("the time it takes", () => {
  const shapes: [string, (n: number) => Uint8Array][] = [
    [
      "many small messages",
      (n) => encode(...Array.from({ length: n >> 7 }, (): Message => ({ type: "PING", nonce: 1 }))),
    ],
    ["a large text", (n) => encode(result("漢".repeat(n)))],
    [
      "a large job",
      (n) => encode({ type: "JOB", attemptId: 1, attempt: 1, jobId: 1, ttl: 1, job: new Job(":".repeat(n)) }),
    ],
    ["many large messages", (n) => encode(...Array.from({ length: n >> 14 }, () => result("x".repeat(40_000))))],
    ["zeros", (n) => new Uint8Array(n)],
  ];

  // Twice as large a frame takes about twice as long; in a quadratic reader, four times.
  const MAX_GROWTH = 3;

  it.each(shapes)("grows no faster than the frame: %s", (_, shape) => {
    const reading = (doublings: number) => {
      const frame = shape((1 << 18) << doublings);
      return (): void => void errorOf(() => decode(frame));
    };
    expect(growthOf(reading, MAX_GROWTH)).toBeLessThanOrEqual(MAX_GROWTH);
  });
});

describe("the largest frame", () => {
  it("has room for a payload, the headers of a job and a batch", () => {
    expect(frameLimit(1_000)).toBe(1_000 + JOB_LIMITS.maxHeaderBytes + 128 * 1024);
  });
});
