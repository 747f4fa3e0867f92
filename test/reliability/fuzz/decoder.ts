/** The decoder under hostile frames of each type: a ProtocolError or messages that mean what the bytes say, nothing else. */
import { decodeFrame } from "../../../src/core/protocol/codec.ts";
import { ProtocolError } from "../../../src/core/errors.ts";
import type { Message } from "../../../src/core/protocol/message.ts";
import { invert, MESSAGE_CODES } from "../../../src/core/protocol/constants.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { encode, golden, plain, toHex } from "../../support/frames.ts";
import type { Finding, Scale } from "../section.ts";
import { all, holds, none, sized } from "../threats/row.ts";
import { FrameForge, goodFrames, SPOILERS } from "./hostile-frames.ts";

/** What came of the frames. */
export interface DecoderCounts {
  frames: number;
  refused: number;
  /** Taken, and written again to the same bytes. */
  taken: number;
  /** Errors that were no ProtocolError, and messages that do not mean what the bytes say; with the frames. */
  readonly wrong: string[];
}

/** Judges one frame. */
function judge(frame: Uint8Array, counts: DecoderCounts, compare: boolean): void {
  const messages: Message[] = [];
  counts.frames++;
  const before = compare ? toHex(frame) : "";
  try {
    decodeFrame(frame, (message) => void messages.push(message));
  } catch (error) {
    if (error instanceof ProtocolError) counts.refused++;
    else counts.wrong.push(`${toHex(frame)}: ${String(error)}`);
    return;
  }
  counts.taken++;
  if (!compare) return;
  // A HELLO of another version is the one message whose rest is not read.
  if (messages.some((message) => message.type === "HELLO" && message.version !== 1)) return;
  const again = toHex(encode(...messages));
  if (again !== before) counts.wrong.push(`${before} was read as ${again}`);
}

/** Spoils so many frames, as many of each type and in each way. */
export function fuzzDecoder(frames: number, seed: number, counts: DecoderCounts): void {
  const chance = new SeededRandom(seed);
  const forge = new FrameForge(chance);
  const codes = [...goodFrames.keys()];
  for (let i = 0; i < frames; i++) {
    const code = codes[i % codes.length] ?? 0;
    const how = SPOILERS[Math.floor(i / codes.length) % SPOILERS.length] ?? "noise";
    // Writing it again is dear: of the many, a part is compared.
    judge(forge.spoilt(code, how), counts, i % 7 === 0);
  }
}

/** What each golden frame is read as. */
function readings(): string {
  const read: unknown[] = [];
  for (const { frame } of golden) decodeFrame(frame, (message) => void read.push(plain(message)));
  return JSON.stringify(read, (_, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value));
}

/** Fuzzes the decoder, and sees that it is none the worse for it. */
export function decoderFindings(scale: Scale, counts: DecoderCounts): readonly Finding[] {
  const before = readings();
  fuzzDecoder(sized(scale, 200_000, 1_000_000, 10_000_000), 1, counts);
  const types = invert(MESSAGE_CODES).filter((name) => name !== undefined).length;
  return [
    all("F1: message types whose frames are spoilt", goodFrames.size, types),
    none(
      "F1: frames that led to anything but a ProtocolError, or to other messages than their bytes say",
      counts.wrong.length,
      counts.frames,
    ),
    holds(
      "F1: frames refused, and taken",
      counts.refused > 0 && counts.taken > 0,
      `${counts.refused.toLocaleString("en")} and ${counts.taken.toLocaleString("en")}`,
      "both over 0",
    ),
    holds("F1: good frames are read as before", readings() === before, `${golden.length} frames`, "all the same"),
    ...counts.wrong.slice(0, 3).map((figure) => ({ what: "F1: one of them", figure, wanted: "none", ok: false })),
  ];
}
