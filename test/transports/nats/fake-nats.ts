/**
 * A NATS server and its client in memory, on a clock of the test's: subjects with wildcards, queue groups, "no responders",
 * permissions, lost packets and lost connections. What it does is what was seen of real servers, to which the long suites hold
 * the transport as well.
 */
import type { Clock } from "../../../src/core/time/clock.ts";
import type {
  NatsConnectionLike,
  NatsMessage,
  NatsStatus,
  NatsSubscribeOptions,
  NatsSubscription,
} from "../../../src/transports/nats/connection.ts";

/** What a user may do; without it everything. `*` and `>` as the server has them. */
export interface FakePermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** A message on its way. */
export interface FakePublication {
  readonly subject: string;
  readonly reply: string;
  readonly data: Uint8Array;
}

interface Interest {
  readonly owner: FakeConnection;
  readonly tokens: readonly string[];
  readonly queue: string | undefined;
  readonly callback: NonNullable<NatsSubscribeOptions["callback"]>;
}

/** Whether a subject fits one with wildcards, both in tokens. */
function tokensFit(subject: readonly string[], pattern: readonly string[]): boolean {
  for (const [i, token] of pattern.entries()) {
    if (token === ">") return subject.length > i;
    if (subject[i] === undefined || (token !== "*" && token !== subject[i])) return false;
  }
  return subject.length === pattern.length;
}

function isAllowed(subject: string, patterns: readonly string[] | undefined): boolean {
  // As the server has it: the right to `a.*` covers a subscription to `a.*`, and none to `a.>`.
  const tokens = subject.split(".");
  return patterns === undefined || patterns.some((pattern) => tokensFit(tokens, pattern.split(".")));
}

class PermissionError extends Error {
  readonly operation: "publish" | "subscription";
  readonly subject: string;

  constructor(operation: "publish" | "subscription", subject: string) {
    super(`Permissions Violation for ${operation === "publish" ? "Publish" : "Subscription"} to "${subject}"`);
    this.operation = operation;
    this.subject = subject;
  }
}

/** Statuses of one reader, as the client's iterators hand them out. */
class Statuses implements AsyncIterable<NatsStatus> {
  #waiting: NatsStatus[] = [];
  #wake: (() => void) | undefined;
  #isStopped = false;

  push(status: NatsStatus): void {
    this.#waiting.push(status);
    this.#wake?.();
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<NatsStatus> {
    for (;;) {
      const status = this.#waiting.shift();
      if (status !== undefined) yield status;
      else if (this.#isStopped) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** One client's connection. */
export class FakeConnection implements NatsConnectionLike {
  /** Refused by `publish` when they are longer. */
  info: { readonly max_payload: number } | undefined = { max_payload: 1_048_576 };
  /** How often `publish` was called. */
  published = 0;
  readonly permissions: FakePermissions | undefined;
  readonly account: string;
  readonly #server: FakeNats;
  readonly #statuses = new Set<Statuses>();
  #isClosed = false;

  constructor(server: FakeNats, account: string, permissions: FakePermissions | undefined) {
    this.#server = server;
    this.account = account;
    this.permissions = permissions;
  }

  isClosed(): boolean {
    return this.#isClosed;
  }

  publish(subject: string, payload: Uint8Array, { reply = "" }: { reply?: string } = {}): void {
    if (this.#isClosed) throw new Error("closed connection");
    if (this.info !== undefined && payload.byteLength > this.info.max_payload)
      throw new Error("max_payload size exceeded");
    this.published++;
    if (this.info !== undefined) this.#server.route(this, { subject, reply, data: payload });
  }

  subscribe(subject: string, { queue, callback = () => undefined }: NatsSubscribeOptions): NatsSubscription {
    if (this.#isClosed) throw new Error("closed connection");
    const interest: Interest = { owner: this, tokens: subject.split("."), queue, callback };
    this.#server.add(interest, subject);
    return { unsubscribe: () => this.#server.remove(interest) };
  }

  flush(): Promise<void> {
    return new Promise((resolve) => this.#server.clock.nextTurn(resolve));
  }

  status(): AsyncIterable<NatsStatus> {
    const statuses = new Statuses();
    this.#statuses.add(statuses);
    return statuses;
  }

  tell(status: NatsStatus): void {
    for (const statuses of this.#statuses) statuses.push(status);
  }

  /** The network between client and server is cut: what was on its way is lost, and subscriptions rest. */
  disconnect(): void {
    this.info = undefined;
    this.tell({ type: "disconnect" });
  }

  /** The client is back; its subscriptions are again in force. */
  reconnect(): void {
    this.info = { max_payload: 1_048_576 };
    this.tell({ type: "reconnect" });
  }

  /** The process of the client is gone. */
  kill(): void {
    this.#isClosed = true;
    this.info = undefined;
    this.#server.removeAll(this);
  }

  /** Closed by its owner. */
  close(): void {
    this.kill();
    this.tell({ type: "close" });
    for (const statuses of this.#statuses) statuses.stop();
  }
}

/** The server. */
export class FakeNats {
  readonly clock: Clock;
  /** Looks at each publication; `false` loses it on the way. */
  passes: (publication: FakePublication) => boolean = () => true;
  /** Where a connection does not take what is sent to it: its messages wait. */
  readonly stopped: Map<FakeConnection, NatsMessage[]> = new Map();
  /** Messages published. */
  published = 0;
  readonly #interests = new Set<Interest>();
  #turns = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Subscriptions that are in force. */
  get subscriptions(): number {
    return this.#interests.size;
  }

  connect(options: { readonly account?: string; readonly permissions?: FakePermissions } = {}): FakeConnection {
    return new FakeConnection(this, options.account ?? "default", options.permissions);
  }

  add(interest: Interest, subject: string): void {
    const { owner, callback } = interest;
    if (isAllowed(subject, owner.permissions?.subscribe)) {
      this.#interests.add(interest);
      return;
    }
    const error = new PermissionError("subscription", subject);
    this.clock.nextTurn(() => {
      callback(error, { subject: "", data: new Uint8Array(0) });
      owner.tell({ type: "error", error });
    });
  }

  remove(interest: Interest): void {
    this.#interests.delete(interest);
  }

  removeAll(owner: FakeConnection): void {
    for (const interest of this.#interests) if (interest.owner === owner) this.#interests.delete(interest);
  }

  route(from: FakeConnection, publication: FakePublication): void {
    this.published++;
    if (!isAllowed(publication.subject, from.permissions?.publish)) {
      const error = new PermissionError("publish", publication.subject);
      this.clock.nextTurn(() => from.tell({ type: "error", error }));
      return;
    }
    // What the publisher changes later is not what was sent.
    const sent = { ...publication, data: publication.data.slice() };
    if (this.passes(sent)) this.clock.nextTurn(() => this.#deliver(from, sent));
  }

  /** The connection takes again what is sent to it. */
  resume(connection: FakeConnection): void {
    const waiting = this.stopped.get(connection) ?? [];
    this.stopped.delete(connection);
    for (const message of waiting)
      for (const one of this.#fitting(message.subject, connection)) this.#hand(one, message);
  }

  #deliver(from: FakeConnection, { subject, reply, data }: FakePublication): void {
    const reached = this.#chosen(this.#fitting(subject).filter(({ owner }) => owner.account === from.account));
    for (const one of reached) this.#hand(one, { subject, reply, data });
    if (reached.length > 0 || reply === "" || from.isClosed()) return;
    const [own] = this.#fitting(reply, from);
    if (own !== undefined) this.#hand(own, { subject: reply, data: new Uint8Array(0), headers: { code: 503 } });
  }

  #hand({ owner, callback }: Interest, message: NatsMessage): void {
    const waiting = this.stopped.get(owner);
    if (waiting !== undefined) waiting.push(message);
    // As Node hands out views of what it has read.
    else callback(null, { ...message, data: Buffer.from(message.data) });
  }

  /** Subscriptions of connected clients, or of one. */
  #fitting(subject: string, owner?: FakeConnection): readonly Interest[] {
    const tokens = subject.split(".");
    const found: Interest[] = [];
    for (const one of this.#interests) {
      if ((owner ?? one.owner) === one.owner && one.owner.info !== undefined && tokensFit(tokens, one.tokens))
        found.push(one);
    }
    return found;
  }

  /** All that are in no group, and one of the group: there is but one here. */
  #chosen(fitting: readonly Interest[]): readonly Interest[] {
    const grouped = fitting.filter(({ queue }) => queue !== undefined);
    const member = grouped[this.#turns++ % Math.max(1, grouped.length)];
    return member === undefined ? fitting : [...fitting.filter(({ queue }) => queue === undefined), member];
  }
}
