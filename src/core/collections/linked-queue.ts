/** A first-in-first-out line that can be left from anywhere: the members carry the links, so that no step allocates. */

/** Who can stand in a {@link LinkedQueue}: in one place of one line at a time. */
export interface LinkedNode<M> {
  /** @internal The line it stands in. */
  list: object | undefined;
  /** @internal */
  previous: M | undefined;
  /** @internal */
  next: M | undefined;
}

/** A doubly linked first-in-first-out line. */
export class LinkedQueue<M extends LinkedNode<M>> {
  #first: M | undefined;
  #last: M | undefined;
  #length = 0;

  /** How many stand in it. */
  get length(): number {
    return this.#length;
  }

  /** Who is next, or nobody. */
  get first(): M | undefined {
    return this.#first;
  }

  /** Who came last, or nobody. */
  get last(): M | undefined {
    return this.#last;
  }

  /** Adds a member at the end, or at the head. */
  push(node: M, atHead = false): void {
    if (node.list !== undefined) throw new Error("already in a line");
    node.list = this;
    this.#length++;
    if (atHead) this.#linkFirst(node);
    else this.#linkLast(node);
  }

  /** Adds a member right before `next`, who stands in this line; at the end when there is nobody. */
  insertBefore(node: M, next: M | undefined): void {
    const { previous } = next ?? {};
    if (next === undefined || previous === undefined) return this.push(node, next !== undefined);
    if (node.list !== undefined) throw new Error("already in a line");
    node.list = this;
    this.#length++;
    node.previous = previous;
    node.next = next;
    previous.next = node;
    next.previous = node;
  }

  /** Takes a member out, wherever it stands; `false` when it is not in this line. */
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

  /** From the head to the end. The line may be changed by the reader as long as it only takes out members it has seen. */
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
