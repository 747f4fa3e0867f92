/** Records what one end of a connection receives, in order; and the frames that conformance cases send. */
import type { CloseReason, Receiver } from "../../index.ts";

/** A receiver that records its calls. */
export class Recorder implements Receiver {
  /** Which end this is, for people to read. */
  readonly name: string;
  /** The frames it was given. */
  readonly frames: Uint8Array[] = [];
  /** What came beside each of them; `undefined`: nothing. */
  readonly attachments: (readonly ArrayBufferLike[] | undefined)[] = [];
  /** The reasons of the closes; one, if all is well. */
  readonly closes: CloseReason[] = [];
  /** `f` for a frame, `c` for a close, in the order of arrival. */
  order = "";
  /** Called in the middle of `frame`, which is when a user's code runs. */
  onFrame: (bytes: Uint8Array) => void = () => undefined;
  /** Called in the middle of `closed`. */
  onClosed: () => void = () => undefined;

  /** @param name - Which end this is, for people to read. */
  constructor(name: string) {
    this.name = name;
  }

  /** Writes a frame down. */
  frame(frame: Uint8Array, attachments?: readonly ArrayBufferLike[]): void {
    this.order += "f";
    this.frames.push(frame);
    this.attachments.push(attachments);
    this.onFrame(frame);
  }

  /** Writes a close down. */
  closed(reason: CloseReason): void {
    this.order += "c";
    this.closes.push(reason);
    this.onClosed();
  }

  /** What it has received, in words. */
  story(): string {
    const closes = this.closes.map(({ code, message }) => `closed (${code}: ${message.slice(0, 80)})`);
    return `${this.name}: ${[`${this.frames.length} frames`, ...closes].join(", ")}`;
  }
}

/** Bytes that differ by seed and by place. */
export function bytes(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(length);
  for (let i = 0; i < length; i++) made[i] = seed * 31 + i * 7 + (i >> 8);
  return made;
}

/** A frame as text. */
export function textOf(frame: Uint8Array | undefined): string {
  return new TextDecoder().decode(frame);
}

/** Text as a frame. */
export function utf8(words: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(words);
}
