/** Observations as lines for people: when, where, what. What a failure says around them is in report.ts. */
import type { RunnerEvent, WorkerEvent } from "../../core/events.ts";
import type { Message } from "../../core/protocol/message.ts";
import type { Payload } from "../../core/peer.ts";
import { textIn, wordsOf } from "./error-words.ts";
import type { Observation, Observed } from "./observation.ts";

/** Longer data is cut: a log is read, not parsed. */
const MAX_DATA = 40;

/** Everything a log must not do to a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The least and the most room for the name of who did it: most logs line up, and one long name moves no line far. */
const [LEAST_WIDTH, MOST_WIDTH]: readonly [number, number] = [9, 40];

/** A text with nothing in it that moves a cursor or begins a line. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "�");
}

/** A time in ms for people: `3,012.4 ms`. */
export function time(ms: number): string {
  return `${ms.toFixed(1).replace(/\B(?=(\d{3})+\.)/g, ",")} ms`;
}

/** A job's data or a text as a log shows it: in quotes, cut, and with nothing in it that moves a cursor. */
export function data(payload: Payload): string {
  if (typeof payload !== "string") return `${payload.byteLength} bytes`;
  const shown = payload.length > MAX_DATA ? `${payload.slice(0, MAX_DATA)}…` : payload;
  return JSON.stringify(printable(shown));
}

function message(one: Message): string {
  switch (one.type) {
    case "JOB":
      return `JOB ${one.attemptId} (job ${one.jobId}, attempt ${one.attempt}) ${data(one.job.data)}`;
    case "JOBRES":
      return `JOBRES ${one.attemptId} ${data(one.value)}`;
    case "JOBERR":
      return `JOBERR ${one.attemptId} ${one.error.name}: ${data(one.error.message)}`;
    case "REJECT":
    case "CANCEL":
      return `${one.type} ${one.attemptId} ${one.reason}`;
    case "CANCELLED":
      return `CANCELLED ${one.attemptId}`;
    case "HELLO":
      return `HELLO ${data(one.identity)} capacity ${one.capacity}`;
    case "ERROR":
      return `ERROR ${one.code} ${data(one.text)}`;
    case "GOAWAY":
      return `GOAWAY ${one.reason}`;
    default:
      return one.type;
  }
}

function messages(list: readonly Message[] | undefined): string {
  if (list === undefined) return "a malformed frame";
  const [first, second] = list;
  if (first === undefined) return "an empty frame";
  if (second === undefined) return message(first);
  const more = list.length > 2 ? ` … ${list.length} messages` : "";
  return `${message(first)} + ${message(second)}${more}`;
}

function errorText(error: unknown): string {
  const name = textIn(error, "name");
  const words = textIn(error, "message");
  return name === undefined || words === undefined ? data(wordsOf(error)) : `${printable(name)}: ${data(words)}`;
}

function runnerEvent(event: RunnerEvent): string {
  switch (event.type) {
    case "worker-joined":
      return `${data(event.identity)} joined, capacity ${event.capacity}`;
    case "worker-gone":
      return `${data(event.identity)} is gone: ${event.reason}, ${data(event.message)}, ${event.inFlight} in flight`;
    case "job-started":
      return `job ${event.jobId} attempt ${event.attempt} goes to ${data(event.identity)}`;
    case "job-retried":
      return `job ${event.jobId} is tried again in ${Math.round(event.after)} ms (${event.outcome})`;
    case "job-settled":
      return `job ${event.jobId} ${event.ok ? "succeeded" : `failed: ${errorText(event.error)}`}`;
    case "runner-state":
      return `is ${event.state}`;
    case "worker-refused":
      return `refused a worker: ${data(event.message)}`;
    case "dial-failed":
    case "listener-error":
      return `${event.type}: ${errorText(event.error)}`;
    case "worker-suspect":
    case "worker-recovered":
    case "worker-draining":
      return `${event.type} ${data(event.identity)}`;
  }
}

function workerEvent(event: WorkerEvent): string {
  if (event.type === "worker-state") return `is ${event.state}`;
  if (event.type === "disconnected") return `has no connection: ${event.reason}, ${data(event.message)}`;
  // Its number alone: the runner's name before it is 32 digits that are on no other line.
  return `served job ${event.jobId.slice(event.jobId.lastIndexOf("-") + 1)}`;
}

/** Where it happened, and what. */
function parts(seen: Observed): readonly [where: string, what: string] {
  switch (seen.kind) {
    case "sent":
      return [seen.from, `→ ${seen.to}  ${messages(seen.messages)}`];
    case "delivered":
      return [seen.to, `← ${seen.from}  ${messages(seen.messages)}`];
    case "opened":
      return [seen.from, `connected to ${seen.to} (connection ${seen.connection})`];
    case "closed":
      return [
        seen.machine,
        `connection ${seen.connection} ${seen.byItself ? "closed" : `lost: ${seen.reason.message}`}`,
      ];
    case "runner":
      return [seen.machine, runnerEvent(seen.event)];
    case "worker":
      return [seen.machine, workerEvent(seen.event)];
    case "submitted":
      return [seen.machine, `job ${seen.jobId} submitted`];
    case "settled":
      return [seen.machine, `the caller of job ${seen.jobId ?? "?"} has ${outcome(seen.outcome)}`];
    case "drain":
      return [seen.machine, `drains; what has not started is ${seen.queued === "run" ? "run" : "rejected"}`];
    case "yielded":
      return [seen.machine, `map ${seen.map} hands over outcome ${seen.index}`];
    case "handler-started":
      return [seen.machine, `handler run ${seen.run} begins, attempt ${seen.attempt}`];
    case "handler-ended":
      return [
        seen.machine,
        `handler run ${seen.run} ${seen.value === undefined ? "threw" : `returned ${data(seen.value)}`}`,
      ];
    case "fault":
      return ["***", `${seen.fault}: ${seen.target}`];
    case "machine":
      return [seen.machine, `${seen.role} is ${seen.state}${seen.life > 1 ? ` (start ${seen.life})` : ""}`];
    case "note":
      return ["note", seen.text];
  }
}

function outcome(settled: Extract<Observed, { kind: "settled" }>["outcome"]): string {
  return settled.ok ? `its value ${data(settled.value)}` : `its error ${errorText(settled.error)}`;
}

/** `   3,012.4 ms  w1        → runner  JOBRES 3 "84"`, the names in columns of one width. */
export function logLines(all: readonly Observation[]): readonly string[] {
  const told = all.map((seen) => ({ at: seen.at, parts: parts(seen) }));
  const width = told.reduce((most, { parts: [where] }) => Math.max(most, where.length), LEAST_WIDTH);
  return told.map(({ at, parts: [where, what] }) =>
    printable(`${time(at).padStart(15)}  ${where.padEnd(Math.min(width, MOST_WIDTH))} ${what}`),
  );
}

/** One alone, as {@link logLines} has it. */
export function logLine(seen: Observation): string {
  return logLines([seen]).join("");
}
