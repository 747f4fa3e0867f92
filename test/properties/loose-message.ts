/**
 * Messages as careless code would send them: names, numbers and texts on both sides of their bounds. With each comes what
 * must become of it, worked out here from docs/protocol.md: refused by the writer, or read back as so.
 */
import * as fc from "fast-check";
import { Job } from "../../src/core/job/job.ts";
import type { Message } from "../../src/core/protocol/message.ts";

/** A message, and what arrives; `undefined`: the writer refuses it. */
export interface Loose {
  readonly sent: Message;
  readonly arrives: Message | undefined;
}

const ALPHABET = "A B C X Y Z a b c x y z 0 1 8 9 . _ : -".split(" ");

/** What may name something, and what may not. */
const name = fc.oneof(
  { weight: 8, arbitrary: fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 1, maxLength: 8 }) },
  { weight: 2, arbitrary: fc.constantFrom("x".repeat(128), "-".repeat(127)) },
  { weight: 1, arbitrary: fc.constantFrom("", "x".repeat(129), "a b", "é", "a\n", "\0", "a/b", "＿") },
);

function isName(given: string): boolean {
  return given.length >= 1 && given.length <= 128 && given.replace(/[A-Za-z0-9._:-]/g, "") === "";
}

/** Text of about so many bytes, the last character on, before or over the edge. */
function text(maxBytes: number): fc.Arbitrary<string> {
  const edge = fc
    .tuple(fc.constantFrom("x", "é", "漢", "😀", "\ud83d"), fc.nat({ max: 4 }), fc.integer({ min: -4, max: 4 }))
    .map(([char, lead, over]) => "x".repeat(lead) + char.repeat((maxBytes + over) / Buffer.byteLength(char)));
  return fc.oneof(
    { weight: 6, arbitrary: fc.string({ unit: "binary", maxLength: 20 }) },
    { weight: 1, arbitrary: edge },
  );
}

/** As many whole characters as fit, lone surrogates replaced. */
function cut(given: string, maxBytes: number): string {
  let kept = "";
  let bytes = 0;
  for (const char of given.toWellFormed()) {
    bytes += Buffer.byteLength(char);
    if (bytes > maxBytes) break;
    kept += char;
  }
  return kept;
}

const MAX_U32 = 0xffff_ffff;
const ms = fc.oneof(
  fc.double({ min: -2, max: 3, noNaN: true }),
  fc.integer({ min: 1, max: 100_000 }),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 0, -1, 0.5, MAX_U32 - 1, MAX_U32, MAX_U32 + 1, 2 ** 40),
);

function wish(asked: number): number {
  return asked > 0 ? Math.min(Math.ceil(asked), MAX_U32) : 0;
}

function ttl(asked: number): number {
  if (asked === Number.POSITIVE_INFINITY) return asked;
  return Math.min(Math.max(Math.ceil(asked), 1), MAX_U32 - 1);
}

const attemptId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const capacity = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 65_535 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, 1.5, 65_536, Number.NaN, Number.POSITIVE_INFINITY) },
);

/** Without the bit of the feature `capacity`, or with it: then there may be no slot. */
const features = fc.constantFrom(0, 0x40, 0x80, 0xffff_ffff);
const labels = fc.oneof(
  { weight: 5, arbitrary: fc.array(name, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.integer({ min: 30, max: 34 }).map((n) => Array.from({ length: n }, () => "x")) },
);

function isCapacity(given: number, min: number): boolean {
  return Number.isInteger(given) && given >= min && given <= 65_535;
}

const hello: fc.Arbitrary<Loose> = fc
  .record({
    type: fc.constant("HELLO" as const),
    version: fc.constant(1),
    identity: name,
    instance: name,
    capacity,
    prefetchLimit: fc.constantFrom(undefined, 1, 256, 65_535, 65_536, 1e9),
    blocking: fc.boolean(),
    served: fc.maxSafeNat(),
    labels,
    features,
    maxPayload: fc.oneof(fc.nat(), fc.constantFrom(MAX_U32, MAX_U32 + 1, Number.POSITIVE_INFINITY)),
    isRelay: fc.boolean(),
  })
  .map((sent) => {
    const names = [sent.identity, sent.instance, ...sent.labels];
    const size = isCapacity(sent.capacity, (sent.features & 0x80) === 0 ? 1 : 0);
    const arrives = {
      ...sent,
      maxPayload: Math.min(sent.maxPayload, MAX_U32),
      prefetchLimit: sent.prefetchLimit === undefined ? undefined : Math.min(sent.prefetchLimit, 65_535),
    };
    return { sent, arrives: size && sent.labels.length <= 255 && names.every(isName) ? arrives : undefined };
  });

const welcome: fc.Arbitrary<Loose> = fc
  .record({
    type: fc.constant("WELCOME" as const),
    version: fc.constant(1),
    sessionId: name,
    runnerId: name,
    heartbeat: ms,
    maxPayload: fc.oneof(fc.nat(), fc.constantFrom(MAX_U32, MAX_U32 + 1, 2 ** 40)),
    features,
  })
  .map((sent) => {
    const heartbeat = Math.max(1, wish(sent.heartbeat));
    const arrives = { ...sent, heartbeat, maxPayload: Math.min(sent.maxPayload, MAX_U32) };
    return { sent, arrives: isName(sent.sessionId) && isName(sent.runnerId) ? arrives : undefined };
  });

const capacityChange: fc.Arbitrary<Loose> = fc
  .record({ type: fc.constant("CAPACITY" as const), capacity, labels })
  .map((sent) => {
    const fits = isCapacity(sent.capacity, 0) && sent.labels.length <= 255 && sent.labels.every(isName);
    return { sent, arrives: fits ? sent : undefined };
  });

const path = fc.oneof(
  { weight: 8, arbitrary: fc.array(name, { minLength: 1, maxLength: 8 }).map((names) => names.join("/")) },
  { weight: 1, arbitrary: fc.constantFrom("a/", "/a", "a//b", "a/b/c/d/e/f/g/h/i") },
);

function isPath(given: string): boolean {
  const names = given.split("/");
  return names.length <= 8 && names.every(isName);
}

const failed: fc.Arbitrary<Loose> = fc
  .record({
    type: fc.constant("FAILED" as const),
    attemptId,
    code: fc.constantFrom("lost" as const, "maxQueue" as const, "encoding" as const),
    path: fc.oneof(path, fc.constant("")),
    text: text(1_024),
    limit: fc.maxSafeNat(),
    queued: fc.maxSafeNat(),
    queuedBytes: fc.maxSafeNat(),
  })
  .map((sent) => {
    const fits = sent.path === "" || isPath(sent.path);
    return { sent, arrives: fits ? { ...sent, text: cut(sent.text, 1_024) } : undefined };
  });

/** A JOB of a relay. */
const relayedJob: fc.Arbitrary<Loose> = fc
  .record({
    origin: name,
    deadline: ms.filter((each) => !Number.isNaN(each)),
    priority: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    labels,
    avoid: fc.array(path, { maxLength: 18, size: "max" }),
  })
  .map((route) => {
    const sent = { type: "JOB", attemptId: 1, attempt: 1, jobId: 1, ttl: 1, job: new Job("x"), route } as const;
    const fits = route.labels.length <= 255 && route.avoid.length <= 16;
    const named = isName(route.origin) && route.labels.every(isName) && route.avoid.every(isPath);
    const arrives = { ...sent, route: { ...route, deadline: ttl(route.deadline) } };
    return { sent, arrives: fits && named ? arrives : undefined };
  });

const job: fc.Arbitrary<Loose> = fc
  .record({
    type: fc.constant("JOB" as const),
    attemptId,
    attempt: fc.integer({ min: 1, max: MAX_U32 }),
    jobId: fc.maxSafeNat(),
    ttl: ms.filter((each) => !Number.isNaN(each)),
    job: fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array()).map((data) => new Job(data, { ":": "\\" })),
  })
  .map((sent) => ({ sent, arrives: { ...sent, ttl: ttl(sent.ttl) } }));

/** What a handler took, by a clock that may have been set back. */
const durationMs = fc.option(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { nil: undefined });

/** To the µs, and as much as four bytes hold. */
function toTheMicrosecond(took: number | undefined): number | undefined {
  return took === undefined ? undefined : Math.min(Math.max(Math.round(took * 1_000), 0), MAX_U32) / 1_000;
}

const result: fc.Arbitrary<Loose> = fc
  .record({
    type: fc.constant("JOBRES" as const),
    attemptId,
    value: fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array(), fc.constantFrom("\ud800", "a\udc00", "😀")),
    durationMs,
  })
  .map((sent) => {
    const arrives = { ...sent, durationMs: toTheMicrosecond(sent.durationMs) };
    return { sent, arrives: typeof sent.value !== "string" || sent.value.isWellFormed() ? arrives : undefined };
  });

/** An item, or progress, which has a limit of its own. */
const part: fc.Arbitrary<Loose> = fc
  .record({
    type: fc.constantFrom("ITEM" as const, "PROGRESS" as const),
    attemptId,
    value: fc.oneof(text(8_192), fc.uint8Array(), fc.constantFrom("\ud800", "a\udc00", new Uint8Array(8_193))),
  })
  .map((sent) => {
    const { value } = sent;
    const isText = typeof value !== "string" || value.isWellFormed();
    const fits = sent.type === "ITEM" || Buffer.byteLength(value) <= 8_192;
    return { sent, arrives: isText && fits ? sent : undefined };
  });

const jobError: fc.Arbitrary<Loose> = fc
  .record({
    type: fc.constant("JOBERR" as const),
    attemptId,
    error: fc.record({ name: text(256), message: text(8_192), code: text(256), stack: text(16_384) }),
    retryable: fc.boolean(),
    retryAfter: ms,
    durationMs,
  })
  .map((sent) => {
    const { name: kind, message, code, stack } = sent.error;
    const error = {
      name: cut(kind, 256),
      message: cut(message, 8_192),
      code: cut(code, 256),
      stack: cut(stack, 16_384),
    };
    return {
      sent,
      arrives: { ...sent, error, retryAfter: wish(sent.retryAfter), durationMs: toTheMicrosecond(sent.durationMs) },
    };
  });

const goAway: fc.Arbitrary<Loose> = fc
  .record({
    type: fc.constant("GOAWAY" as const),
    reason: fc.constantFrom("stopping" as const, "draining" as const),
    retryAfter: ms,
  })
  .map((sent) => ({ sent, arrives: { ...sent, retryAfter: wish(sent.retryAfter) } }));

const wireError: fc.Arbitrary<Loose> = fc
  .record({
    type: fc.constant("ERROR" as const),
    code: fc.constantFrom("BUSY" as const, "UNRESPONSIVE" as const),
    text: text(1_024),
    retryAfter: ms,
  })
  .map((sent) => ({ sent, arrives: { ...sent, text: cut(sent.text, 1_024), retryAfter: wish(sent.retryAfter) } }));

/** Any message with something that may be too much of it. */
export const looseMessage: fc.Arbitrary<Loose> = fc.oneof(
  hello,
  welcome,
  capacityChange,
  job,
  relayedJob,
  result,
  part,
  failed,
  jobError,
  goAway,
  wireError,
);
