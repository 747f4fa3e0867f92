/** P6: frames carry messages, whole and in order, or say what is wrong; and both ends agree on every limit. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { decodeFrame, FrameWriter } from "../../src/core/protocol/codec.ts";
import { EncodingError, ProtocolError } from "../../src/core/errors.ts";
import type { Message } from "../../src/core/protocol/message.ts";
import { anyMessage, encode, plain, toHex } from "../support/frames.ts";
import { errorOf } from "../support/job-texts.ts";
import { type Loose, looseMessage } from "./loose-message.ts";
import type { Statement, Tally } from "./statement.ts";

/** Up to so many bytes every prefix of a frame is tried, beyond it a sample. */
const TRIED_WHOLE = 200;

/** What is in a message, as records of one kind: fast-check makes some without a prototype. */
function content(message: Message): unknown {
  const copy = Object.assign({}, plain(message));
  if (message.type === "JOB" && message.route !== undefined) return { ...copy, route: { ...message.route } };
  return message.type === "JOBERR" ? { ...copy, error: { ...message.error } } : copy;
}

/** The messages a frame begins with, and the error it ends with, if any. */
function read(frame: Uint8Array): { readonly messages: readonly Message[]; readonly error: unknown } {
  const messages: Message[] = [];
  const error = errorOf(() => decodeFrame(frame, (message) => messages.push(message)));
  return { messages, error };
}

/** Where each message of a frame ends. */
function ends(messages: readonly Message[]): number[] {
  const writer = new FrameWriter();
  return messages.map((message) => {
    writer.append(message);
    return writer.bytes;
  });
}

function roundTrip(messages: readonly Message[], tally: Tally): void {
  const writer = new FrameWriter();
  writer.append({ type: "PING", nonce: 7 }); // nothing of an earlier frame may show in a later one
  writer.take();
  for (const message of messages) writer.append(message);
  const frame = writer.take();
  const { messages: got, error } = read(frame);
  assert.equal(error, undefined);
  assert.deepEqual(got.map(content), messages.map(content));
  assert.equal(toHex(encode(...got)), toHex(frame));
  for (const { type } of messages) tally.add(type);
}

function cutAnywhere(messages: readonly Message[], sample: readonly number[], tally: Tally): void {
  const frame = encode(...messages);
  const whole = ends(messages);
  const places =
    frame.length <= TRIED_WHOLE
      ? [...frame.keys()]
      : [...sample.map((n) => n % frame.length), ...whole.flatMap((end) => [end - 1, end, end + 1])];
  for (const place of places.filter((each) => each < frame.length)) {
    const { messages: got, error } = read(frame.subarray(0, place));
    const complete = whole.filter((end) => end <= place).length;
    assert.deepEqual(got.map(content), messages.slice(0, complete).map(content), `cut at ${place}`);
    const fits = place > 0 && whole.includes(place);
    if (fits) assert.equal(error, undefined, `cut at ${place}, between messages`);
    else assert(error instanceof ProtocolError, `cut at ${place}: ${String(error)}`);
    tally.add(fits ? "prefix: fewer messages" : "prefix: refused");
  }
}

function limits(loose: readonly Loose[], tally: Tally): void {
  const writer = new FrameWriter();
  const expected: Message[] = [];
  for (const { sent, arrives } of loose) {
    const before = [writer.bytes, writer.messages];
    const error = errorOf(() => writer.append(sent));
    if (arrives === undefined) {
      assert(error instanceof ProtocolError || error instanceof EncodingError, `${sent.type} was not refused`);
      assert.deepEqual([writer.bytes, writer.messages], before, "a refused message left something in the frame");
      tally.add("refused");
    } else {
      assert.equal(error, undefined);
      expected.push(arrives);
      tally.add("taken");
    }
  }
  if (expected.length === 0) return;
  const { messages, error } = read(writer.take());
  assert.equal(error, undefined, "the writer wrote what the reader refuses");
  assert.deepEqual(messages.map(content), expected.map(content));
}

const several = fc.array(anyMessage, { minLength: 1, maxLength: 12, size: "max" });
const TO_RUNNER =
  "HELLO PING PONG JOBRES JOBERR REJECT CANCELLED FAILED REMOVE CAPACITY WAITING STARTED ITEM PROGRESS ERROR";
const TO_WORKER = "WELCOME JOB CANCEL CREDIT REMOVED GOAWAY";
const TYPES = `${TO_RUNNER} ${TO_WORKER}`.split(" ");

/** P6. */
export const frames: readonly Statement[] = [
  {
    name: "P6: a frame of any messages is read back as them, and writes the same bytes again",
    runs: 5_000,
    fullRuns: 300_000,
    meets: TYPES,
    property: (tally) =>
      fc.property(several, (messages) => {
        roundTrip(messages, tally);
      }),
  },
  {
    name: "P6: every prefix of a frame is fewer whole messages, or those and a ProtocolError",
    runs: 1_000,
    fullRuns: 50_000,
    meets: ["prefix: refused", "prefix: fewer messages"],
    property: (tally) =>
      fc.property(
        fc.array(anyMessage, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
        (messages, sample) => {
          cutAnywhere(messages, sample, tally);
        },
      ),
  },
  {
    name: "P6: what the writer takes the reader takes, mended as documented; what it refuses leaves no trace",
    runs: 5_000,
    fullRuns: 300_000,
    meets: ["taken", "refused"],
    property: (tally) =>
      fc.property(fc.array(looseMessage, { minLength: 1, maxLength: 6 }), (loose) => {
        limits(loose, tally);
      }),
  },
];
