/**
 * Which buffers of one value stand apart from its bytes: shared memory, and the large ones that are to be given away. Remembers what
 * it was shown. Part of a buffer is never given away: what else lies in it is not the value's.
 */
import { isShared, MAX_HOLES } from "../../core/job/holed-bytes.ts";
import { MIN_HOLE_BYTES } from "./cbor-profile.ts";
import type { ApartBuffers } from "./value-codec.ts";

/** The buffers of one value. */
export class ApartList {
  /** Of the named buffers those that were met: whether whole. */
  readonly found: ReadonlyMap<ArrayBufferLike, boolean>;
  readonly #found = new Map<ArrayBufferLike, boolean>();
  readonly #named: ReadonlySet<ArrayBufferLike> | undefined;
  #holes = 0;

  constructor(buffers: ApartBuffers) {
    this.found = this.#found;
    this.#named = buffers === "all" ? undefined : new Set(buffers === "shared" ? [] : buffers);
  }

  /** Takes the content of a byte string. Returns whether it stands apart; else it is copied. */
  take(content: Uint8Array): boolean {
    const isHole = this.#holes < MAX_HOLES && (isShared(content) ? content.length > 0 : this.#isGiven(content));
    if (isHole) this.#holes++;
    return isHole;
  }

  #isGiven({ buffer, byteLength }: Uint8Array): boolean {
    if (this.#named !== undefined && !this.#named.has(buffer)) return false;
    const isWhole = byteLength === buffer.byteLength;
    const before = this.#found.get(buffer);
    if (before !== true) this.#found.set(buffer, isWhole);
    return isWhole && before !== true && byteLength >= MIN_HOLE_BYTES;
  }
}
