/**
 * Which lines are done, and a mark of each line's text. Memory by the number of lines, wherever they are in the input: at
 * most 24 bytes a line, and half as much again while the table grows. An open-addressing hash table in two typed arrays, as
 * a `Map` takes more and ends at 2^24 entries.
 */

/** Places are stored plus one, so that 0 is a free cell. */
export const MAX_PLACE: number = 2 ** 32 - 2;

const MIN_CELLS = 1_024;
/** The golden ratio in 32 bits (Knuth): neighbouring places go to cells far apart. */
const MULTIPLIER = 0x9e3779b1;

/** Done lines by their place. */
export class DoneLines {
  #keys = new Uint32Array(MIN_CELLS);
  #marks = new Uint32Array(MIN_CELLS);
  #count = 0;

  /** How many lines are done. */
  get count(): number {
    return this.#count;
  }

  /** The bytes taken. */
  get bytes(): number {
    return this.#keys.byteLength + this.#marks.byteLength;
  }

  /** Adds a line, or gives it another mark. Both are whole numbers; `place` is at most `MAX_PLACE`, `mark` has 32 bits. */
  add(place: number, mark: number): void {
    const cell = this.#find(place);
    if (this.#keys[cell] === 0) this.#count++;
    this.#keys[cell] = place + 1;
    this.#marks[cell] = mark;
    if (this.#count > this.#keys.length * 0.75) this.#grow();
  }

  /** The mark of a done line, or nothing. */
  markOf(place: number): number | undefined {
    const cell = this.#find(place);
    return this.#keys[cell] === 0 ? undefined : this.#marks[cell];
  }

  /** The cell of a place, or the free one where it belongs. */
  #find(place: number): number {
    const last = this.#keys.length - 1;
    // Lengths are powers of two: the upper bits of the product choose the cell.
    let cell = Math.imul(place + 1, MULTIPLIER) >>> Math.clz32(last);
    while (this.#keys[cell] !== 0 && this.#keys[cell] !== place + 1) cell = (cell + 1) & last;
    return cell;
  }

  #grow(): void {
    const [keys, marks] = [this.#keys, this.#marks];
    this.#keys = new Uint32Array(keys.length * 2);
    this.#marks = new Uint32Array(keys.length * 2);
    keys.forEach((key, old) => {
      if (key === 0) return;
      const cell = this.#find(key - 1);
      this.#keys[cell] = key;
      this.#marks[cell] = marks[old] ?? 0;
    });
  }
}
