import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../../src/core/protocol/codec.ts";
import { EncodingError, ProtocolError } from "../../../src/core/errors.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { Message } from "../../../src/core/protocol/message.ts";
import {
  anyMessage,
  bytesOf,
  decode,
  decodeOne,
  encode,
  fromHex,
  golden,
  plain,
  result,
  toHex,
} from "../../support/frames.ts";
import { errorOf } from "../../support/job-texts.ts";

const singles = golden.filter(({ messages }) => messages.length === 1);
const refusedOrSame = ["refused", "same"];

/** Either messages that mean what the bytes say, or a ProtocolError: nothing else may come out. */
function outcome(frame: Uint8Array): string {
  let messages: Message[];
  try {
    messages = decode(frame);
  } catch (error) {
    return error instanceof ProtocolError ? "refused" : String(error);
  }
  // A HELLO of another version is the one message whose rest is not read.
  if (messages.some((message) => message.type === "HELLO" && message.version !== 1)) return "same";
  const again = toHex(encode(...messages));
  return again === toHex(frame) ? "same" : `encodes to ${again}`;
}

describe("a cut frame", () => {
  it("is refused, after its whole messages", () => {
    const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(anyMessage, anyMessage, part, (first, second, much) => {
        const head = encode(first).length;
        const frame = encode(first, second);
        const cut = frame.subarray(0, head + 1 + Math.floor((frame.length - head - 1) * much));
        const seen: Message[] = [];
        expect(errorOf(() => decodeFrame(cut, (message) => seen.push(message)))).toBeInstanceOf(ProtocolError);
        expect(seen.map(plain)).toEqual([plain(first)]);
      }),
      { numRuns: 500 },
    );
  });
});

describe("hostile frames", () => {
  it("of random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (frame) => {
        expect(refusedOrSame).toContain(outcome(frame));
      }),
      { numRuns: 3000 },
    );
  });

  it("of a valid head and random bytes", () => {
    const types = [...new Set(golden.map(({ frame }) => frame[0] ?? 0))];
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 80 }), (code, body) => {
        const got = outcome(Uint8Array.from([code, 0, 0, 0, body.length, ...body]));
        seen.add(got);
        expect(refusedOrSame).toContain(got);
      }),
      { numRuns: 5000 },
    );
    expect(seen.size).toBe(2);
  });

  it("that were golden before some bytes changed", () => {
    let same = 0;
    const change = fc.tuple(fc.nat(200), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x3a, 0x5c, 0x7f, 0x80, 0xff)));
    const changes = fc.array(change, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.constantFrom(...golden), changes, ({ frame }, list) => {
        const mutated = frame.slice();
        for (const [at, byte] of list) mutated[at % mutated.length] = byte;
        const got = outcome(mutated);
        if (got === "same") same++;
        expect(refusedOrSame).toContain(got);
      }),
      { numRuns: 10_000 },
    );
    expect(same).toBeGreaterThan(100);
  });

  it.each(singles)("that end early: $name", ({ frame }) => {
    for (let length = 0; length < frame.length; length++) {
      expect(errorOf(() => decode(frame.subarray(0, length)))).toBeInstanceOf(ProtocolError);
    }
  });

  it("with more values of an error than may be: without them, and the error stays", () => {
    const error = { name: "Error", message: "no", code: "", stack: "", details: '{"fields":0}' };
    const made = (values: Uint8Array): Message => ({
      type: "JOBERR",
      attemptId: 1,
      error: { ...error, values },
      retryable: false,
      retryAfter: 0,
    });
    expect(decodeOne(encode(made(new Uint8Array(16_384))))).toEqual(made(new Uint8Array(16_384)));
    expect(decodeOne(encode(made(new Uint8Array(16_385))))).toMatchObject({ error });
    const longer = Uint8Array.from([...encode(made(new Uint8Array(16_384))), 0]);
    new DataView(longer.buffer).setUint32(1, longer.length - 5);
    expect(decodeOne(longer)).toEqual({ ...made(new Uint8Array()), error, durationMs: undefined });
  });

  // The messages that end with a rest take whatever the length says; all others know their end.
  const endsWithRest = new Set<string | undefined>(["JOB", "JOBRES", "ITEM", "INPUT", "PROGRESS"]);
  const closed = singles.filter(({ messages: [message] }) =>
    message?.type === "JOBERR" ? message.error.values === undefined : !endsWithRest.has(message?.type),
  );

  it.each(closed)("with a REMOVE inside the body: $name", ({ frame }) => {
    const longer = Uint8Array.from([...frame, 0x20, 0, 0, 0, 0]);
    new DataView(longer.buffer).setUint32(1, longer.length - 5);
    expect(errorOf(() => decode(longer))).toBeInstanceOf(ProtocolError);
  });

  it.each([
    ["nothing", "", "an empty frame"],
    ["an unknown type", "3000000000", "an unknown message type: 48"],
    ["type 0", "0000000000", "an unknown message type: 0"],
    ["a length beyond the frame", "03ffffffff00000001", "the frame ends within a message"],
    ["a length that cuts a number", "0300000003000001", "a message ends within a field"],
    ["attempt id 0", "15000000080000000000000000", "the attempt id must not be 0"],
    ["attempt id 2^53", "15000000080020000000000000", "a number over 2^53 - 1"],
    ["a flag of no meaning", "110000000a00000000000000010438", "flags of no meaning: 4"],
    ["an unknown reason", "1400000009000000000000000706", "an unknown reason: 6"],
    ["reason 0", "1400000009000000000000000700", "an unknown reason: 0"],
    ["an unknown error code", "7f000000070a000000000000", "an unknown error code: 10"],
    ["a result that is not UTF-8", "110000000a000000000000000100ff", "a text is not UTF-8"],
    ["a surrogate in UTF-8", "110000000c000000000000000100eda080", "a text is not UTF-8"],
    ["an overlong UTF-8 form", "110000000b000000000000000100c080", "a text is not UTF-8"],
    ["capacity 0", "010000001c00010000000000000000000000000000000000000000016100016100", "the capacity must not be 0"],
    ["an empty identity", "010000001b000100000000000001000000000000000000000000000000016100", "a malformed identity"],
    [
      "a flag of HELLO without a meaning",
      "010000001c00010000000008000100000000000000000000000000016100016100",
      "flags of no meaning: 8",
    ],
    ["a flag of JOBRES without a meaning", "1100000009000000000000000104", "flags of no meaning: 4"],
    ["a path that ends with a slash", "110000000d0000000000000001400002612f", "a malformed path"],
    ["a path of nine names", "110000001c0000000000000001400011612f622f632f642f652f662f672f682f69", "a malformed path"],
    [
      "an unknown failure",
      "1b0000002500000000000000010800000000000000000000000000000000000000000000000000000000",
      "an unknown failure code: 8",
    ],
    ["the reserved reason of REJECT", "1300000009000000000000000704", "an unknown reason: 4"],
    ["ttl 0", "1000000020000000000000000100000001000000000000000100000000004e4f4e453a3a3a", "the ttl must not be 0"],
    [
      "attempt number 0",
      "1000000020000000000000000100000000000000000000000100000001004e4f4e453a3a3a",
      "the attempt number must not be 0",
    ],
    [
      "a job without a separator",
      "100000001d000000000000000100000001000000000000000100000001004e4f4e45",
      "a JOB holds a malformed job",
    ],
    ["a WELCOME of version 2", "020000001200020000138800100000000273310003722d37", "a WELCOME of protocol version 2"],
  ])("with %s", (_what, hex, message) => {
    const error = errorOf(() => decode(fromHex(hex)));
    expect(error).toBeInstanceOf(ProtocolError);
    expect(String(error)).toContain(message);
  });

  it("carry the cause of a malformed job", () => {
    const error = errorOf(() =>
      decode(fromHex("100000001d000000000000000100000001000000000000000100000001004e4f4e45")),
    );
    expect(error).toHaveProperty("cause", expect.any(EncodingError));
  });

  it("may have as many labels as a byte can count", () => {
    const hello = (count: number): Uint8Array => {
      const body = `000100000000000001000000000000000000000000000161000161${count.toString(16)}${"000161".repeat(count)}`;
      return fromHex(`01${(body.length / 2).toString(16).padStart(8, "0")}${body}`);
    };
    expect(decodeOne(hello(255))).toMatchObject({ labels: Array.from({ length: 255 }, () => "a") });
  });

  it("show what came before the malformed message", () => {
    const seen: string[] = [];
    const frame = fromHex("200000000021000000003000000000");
    expect(errorOf(() => decodeFrame(frame, (each) => seen.push(each.type)))).toBeInstanceOf(ProtocolError);
    expect(seen).toEqual(["REMOVE", "REMOVED"]);
  });
});

describe("a HELLO without a slot", () => {
  it("is read when it says that its slots may change, and keeps bits of no meaning", () => {
    const frame = fromHex("010000001c0001ff00008000000000000000000000000000000000016100016100");
    expect(decodeOne(frame)).toMatchObject({ capacity: 0, features: 0xff00_0080 });
  });
});

describe("a HELLO of another version", () => {
  it("is shown with its version and nothing else", () => {
    const [hello] = decode(fromHex("01000000050002ff0201"));
    expect(hello).toEqual({
      type: "HELLO",
      version: 2,
      identity: "",
      instance: "",
      capacity: 0,
      blocking: false,
      served: 0,
      labels: [],
      features: 0,
      maxPayload: 0,
      isRelay: false,
    });
  });
});

describe("a visitor", () => {
  it("that throws is not mistaken for a malformed frame", () => {
    const mine = new RangeError("mine");
    const stop = (): void => {
      throw mine;
    };
    expect(errorOf(() => decodeFrame(encode({ type: "REMOVE" }), stop))).toBe(mine);
  });
});

/** The data of a JOB, which is bytes. */
function dataOf(message: Message | undefined): Uint8Array {
  if (message?.type !== "JOB" || typeof message.job.data === "string") throw new Error("expected a JOB of bytes");
  return message.job.data;
}

describe("payloads of bytes", () => {
  it("are plain arrays, whatever the frame is", () => {
    for (const size of [1, 5000]) {
      const frame = Buffer.from(encode(result(new Uint8Array(size)), { type: "REMOVE" }));
      const value = bytesOf(decode(frame)[0]);
      expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype);
      expect(value).toHaveLength(size);
    }
  });

  it("do not show their neighbours", () => {
    const secret = "the neighbour's secret";
    const frame = encode(
      result(Buffer.from(secret)),
      result(new Uint8Array([1, 2, 3])),
      { type: "JOB", attemptId: 1, attempt: 1, jobId: 1, ttl: 1, job: new Job(new Uint8Array([4, 5]), { a: "b" }) },
      result(secret),
    );
    // As a small frame lies in the memory that Node shares among small buffers.
    const pool = Buffer.alloc(8192, "other people's frames");
    pool.set(frame, 100);
    for (const lies of [frame, pool.subarray(100, 100 + frame.length)]) {
      const [, small, job] = decode(lies);
      expect(bytesOf(small).buffer.byteLength).toBe(3);
      expect(Array.from(new Uint8Array(dataOf(job).buffer))).toEqual([4, 5]);
    }
    const lone = encode(result(pool.subarray(0, 100)));
    const padded = Buffer.concat([Buffer.alloc(4096), lone]);
    const value = bytesOf(decodeOne(padded.subarray(4096)));
    expect(value.buffer.byteLength).toBe(100);
  });

  it("that are most of the frame are not copied", () => {
    const frame = encode(result(new Uint8Array(100_000)));
    const value = bytesOf(decodeOne(frame));
    expect(value.buffer).toBe(frame.buffer);
  });

  it("in shared memory are copied out of it", () => {
    const frame = encode(result(new Uint8Array(100)));
    const shared = new Uint8Array(new SharedArrayBuffer(frame.length));
    shared.set(frame);
    const value = bytesOf(decodeOne(shared));
    expect(value.buffer).toBeInstanceOf(ArrayBuffer);
  });
});
