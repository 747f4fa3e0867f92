/**
 * Runner and workers over a NATS server, by a connection that the user made with the official client: `connect` of
 * `@nats-io/transport-node` on Node, `wsconnect` of `@nats-io/nats-core` in a browser. Holds nothing of Node or of the client.
 */
import type { Dialer } from "../../core/transport/listener.ts";
import type { NatsConnectionLike } from "./connection.ts";
import { NatsDialer } from "./dialer.ts";
import { NatsListener } from "./listener.ts";
import { type DialNatsOptions, natsDialSettings, natsListenerSettings, type NatsListenerOptions } from "./options.ts";

export type {
  NatsConnectionLike,
  NatsHeaders,
  NatsMessage,
  NatsServerInfo,
  NatsStatus,
  NatsSubscribeOptions,
  NatsSubscription,
} from "./connection.ts";
export type { DialNatsOptions, NatsListenerOptions, NatsOptions } from "./options.ts";
export type { NatsListener } from "./listener.ts";

/**
 * A listener for the workers of a fleet. The connection stays its owner's: it is not closed here.
 *
 * ```ts
 * const nc = await connect({ servers: "nats://127.0.0.1:4222" });
 * const runner = new JobRunner({ listen: listenNats(nc, { fleet: "jobs" }) });
 * ```
 * @throws TypeError when an option is missing, unknown or of the wrong kind, or `nc` is no connection.
 * @throws RangeError when a number is out of range.
 */
export function listenNats(nc: NatsConnectionLike, options: NatsListenerOptions): NatsListener {
  return new NatsListener(natsListenerSettings(nc, options));
}

/**
 * A dialer for a fleet. The connection stays its owner's: it is not closed here.
 *
 * ```ts
 * const worker = new Worker({ dial: dialNats(nc, { fleet: "jobs", principal: "alice" }), handler });
 * ```
 * @throws TypeError when an option is missing, unknown or of the wrong kind, or `nc` is no connection.
 */
export function dialNats(nc: NatsConnectionLike, options: DialNatsOptions): Dialer {
  return new NatsDialer(natsDialSettings(nc, options));
}
