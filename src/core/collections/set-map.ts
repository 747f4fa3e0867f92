/** Sets by key. An empty set is dropped, so that the memory follows what is registered. */

/** Any number of values for each key. */
export class SetMap<K, V> {
  readonly #sets = new Map<K, Set<V>>();

  /** The values of a key, in the order they were added. */
  get(key: K): ReadonlySet<V> | undefined {
    return this.#sets.get(key);
  }

  /** Number of values of a key. */
  count(key: K): number {
    return this.#sets.get(key)?.size ?? 0;
  }

  /** Adds a value to a key. */
  add(key: K, value: V): void {
    const set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, new Set([value]));
    else set.add(value);
  }

  /** Removes a value from a key. Harmless when it is not there. */
  delete(key: K, value: V): void {
    const set = this.#sets.get(key);
    if (set?.delete(value) === true && set.size === 0) this.#sets.delete(key);
  }

  /** The keys, in the order they were added. */
  keys(): IterableIterator<K> {
    return this.#sets.keys();
  }

  /** Keys and their values, in the order the keys were added. */
  [Symbol.iterator](): IterableIterator<[K, ReadonlySet<V>]> {
    return this.#sets.entries();
  }
}
