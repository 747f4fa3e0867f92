/**
 * What is used of a connection of the official NATS client (`@nats-io/nats-core`, version 3), as a shape: the connection and the
 * client's version are the user's. Browser-safe.
 */

/** The headers of a message, as far as they are read. */
export interface NatsHeaders {
  /** The number of a status that the server sent: 503 for "no responders"; 0 where there is none. */
  readonly code: number;
}

/** What a server says of itself, as far as it is read. */
export interface NatsServerInfo {
  /** The longest message it takes, in bytes. */
  readonly max_payload: number;
}

/** A message, as far as it is read. */
export interface NatsMessage {
  /** The subject it was published to. */
  readonly subject: string;
  /** Where its publisher listens; empty or absent when it gave no such subject. */
  readonly reply?: string | undefined;
  /** Its bytes. */
  readonly data: Uint8Array;
  /** Its headers, if it has any. */
  readonly headers?: NatsHeaders | undefined;
}

/** A subscription, as far as it is used. */
export interface NatsSubscription {
  /** Ends it. May be called twice. */
  unsubscribe(): void;
}

/** What a connection tells of itself. */
export interface NatsStatus {
  /** Of those that there are, `disconnect`, `reconnect`, `close` and `error` are read. */
  readonly type: string;
  /** What the server complains of, for an `error`. */
  readonly error?: Error;
}

/** How a subject is subscribed to. */
export interface NatsSubscribeOptions {
  /** One member of the group gets each message. */
  queue?: string;
  /** Takes the messages, or the error that ended the subscription. */
  callback?: (error: Error | null, message: NatsMessage) => void;
}

/**
 * The part of a `NatsConnection` that is used. What `connect` of `@nats-io/transport-node` and `wsconnect` of
 * `@nats-io/nats-core` resolve to has it.
 */
export interface NatsConnectionLike {
  /** What the server says of itself; absent while there is no connection. */
  readonly info?: NatsServerInfo | undefined;
  /** Whether it is closed for good. */
  isClosed(): boolean;
  /** Publishes one message. Throws once closed. */
  publish(subject: string, payload: Uint8Array, options?: { reply?: string }): void;
  /** Subscribes to a subject, which may hold wildcards. Throws once closed. */
  subscribe(subject: string, options: NatsSubscribeOptions): NatsSubscription;
  /** Resolves when the server has processed all that was sent before. */
  flush(): Promise<void>;
  /** What happens to the connection from now on. */
  status(): AsyncIterable<NatsStatus>;
}

/** The methods a connection must have, for the check of an argument. */
export const CONNECTION_METHODS = ["publish", "subscribe", "flush", "status", "isClosed"] as const;

/** The status of a message without responders, in its headers. */
export const NO_RESPONDERS = 503;

/** The subject whose publication the server refused, if that is what an error of the client says. */
export function refusedPublication(error: Error | undefined): string | undefined {
  if (error === undefined || !("operation" in error) || error.operation !== "publish") return undefined;
  return "subject" in error && typeof error.subject === "string" ? error.subject : undefined;
}
