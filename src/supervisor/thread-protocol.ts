/** What a thread and its supervisor exchange besides the frames: the init message, and how far the thread has come. */
import type { PortLike } from "../transports/message-port.ts";

/** A port that is handed over. */
export type ThreadPort = PortLike & {
  /** Closes it, where it was handed over in vain. */
  close(): void;
};

/** supervisor → thread, once: what to serve, and where. */
export interface ThreadInit {
  /** Leads to the runner. */
  readonly port: ThreadPort;
  /** The URL of the module; empty where the thread's script brings the handler along. */
  readonly module: string;
  /** The name of its export that is the handler. */
  readonly exportName: string;
  /** What the thread's Worker is called. */
  readonly identity: string;
  /** Jobs at a time. */
  readonly capacity: number;
  /** What the Worker says it can do. */
  readonly labels: readonly string[];
  /** When the Worker retires. */
  readonly maxJobs: number;
  readonly maxAge: number;
  readonly maxAgeJitter?: number;
  /** How long the Worker waits for handlers that ignore their abort, in ms, and as long for the handler's `close`. */
  readonly drainTimeout?: number;
  /** Where claims to prefetched jobs lie; absent where the host shares no memory. */
  readonly claims?: SharedArrayBuffer | undefined;
  /** The largest payload in bytes. */
  readonly maxPayload: number;
  /** Marks the thread's messages, which share their way with what user code posts. Random. */
  readonly nonce: string;
}

/** thread → supervisor: how far it has come. */
export type ThreadMessage =
  /** The handler is there; HELLO follows on the port. `closes`: whether something of it runs after the last job. */
  | { readonly step: "loaded"; readonly closes: boolean }
  /** The runner has registered it. */
  | { readonly step: "registered" }
  /** It begins its first job. */
  | { readonly step: "begun" }
  /** What runs after the last job begins. */
  | { readonly step: "closing" }
  /** It has stopped, and has nothing left to do. */
  | { readonly step: "closed" }
  /** It will never serve. */
  | {
      readonly step: "failed";
      readonly message: string;
      readonly cause: unknown;
      /** The code of what has run out, if that is why: the cause does not say so any more when it was cloned. */
      readonly scarce: string | undefined;
    };

const NONCE = "powerhose:nonce";

/** Returns a message as it is posted. */
export function wrapMessage(message: ThreadMessage, nonce: string): unknown {
  return { [NONCE]: nonce, message };
}

/** Returns the message in what a thread has posted; `undefined` when user code posted it. */
export function unwrapMessage(posted: unknown, nonce: string): ThreadMessage | undefined {
  if (typeof posted !== "object" || posted === null || !("message" in posted)) return undefined;
  return Reflect.get(posted, NONCE) === nonce ? (posted.message as ThreadMessage) : undefined;
}
