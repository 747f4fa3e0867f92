/**
 * What happened in one simulated world: a hash of all of it, by which two runs are compared, and the last of it, for whoever
 * has to find out why. Judges nothing.
 */
import type { RunnerEvent } from "../core/events.ts";
import type { Message } from "../core/message.ts";
import { logLine } from "./log-line.ts";
import type { Observation } from "./observation.ts";

/** How many observations are kept for the log. */
const KEPT = 400;

/** Everything of an observation that has to be the same on every engine: no text of errors, and times to the microsecond. */
function facts(seen: Observation): readonly (number | string)[] {
  switch (seen.kind) {
    case "sent":
    case "delivered":
      return [seen.connection, seen.from, seen.bytes, ...(seen.messages ?? []).flatMap(messageFacts)];
    case "opened":
      return [seen.connection, seen.from, seen.to];
    case "closed":
      return [seen.connection, seen.machine, seen.byItself ? 1 : 0, seen.reason.code];
    case "runner":
      return [seen.machine, ...eventFacts(seen.event)];
    case "worker":
      return [seen.machine, seen.event.type, seen.event.type === "worker-state" ? seen.event.state : ""];
    case "submitted":
      return [seen.machine, seen.jobId];
    case "settled":
      return [seen.machine, seen.jobId ?? -1, seen.outcome.ok ? 1 : 0];
    case "handler-started":
      return [seen.machine, seen.life, seen.jobId, seen.attempt];
    case "handler-ended":
      return [seen.machine, seen.run, seen.value === undefined ? -1 : seen.value.length];
    case "fault":
      return [seen.fault, seen.target];
    case "machine":
      return [seen.machine, seen.life, seen.state];
    case "note":
      return [seen.text];
  }
}

function messageFacts(message: Message): readonly (number | string)[] {
  switch (message.type) {
    case "JOB":
      return [message.type, message.attemptId, message.jobId, message.attempt];
    case "JOBRES":
    case "JOBERR":
    case "CANCELLED":
      return [message.type, message.attemptId];
    case "REJECT":
    case "CANCEL":
      return [message.type, message.attemptId, message.reason];
    case "HELLO":
      return [message.type, message.identity, message.instance, message.capacity];
    default:
      return [message.type];
  }
}

function eventFacts(event: RunnerEvent): readonly (number | string)[] {
  if ("jobId" in event) return [event.type, event.jobId];
  if ("identity" in event) return [event.type, event.identity, event.type === "worker-gone" ? event.reason : ""];
  return [event.type, event.type === "runner-state" ? event.state : ""];
}

/** A running record. */
export class Trace {
  readonly #last: Observation[] = [];
  readonly #words = new Map<string, number>();
  #next = 0;
  #count = 0;
  #a = 0x811c_9dc5;
  #b = 0x9e37_79b9;

  /** How many observations there were. */
  get count(): number {
    return this.#count;
  }

  /** All of them as 16 hexadecimal digits: equal for equal runs. */
  get hash(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** Takes one in. */
  add(seen: Observation): void {
    this.#count++;
    if (!isHeartbeat(seen)) {
      this.#last[this.#next] = seen;
      this.#next = (this.#next + 1) % KEPT;
    }
    this.#mix(Math.round(seen.at * 1_000));
    this.#mix(this.#word(seen.kind));
    for (const fact of facts(seen)) this.#mix(typeof fact === "number" ? fact : this.#word(fact));
  }

  /** The last of them as lines, the heartbeats left out. */
  lines(limit: number): readonly string[] {
    if (limit === 0) return [];
    const inOrder = [...this.#last.slice(this.#next), ...this.#last.slice(0, this.#next)];
    return inOrder
      .filter((seen) => !isHeartbeat(seen))
      .slice(-limit)
      .map(logLine);
  }

  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ (value | 0), 0x0100_0193);
    this.#b = (Math.imul(this.#b ^ (value | 0), 0x85eb_ca6b) + ((value / 0x1_0000_0000) | 0)) | 0;
    this.#b ^= this.#b >>> 13;
  }

  /** Names and kinds come again and again. Others, a worker's random instance, are few. */
  #word(text: string): number {
    let hash = this.#words.get(text);
    if (hash !== undefined) return hash;
    hash = 0x811c_9dc5;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
    if (this.#words.size < 10_000) this.#words.set(text, hash);
    return hash;
  }
}

function isHeartbeat(seen: Observation): boolean {
  if (seen.kind !== "sent" && seen.kind !== "delivered") return false;
  return seen.messages?.every(({ type }) => type === "PING" || type === "PONG") ?? false;
}
