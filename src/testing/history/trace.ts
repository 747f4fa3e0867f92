/**
 * What happened in one simulated world: a hash of all observations, by which two runs are compared, and the last of them for
 * the log. It judges nothing.
 */
import type { Message } from "../../core/protocol/message.ts";
import type { Payload } from "../../core/peer.ts";
import { logLine, logLines, textProperty } from "./format.ts";
import type { NumberedEvent, Observation } from "./observation.ts";

const FNV_BASIS = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;
/** How many observations are kept for the log. */
const MAX_KEPT = 400;
/** How many more, from the first, are kept of a run that is compared with another. */
const MAX_KEPT_TO_COMPARE = 10_000;
/** How many steps of the hash are kept to find where two runs part: 8 MB of numbers at most. */
const MAX_STEPS = 1_000_000;

/** Everything of an observation that has to be the same on every engine: of errors the name and no text, and times to the microsecond. */
function facts(seen: Observation): readonly (number | string)[] {
  switch (seen.kind) {
    case "sent":
    case "delivered":
      return [seen.connection, seen.from, seen.bytes, ...(seen.messages ?? []).flatMap(messageFacts)];
    case "opened":
      return [seen.connection, seen.from, seen.to];
    case "closed":
      return [seen.connection, seen.machine, seen.byItself ? 1 : 0, seen.reason.code];
    case "recalled":
      return [seen.connection, seen.from, seen.attemptId];
    case "runner":
      return [seen.machine, ...eventFacts(seen.event)];
    case "worker":
      return [seen.machine, seen.event.type, seen.event.type === "worker-state" ? seen.event.state : ""];
    case "submitted":
      return [seen.machine, seen.jobId];
    case "relayed":
      return [seen.machine, seen.jobId, seen.name];
    case "settled":
      return [seen.machine, seen.jobId ?? -1, ...outcomeFacts(seen.outcome)];
    case "drain":
      return [seen.machine, seen.queued];
    case "yielded":
      return [seen.machine, seen.map, seen.index];
    case "handler-started":
      return [seen.machine, seen.life, seen.jobId, seen.attempt];
    case "handler-ended":
      return [seen.machine, seen.run, ...(seen.value === undefined ? [-1] : contents(seen.value))];
    case "fault":
      return [seen.fault, seen.target];
    case "machine":
      return [seen.machine, seen.life, seen.state];
    case "note":
      return [seen.text];
  }
}

type Outcome = Extract<Observation, { kind: "settled" }>["outcome"];

function outcomeFacts(outcome: Outcome): readonly (number | string)[] {
  return outcome.ok ? [1, ...contents(outcome.value)] : [0, textProperty(outcome.error, "name") ?? ""];
}

/** What a payload holds, as two numbers: they are mixed in, and the payload itself is not kept. */
function contents(payload: Payload): readonly [length: number, hash: number] {
  let hash = FNV_BASIS;
  if (typeof payload === "string") return [payload.length, hashOf(payload)];
  for (const byte of payload) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return [payload.length, ~hash]; // bytes are not the text of the same codes
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = FNV_BASIS;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash;
}

function messageFacts(message: Message): readonly (number | string)[] {
  switch (message.type) {
    case "JOB":
      return [
        message.type,
        message.attemptId,
        message.jobId,
        message.attempt,
        ...contents(message.job.head),
        ...contents(message.job.data),
      ];
    case "JOBRES":
    case "ITEM":
    case "INPUT":
    case "PROGRESS":
      return [message.type, message.attemptId, ...contents(message.value)];
    case "CREDIT":
      return [message.type, message.attemptId, message.bytes];
    case "JOBERR":
      return [message.type, message.attemptId, message.error.name];
    case "INPUTEND":
    case "CANCELLED":
    case "WAITING":
    case "STARTED":
      return [message.type, message.attemptId];
    case "REJECT":
    case "CANCEL":
      return [message.type, message.attemptId, message.reason];
    case "FAILED":
      return [message.type, message.attemptId, message.code, message.path];
    case "CAPACITY":
      return [message.type, message.capacity, ...message.labels];
    case "HELLO":
      return [message.type, message.identity, message.instance, message.capacity];
    default:
      return [message.type];
  }
}

function eventFacts(event: NumberedEvent): readonly (number | string)[] {
  if (event.type === "job-settled")
    return [event.type, event.jobId, event.ok ? 1 : 0, textProperty(event.error, "name") ?? ""];
  if ("jobId" in event) return [event.type, event.jobId];
  if ("identity" in event) return [event.type, event.identity, event.type === "worker-gone" ? event.reason : ""];
  return [event.type, event.type === "runner-state" ? event.state : ""];
}

/** A running record. */
export class Trace {
  readonly #last: Observation[] = [];
  /** Which observation each of the last is, from 0. */
  readonly #places: number[] = [];
  readonly #first: Observation[] = [];
  readonly #steps: number[] = [];
  readonly #words = new Map<string, number>();
  #comparable = false;
  #next = 0;
  #count = 0;
  #a = FNV_BASIS;
  #b = 0x9e37_79b9;

  /** How many observations there were. */
  get count(): number {
    return this.#count;
  }

  /** All of them as 16 hexadecimal digits: equal for equal runs. */
  get hash(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** From now on keeps what comes first, too, so that {@link Trace.lineAt} can show where two runs part. */
  keepFirst(): void {
    this.#comparable = true;
  }

  /** Takes one in. */
  add(seen: Observation): void {
    if (this.#comparable && this.#count < MAX_KEPT_TO_COMPARE) this.#first[this.#count] = seen;
    if (!isHeartbeat(seen)) {
      this.#last[this.#next] = seen;
      this.#places[this.#next] = this.#count;
      this.#next = (this.#next + 1) % MAX_KEPT;
    }
    this.#mix(Math.round(seen.at * 1_000));
    this.#mix(this.#word(seen.kind));
    for (const fact of facts(seen)) this.#mix(typeof fact === "number" ? fact : this.#word(fact));
    if (this.#count < MAX_STEPS) this.#steps.push(this.#a);
    this.#count++;
  }

  /** The last of them as lines, the heartbeats left out. */
  lines(limit: number): readonly string[] {
    if (limit === 0) return [];
    const inOrder = [...this.#last.slice(this.#next), ...this.#last.slice(0, this.#next)];
    return logLines(inOrder.slice(-limit));
  }

  /** Which observation, from 0, is the first that is another one in the other run; `undefined` when none is found. */
  partsFrom(other: Trace): number | undefined {
    const [mine, others] = [this.#steps, other.#steps];
    const length = Math.max(mine.length, others.length);
    for (let place = 0; place < length; place++) if (mine[place] !== others[place]) return place;
    return undefined;
  }

  /** One observation as a line, by its number from 0; `undefined` when there was none, or it was not kept. */
  lineAt(place: number): string | undefined {
    const seen = this.#first[place] ?? this.#last[this.#places.indexOf(place)];
    return seen === undefined ? undefined : logLine(seen);
  }

  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ (value | 0), FNV_PRIME);
    this.#b = (Math.imul(this.#b ^ (value | 0), 0x85eb_ca6b) + ((value / 0x1_0000_0000) | 0)) | 0;
    this.#b ^= this.#b >>> 13;
  }

  /** Names and kinds come again and again. Others, a worker's random instance, are few. */
  #word(text: string): number {
    let hash = this.#words.get(text);
    if (hash !== undefined) return hash;
    hash = hashOf(text);
    if (this.#words.size < 10_000) this.#words.set(text, hash);
    return hash;
  }
}

function isHeartbeat(seen: Observation): boolean {
  if (seen.kind !== "sent" && seen.kind !== "delivered") return false;
  return seen.messages?.every(({ type }) => type === "PING" || type === "PONG") ?? false;
}
