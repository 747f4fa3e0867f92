/** An intrusive linked list: nodes carry the links, so that no step allocates, and can be removed from anywhere. */

/** A node of a {@link LinkedQueue}: in one list at a time. */
export interface LinkedNode<M> {
  /** @internal The list it is in. */
  list: object | undefined;
  /** @internal */
  previous: M | undefined;
  /** @internal */
  next: M | undefined;
}

/** A doubly linked first-in-first-out list. */
export class LinkedQueue<M extends LinkedNode<M>> {
  #first: M | undefined;
  #last: M | undefined;
  #length = 0;

  /** How many nodes are in it. */
  get length(): number {
    return this.#length;
  }

  /** The head. */
  get first(): M | undefined {
    return this.#first;
  }

  /** The end. */
  get last(): M | undefined {
    return this.#last;
  }

  /** Adds a node at the end, or at the head. */
  push(node: M, atHead = false): void {
    if (node.list !== undefined) throw new Error("already in a list");
    node.list = this;
    this.#length++;
    if (atHead) this.#linkFirst(node);
    else this.#linkLast(node);
  }

  /** Adds a node right before `next`, a node of this list; at the end without one. */
  insertBefore(node: M, next: M | undefined): void {
    const { previous } = next ?? {};
    if (next === undefined || previous === undefined) return this.push(node, next !== undefined);
    if (node.list !== undefined) throw new Error("already in a list");
    node.list = this;
    this.#length++;
    node.previous = previous;
    node.next = next;
    previous.next = node;
    next.previous = node;
  }

  /** Removes a node from anywhere; `false` when it is not in this list. */
  remove(node: M): boolean {
    if (node.list !== this) return false;
    const { previous, next } = node;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    node.list = undefined;
    node.previous = undefined;
    node.next = undefined;
    this.#length--;
    return true;
  }

  /** From the head to the end. The reader may remove nodes that it has seen, and no others. */
  *[Symbol.iterator](): Generator<M> {
    let node = this.#first;
    while (node !== undefined) {
      const { next }: { next: M | undefined } = node;
      yield node;
      node = next;
    }
  }

  #linkFirst(node: M): void {
    node.next = this.#first;
    if (this.#first === undefined) this.#last = node;
    else this.#first.previous = node;
    this.#first = node;
  }

  #linkLast(node: M): void {
    node.previous = this.#last;
    if (this.#last === undefined) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
  }
}
