/** A first-in-first-out line that can be left from anywhere: the members carry the links, so that no step allocates. */

/** Who can stand in a {@link Line}: in one place of one line at a time. */
export interface Member<M> {
  /** @internal The line it stands in. */
  line: object | undefined;
  /** @internal */
  ahead: M | undefined;
  /** @internal */
  behind: M | undefined;
}

/** A doubly linked first-in-first-out line. */
export class Line<M extends Member<M>> {
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
  join(member: M, atHead = false): void {
    if (member.line !== undefined) throw new Error("already in a line");
    member.line = this;
    this.#length++;
    if (atHead) this.#linkFirst(member);
    else this.#linkLast(member);
  }

  /** Adds a member right before `next`, who stands in this line; at the end when there is nobody. */
  joinBefore(member: M, next: M | undefined): void {
    const { ahead } = next ?? {};
    if (next === undefined || ahead === undefined) return this.join(member, next !== undefined);
    if (member.line !== undefined) throw new Error("already in a line");
    member.line = this;
    this.#length++;
    member.ahead = ahead;
    member.behind = next;
    ahead.behind = member;
    next.ahead = member;
  }

  /** Takes a member out, wherever it stands; `false` when it is not in this line. */
  leave(member: M): boolean {
    if (member.line !== this) return false;
    const { ahead, behind } = member;
    if (ahead === undefined) this.#first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.#last = ahead;
    else behind.ahead = ahead;
    member.line = undefined;
    member.ahead = undefined;
    member.behind = undefined;
    this.#length--;
    return true;
  }

  /** From the head to the end. The line may be changed by the reader as long as it only takes out members it has seen. */
  *[Symbol.iterator](): Generator<M> {
    let member = this.#first;
    while (member !== undefined) {
      const { behind }: { behind: M | undefined } = member;
      yield member;
      member = behind;
    }
  }

  #linkFirst(member: M): void {
    member.behind = this.#first;
    if (this.#first === undefined) this.#last = member;
    else this.#first.ahead = member;
    this.#first = member;
  }

  #linkLast(member: M): void {
    member.ahead = this.#last;
    if (this.#last === undefined) this.#first = member;
    else this.#last.behind = member;
    this.#last = member;
  }
}
