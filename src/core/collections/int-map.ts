/**
 * A map from small numbers to values, for entries that come and go at the pace of jobs. Why not a `Map`: each time it is rebuilt
 * it leaves its old table behind, which points at the next one. Once one of these is in the old generation, the young collector
 * keeps all that follow alive. Here the memory is kept, and only what is in it changes.
 */

const FIRST_SLOTS = 16;
/** The golden ratio of 2^32: spreads numbers that follow each other. */
const SPREAD = 0x9e37_79b1;

function zeros(length: number): number[] {
  return Array.from({ length }, () => 0);
}

function nothings(length: number): undefined[] {
  return Array.from({ length }, () => undefined);
}

/** Values by number; the numbers are integers over 0. */
export class IntMap<V> {
  #numbers: number[] = zeros(FIRST_SLOTS);
  #values: (V | undefined)[] = nothings(FIRST_SLOTS);
  #mask = FIRST_SLOTS - 1;
  #size = 0;

  /** How many are in it. */
  get size(): number {
    return this.#size;
  }

  /** Whether there is one of that number. */
  has(number: number): boolean {
    return this.#numbers[this.#find(number)] === number;
  }

  /** The value of that number, if there is one. */
  get(number: number): V | undefined {
    return this.#values[this.#find(number)];
  }

  /** Adds a value, or replaces the one of that number. */
  set(number: number, value: V): void {
    const at = this.#find(number);
    if (this.#numbers[at] === 0) {
      this.#numbers[at] = number;
      this.#size++;
    }
    this.#values[at] = value;
    if (2 * this.#size > this.#mask) this.#grow();
  }

  /** Takes one out; `false` when there was none of that number. */
  delete(number: number): boolean {
    const numbers = this.#numbers;
    const mask = this.#mask;
    let hole = this.#find(number);
    if (numbers[hole] === 0) return false;
    // Those behind it that had to step aside move up, or they would not be found past the hole.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const other = numbers[at] ?? 0;
      if (other === 0) break;
      if (((at - this.#home(other)) & mask) < ((at - hole) & mask)) continue;
      numbers[hole] = other;
      this.#values[hole] = this.#values[at];
      hole = at;
    }
    numbers[hole] = 0;
    this.#values[hole] = undefined;
    this.#size--;
    return true;
  }

  /** All values in the order of their numbers; a copy, so that the table may change meanwhile. */
  values(): V[] {
    const numbers = this.#numbers.filter((number) => number !== 0).toSorted((a, b) => a - b);
    return numbers.map((number) => this.get(number)).filter((value) => value !== undefined);
  }

  /** Calls `fn` for each value, in no order. It must not change the table. */
  forEach(fn: (value: V) => void): void {
    for (const value of this.#values) if (value !== undefined) fn(value);
  }

  /** Takes all out. */
  clear(): void {
    this.#numbers.fill(0);
    this.#values.fill(undefined);
    this.#size = 0;
  }

  #home(number: number): number {
    return (Math.imul(number, SPREAD) >>> 7) & this.#mask;
  }

  /** Where that number stands, or the empty place where it would. */
  #find(number: number): number {
    const numbers = this.#numbers;
    let at = this.#home(number);
    for (let other = numbers[at]; other !== 0 && other !== number; other = numbers[at]) at = (at + 1) & this.#mask;
    return at;
  }

  #grow(): void {
    const numbers = this.#numbers;
    const values = this.#values;
    const slots = 2 * numbers.length;
    this.#numbers = zeros(slots);
    this.#values = nothings(slots);
    this.#mask = slots - 1;
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i] ?? 0;
      if (number === 0) continue;
      const at = this.#find(number);
      this.#numbers[at] = number;
      this.#values[at] = values[i];
    }
  }
}
