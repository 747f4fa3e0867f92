/** What a thread and its supervisor tell each other besides the frames: the order to start, and what came of it. */
import type { MessagePort } from "node:worker_threads";

/** supervisor → thread, once: what to serve, and where. */
export interface Boot {
  /** Leads to the runner. */
  readonly port: MessagePort;
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
}

/** thread → supervisor. The key tells it from what user code may post. */
export type ThreadNote =
  /** The handler is there; HELLO follows on the port. */
  | { readonly powerhose: "loaded" }
  /** The runner has let it in. */
  | { readonly powerhose: "registered" }
  /** Its first job's handler has returned or thrown. */
  | { readonly powerhose: "served" }
  /** It will never serve. */
  | { readonly powerhose: "failed"; readonly message: string; readonly cause: unknown };

/** Whether something a thread has posted is a note. */
export function isThreadNote(message: unknown): message is ThreadNote {
  return typeof message === "object" && message !== null && "powerhose" in message;
}

/** Anything thrown, as one line. */
export function oneLine(thrown: unknown): string {
  const name = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return name.split("\n", 1)[0] ?? "";
}
