/** Observations, errors and values as text for people: when, where, what. See report.ts for the text around them. */
import type { WorkerEvent } from "../../core/events.ts";
import type { Message } from "../../core/protocol/message.ts";
import type { Payload } from "../../core/peer.ts";
import type { ClosedObservation, NumberedEvent, Observation, Observed } from "./observation.ts";

/** Longer data is cut: a log is read, not parsed. */
const MAX_DATA = 40;

/** Everything a log must not do to a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Characters for the name of a machine: most logs line up, and one long name moves no line far. */
const [MIN_WIDTH, MAX_WIDTH]: readonly [number, number] = [9, 40];

/** A text with nothing in it that moves a cursor or begins a line. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "�");
}

/** A time in ms for people: `3,012.4 ms`. */
export function formatTime(ms: number): string {
  return `${ms.toFixed(1).replace(/\B(?=(\d{3})+\.)/g, ",")} ms`;
}

/** A job's data or a text as a log shows it: in quotes, cut, and with nothing in it that moves a cursor. */
export function formatPayload(payload: Payload): string {
  if (typeof payload !== "string") return `${payload.byteLength} bytes`;
  const shown = payload.length > MAX_DATA ? `${payload.slice(0, MAX_DATA)}…` : payload;
  return JSON.stringify(printable(shown));
}

function messageText(one: Message): string {
  switch (one.type) {
    case "JOB":
      return `JOB ${one.attemptId} (job ${one.jobId}, attempt ${one.attempt}) ${formatPayload(one.job.data)}`;
    case "JOBRES":
    case "ITEM":
    case "INPUT":
    case "PROGRESS":
      return `${one.type} ${one.attemptId} ${formatPayload(one.value)}`;
    case "CREDIT":
      return `CREDIT ${one.attemptId} ${one.bytes} bytes`;
    case "JOBERR":
      return `JOBERR ${one.attemptId} ${one.error.name}: ${formatPayload(one.error.message)}`;
    case "REJECT":
    case "CANCEL":
      return `${one.type} ${one.attemptId} ${one.reason}`;
    case "INPUTEND":
    case "CANCELLED":
    case "WAITING":
    case "STARTED":
      return `${one.type} ${one.attemptId}`;
    case "FAILED":
      return `FAILED ${one.attemptId} ${one.code} ${formatPayload(one.path)}`;
    case "CAPACITY":
      return `CAPACITY ${one.capacity}`;
    case "HELLO":
      return `HELLO ${formatPayload(one.identity)} capacity ${one.capacity}`;
    case "ERROR":
      return `ERROR ${one.code} ${formatPayload(one.text)}`;
    case "GOAWAY":
      return `GOAWAY ${one.reason}`;
    default:
      return one.type;
  }
}

function messagesText(list: readonly Message[] | undefined): string {
  if (list === undefined) return "a malformed frame";
  const [first, second] = list;
  if (first === undefined) return "an empty frame";
  if (second === undefined) return messageText(first);
  const more = list.length > 2 ? ` … ${list.length} messages` : "";
  return `${messageText(first)} + ${messageText(second)}${more}`;
}

function errorText(error: unknown): string {
  const name = textProperty(error, "name");
  const words = textProperty(error, "message");
  return name === undefined || words === undefined
    ? formatPayload(formatThrown(error))
    : `${printable(name)}: ${formatPayload(words)}`;
}

function runnerEventText(event: NumberedEvent): string {
  switch (event.type) {
    case "worker-joined":
      return `${formatPayload(event.identity)} joined, capacity ${event.capacity}`;
    case "worker-gone":
      return `${formatPayload(event.identity)} is gone: ${event.reason}, ${formatPayload(event.message)}, ${event.inFlight} in flight`;
    case "job-started":
      return `job ${event.jobId} attempt ${event.attempt} goes to ${formatPayload(event.identity)}`;
    case "job-retried":
      return `job ${event.jobId} is tried again in ${Math.round(event.after)} ms (${event.outcome})`;
    case "job-settled":
      return `job ${event.jobId} ${event.ok ? "succeeded" : `failed: ${errorText(event.error)}`}`;
    case "runner-state":
      return `is ${event.state}`;
    case "worker-refused":
      return `refused a worker: ${formatPayload(event.message)}`;
    case "dial-failed":
    case "listener-error":
      return `${event.type}: ${errorText(event.error)}`;
    case "worker-resized":
      return `${formatPayload(event.identity)} has capacity ${event.capacity} now`;
    case "worker-suspect":
    case "worker-recovered":
    case "worker-draining":
      return `${event.type} ${formatPayload(event.identity)}`;
  }
}

function workerEventText(event: WorkerEvent): string {
  if (event.type === "worker-state") return `is ${event.state}`;
  if (event.type === "disconnected") return `has no connection: ${event.reason}, ${formatPayload(event.message)}`;
  // Its number alone: the runner's name before it is 32 digits that are on no other line.
  return `served job ${event.jobId.slice(event.jobId.lastIndexOf(":") + 1)}`;
}

function closedText({ connection, byItself, reason }: ClosedObservation): string {
  return `connection ${connection} ${byItself ? "closed" : `lost: ${reason.message}`}`;
}

/** Where it happened, and what. */
function parts(seen: Observed): readonly [where: string, what: string] {
  switch (seen.kind) {
    case "sent":
      return [seen.from, `→ ${seen.to}  ${messagesText(seen.messages)}`];
    case "delivered":
      return [seen.to, `← ${seen.from}  ${messagesText(seen.messages)}`];
    case "opened":
      return [seen.from, `connected to ${seen.to} (connection ${seen.connection})`];
    case "closed":
      return [seen.machine, closedText(seen)];
    case "recalled":
      return [seen.from, `takes attempt ${seen.attemptId} back from ${seen.to}, in shared memory`];
    case "runner":
      return [seen.machine, runnerEventText(seen.event)];
    case "worker":
      return [seen.machine, workerEventText(seen.event)];
    case "submitted":
    case "relayed":
      return [seen.machine, `job ${seen.jobId} ${seen.kind}`];
    case "settled":
      return [seen.machine, `the caller of job ${seen.jobId ?? "?"} has ${outcomeText(seen.outcome)}`];
    case "drain":
      return [seen.machine, `drains; what has not started is ${seen.queued === "run" ? "run" : "rejected"}`];
    case "yielded":
      return [seen.machine, `map ${seen.map} hands over outcome ${seen.index}`];
    case "handler-started":
      return [seen.machine, `handler run ${seen.run} begins, attempt ${seen.attempt}`];
    case "handler-ended":
      return [
        seen.machine,
        `handler run ${seen.run} ${seen.value === undefined ? "threw" : `returned ${formatPayload(seen.value)}`}`,
      ];
    case "fault":
      return ["***", `${seen.fault}: ${seen.target}`];
    case "machine":
      return [seen.machine, `${seen.role} is ${seen.state}${seen.life > 1 ? ` (start ${seen.life})` : ""}`];
    case "note":
      return ["note", seen.text];
  }
}

function outcomeText(settled: Extract<Observed, { kind: "settled" }>["outcome"]): string {
  return settled.ok ? `its value ${formatPayload(settled.value)}` : `its error ${errorText(settled.error)}`;
}

/** `   3,012.4 ms  w1        → runner  JOBRES 3 "84"`, the names in columns of one width. */
export function logLines(all: readonly Observation[]): readonly string[] {
  const told = all.map((seen) => ({ at: seen.at, parts: parts(seen) }));
  const width = told.reduce((most, { parts: [where] }) => Math.max(most, where.length), MIN_WIDTH);
  return told.map(({ at, parts: [where, what] }) =>
    printable(`${formatTime(at).padStart(15)}  ${where.padEnd(Math.min(width, MAX_WIDTH))} ${what}`),
  );
}

/** One alone, as {@link logLines} has it. */
export function logLine(seen: Observation): string {
  return logLines([seen]).join("");
}

/** A property that is a text, or `undefined`. */
export function textProperty(value: unknown, key: string): string | undefined {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  try {
    const found: unknown = Reflect.get(value, key);
    return typeof found === "string" ? found : undefined;
  } catch {
    return undefined; // a getter or a proxy that throws
  }
}

/** `TypeError: two is one too many`; of what is no error what there is to say of it. */
export function formatThrown(error: unknown): string {
  const message = textProperty(error, "message");
  const name = textProperty(error, "name") ?? "";
  if (message !== undefined) return [name, message].filter((part) => part !== "").join(": ");
  try {
    const words = String(error);
    const shown: unknown = words === "[object Object]" ? JSON.stringify(error) : words;
    return String(shown); // a `toJSON` may have nothing to say
  } catch {
    return `something of type ${typeof error}`; // no prototype, a `toString` that throws, a circle
  }
}

/** A wrong argument, named in the message that refuses it: `true`, `"x"`, `a promise`. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (typeof value === "function") return "a function";
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return "an array";
  return "then" in value ? "a promise" : formatThrown(value).slice(0, 80);
}
