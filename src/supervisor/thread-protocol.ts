/** What a thread and its supervisor tell each other besides the frames: the order to start, and what came of it. */
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
  /** The URL of the module. */
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
  /** The largest payload in bytes. */
  readonly maxPayload: number;
  /** Marks the thread's notes, which share their way with whatever user code posts. Random. */
  readonly nonce: string;
}

/** thread → supervisor: how far it has come. */
export type ThreadMessage =
  /** The handler is there; HELLO follows on the port. */
  | { readonly step: "loaded" }
  /** The runner has let it in. */
  | { readonly step: "registered" }
  /** It begins its first job. */
  | { readonly step: "begun" }
  /** It will never serve. */
  | {
      readonly step: "failed";
      readonly message: string;
      readonly cause: unknown;
      /** The code of what has run out, if that is why: the cause does not say so any more when it was cloned. */
      readonly scarce: string | undefined;
    };

const NOTE = "powerhose:note";

/** A note as it is posted. */
export function sealed(note: ThreadMessage, seal: string): unknown {
  return { [NOTE]: seal, note };
}

/** The note in something a thread has posted; nothing when that is somebody else's. */
export function unsealed(message: unknown, seal: string): ThreadMessage | undefined {
  if (typeof message !== "object" || message === null || !("note" in message)) return undefined;
  return Reflect.get(message, NOTE) === seal ? (message.note as ThreadMessage) : undefined;
}
