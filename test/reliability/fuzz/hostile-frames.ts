/** Frames that are almost right: cut, flipped, spliced, with lengths that lie; and plain noise. From a seed. */
import type { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { golden } from "../../support/frames.ts";

/** The ways to spoil a frame. */
export const SPOILERS = ["noise", "head and noise", "cut", "flip", "length", "splice", "insert", "text"] as const;
/** One of them. */
export type Spoiler = (typeof SPOILERS)[number];

/** Bytes that matter to the format: ends of ranges, colons and backslashes, what UTF-8 never holds. */
const TELLING = [0, 1, 2, 0x3a, 0x5c, 0x65, 0x7f, 0x80, 0xbf, 0xc0, 0xed, 0xf4, 0xff] as const;
/** Where the format says how long something is: the body of the first message, and its first text. */
const LENGTHS = [0, 1, 2, 3, 4] as const;

/** Good frames by the type of their first message, by its code. */
export const goodFrames: ReadonlyMap<number, readonly Uint8Array[]> = grouped();

function grouped(): Map<number, Uint8Array[]> {
  const groups = new Map<number, Uint8Array[]>();
  for (const { frame } of golden) {
    const code = frame[0] ?? 0;
    groups.set(code, [...(groups.get(code) ?? []), frame]);
  }
  return groups;
}

/** Makes hostile frames. */
export class FrameForge {
  readonly #chance: SeededRandom;

  constructor(chance: SeededRandom) {
    this.#chance = chance;
  }

  /** A frame that begins as a message of this type and was spoilt in this way. Always at least one byte. */
  spoilt(code: number, how: Spoiler): Uint8Array<ArrayBuffer> {
    const good = this.#chance.pick(goodFrames.get(code) ?? [Uint8Array.of(code)]);
    switch (how) {
      case "noise":
        return this.#noise(1 + this.#chance.below(80));
      case "head and noise":
        return this.#headed(code);
      case "cut":
        return Uint8Array.from(good.subarray(0, 1 + this.#chance.below(good.length)));
      case "flip":
        return this.#flipped(good);
      case "length":
        return this.#lying(good);
      case "splice":
        return this.#spliced(good);
      case "insert":
        return this.#inserted(good);
      case "text":
        return this.#mistyped(good);
    }
  }

  #noise(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.#byte());
  }

  #byte(): number {
    return this.#chance.below(3) === 0 ? this.#chance.pick(TELLING) : this.#chance.below(256);
  }

  #headed(code: number): Uint8Array<ArrayBuffer> {
    const body = this.#noise(this.#chance.below(60));
    return Uint8Array.of(code, 0, 0, 0, body.length, ...body);
  }

  /** One to three bits or bytes. */
  #flipped(good: Uint8Array): Uint8Array<ArrayBuffer> {
    const frame = Uint8Array.from(good);
    for (let left = 1 + this.#chance.below(3); left > 0; left--) {
      const at = this.#chance.below(frame.length);
      frame[at] = this.#chance.below(2) === 0 ? (frame[at] ?? 0) ^ (1 << this.#chance.below(8)) : this.#byte();
    }
    return frame;
  }

  /** A length that is too small, too large, or as large as can be. */
  #lying(good: Uint8Array): Uint8Array<ArrayBuffer> {
    const frame = Uint8Array.from(good);
    if (this.#chance.below(2) === 0 && frame.length >= 5) {
      const lie = this.#chance.pick([0, 1, frame.length, frame.length - 4, frame.length - 6, 0x7fff_ffff, 0xffff_ffff]);
      new DataView(frame.buffer).setUint32(1, lie >>> 0);
      return frame;
    }
    frame[this.#chance.pick(LENGTHS) + 5 * this.#chance.below(Math.ceil(frame.length / 5))] = this.#byte();
    return frame;
  }

  /** The beginning of one and the end of another, which may be of another type. */
  #spliced(good: Uint8Array): Uint8Array<ArrayBuffer> {
    const other = this.#chance.pick(this.#chance.pick([...goodFrames.values()]));
    const head = good.subarray(0, 1 + this.#chance.below(good.length));
    return Uint8Array.from([...head, ...other.subarray(this.#chance.below(other.length))]);
  }

  #inserted(good: Uint8Array): Uint8Array<ArrayBuffer> {
    const at = this.#chance.below(good.length + 1);
    const more = this.#noise(1 + this.#chance.below(8));
    return Uint8Array.from([...good.subarray(0, at), ...more, ...good.subarray(at)]);
  }

  /** Bytes behind the head that are no UTF-8, or that mean something to the text form of a job. */
  #mistyped(good: Uint8Array): Uint8Array<ArrayBuffer> {
    const frame = Uint8Array.from(good);
    const from = 5 + this.#chance.below(Math.max(1, frame.length - 5));
    for (let at = from; at < Math.min(frame.length, from + 1 + this.#chance.below(4)); at++)
      frame[at] = this.#chance.pick(TELLING);
    return frame;
  }
}
