/**
 * Values as payloads, with the memory of their large buffers handed over. What is given away is gone here as soon as its value is
 * encoded, whatever the transport does with it: a program that works over a WebSocket works in threads, too, and nothing changes
 * bytes that wait to be sent. What the holes of a payload are for is told in core/job/holed-bytes.ts.
 */
import { type Hole, HoledBytes, isHoled, isShared } from "../core/job/holed-bytes.ts";
import type { HoleCodec, ValueCodec } from "./value/value-codec.ts";

/** A result or an item whose buffers are given away; made by {@link transfer}. */
export class Transferred {
  readonly value: unknown;
  /** Absent: all of 64 KiB and more. */
  readonly buffers: readonly ArrayBuffer[] | undefined;

  constructor(value: unknown, buffers: readonly ArrayBuffer[] | undefined) {
    this.value = value;
    this.buffers = buffers;
  }
}

/**
 * Gives the memory of a result's buffers away, or of an item's: `return transfer(image)`. A thread hands it over without a copy, other
 * connections copy it; either way the buffers are detached here once the value is encoded. Of type `T`, as callers get the value. Only
 * for what a task returns or yields; the buffers of an input are the option `transfer` of its call.
 *
 * @param buffers - Those to give away: each once, not detached, and part of the value. Default: all that the value holds whole and that
 *   have at least 64 KiB. A buffer of which the value holds a part only, as a `Buffer` of Node's pool, is copied and stays.
 */
export function transfer<T>(value: T, buffers?: readonly ArrayBuffer[]): T {
  const wrapped: unknown = new Transferred(value, buffers);
  // What the caller of the task gets is a T; nothing between reads it.
  return wrapped as T;
}

function isHoleCodec(codec: ValueCodec): codec is HoleCodec {
  return "encodeWithHoles" in codec && "decodeWithHoles" in codec;
}

/** A codec, and what is done around it with buffers. */
export class PayloadCodec {
  /** Whether it reads payloads with holes. */
  readonly takesHoles: boolean;
  readonly #codec: ValueCodec;
  readonly #holeCodec: HoleCodec | undefined;

  constructor(codec: ValueCodec) {
    this.#codec = codec;
    this.#holeCodec = isHoleCodec(codec) ? codec : undefined;
    this.takesHoles = this.#holeCodec !== undefined;
  }

  /** Returns the bytes of a value. Shared memory stands apart. @throws EncodingError for what cannot be carried, with its path. */
  encode(value: unknown, root: string): Uint8Array {
    if (this.#holeCodec === undefined) return this.#codec.encode(value, root);
    const { bytes, holes } = this.#holeCodec.encodeWithHoles(value, "shared", root);
    return holes.length === 0 ? bytes : new HoledBytes(bytes, holes);
  }

  /**
   * As {@link PayloadCodec.encode}, and takes buffers from the caller: `buffers`, or if there are none told all large ones.
   *
   * @throws TypeError for buffers that cannot be given away. Then, and when the value cannot be carried, none is taken.
   */
  encodeTransferred(value: unknown, root: string, buffers: readonly ArrayBuffer[] | undefined): Uint8Array {
    if (buffers !== undefined) checkBuffers(buffers);
    if (this.#holeCodec === undefined) {
      const bytes = this.#codec.encode(value, root);
      if (buffers !== undefined) takeAll(buffers);
      return bytes;
    }
    const { bytes, holes, found } = this.#holeCodec.encodeWithHoles(value, buffers ?? "all", root);
    const taken = buffers === undefined ? takeLarge(holes) : takeAll(foundWhole(buffers, found));
    if (holes.length === 0) return bytes;
    return new HoledBytes(
      bytes,
      holes.map((hole) => ({ ...hole, content: withBuffer(hole, taken) })),
    );
  }

  /** Returns the value of a payload. @throws EncodingError when its bytes are malformed. */
  decode(content: Uint8Array): unknown {
    if (!isHoled(content)) return this.#codec.decode(content);
    if (this.#holeCodec === undefined) return this.#codec.decode(content.joined());
    return this.#holeCodec.decodeWithHoles({ bytes: content, holes: content.holes });
  }
}

type Taken = ReadonlyMap<ArrayBufferLike, ArrayBuffer>;

function checkBuffers(buffers: readonly ArrayBuffer[]): void {
  if (!Array.isArray(buffers)) throw new TypeError("transfer: expected a list of ArrayBuffers");
  for (const [i, buffer] of buffers.entries()) {
    const wrong = faultOf(buffer);
    if (wrong !== undefined) throw new TypeError(`transfer: expected ArrayBuffers, at [${i}] is ${wrong}`);
    if (buffers.indexOf(buffer) !== i) throw new TypeError(`transfer: the buffer at [${i}] is there twice`);
  }
}

function faultOf(buffer: unknown): string | undefined {
  if (ArrayBuffer.isView(buffer)) return "a view: give its `buffer`";
  const kind = Object.prototype.toString.call(buffer);
  if (kind === "[object SharedArrayBuffer]")
    return "a SharedArrayBuffer, which crosses by reference without being named";
  if (kind !== "[object ArrayBuffer]") return `a ${typeof buffer}`;
  try {
    Reflect.construct(Uint8Array, [buffer]);
    return undefined;
  } catch {
    return "a buffer that is detached";
  }
}

/** Those of which the value holds all. One of which it holds a part was copied, and stays. */
function foundWhole(
  buffers: readonly ArrayBuffer[],
  found: ReadonlyMap<ArrayBufferLike, boolean> | undefined,
): readonly ArrayBuffer[] {
  const missing = buffers.findIndex((buffer) => found?.has(buffer) !== true);
  if (missing >= 0) throw new TypeError(`transfer: the buffer at [${missing}] is not part of the value`);
  return buffers.filter((buffer) => found?.get(buffer) === true);
}

function takeAll(buffers: readonly ArrayBuffer[]): Taken {
  try {
    const taken = structuredClone(buffers, { transfer: [...buffers] });
    return new Map(buffers.map((buffer, i) => [buffer, taken[i] ?? buffer]));
  } catch (cause) {
    throw new TypeError("transfer: a buffer cannot be given away, such as the memory of WebAssembly", { cause });
  }
}

/** What was not named and cannot be given away is copied. */
function takeLarge(holes: readonly Hole[]): Taken {
  const taken = new Map<ArrayBufferLike, ArrayBuffer>();
  for (const { content } of holes) {
    const { buffer } = content;
    if (isShared(content) || !(buffer instanceof ArrayBuffer)) continue;
    try {
      taken.set(buffer, structuredClone(buffer, { transfer: [buffer] }));
    } catch {
      taken.set(buffer, buffer.slice(0));
    }
  }
  return taken;
}

function withBuffer({ content }: Hole, taken: Taken): Uint8Array {
  const buffer = taken.get(content.buffer);
  return buffer === undefined ? content : new Uint8Array(buffer);
}
