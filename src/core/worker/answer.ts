/** The message that answers an attempt, made of what came of it and of what both ends speak. */
import type { RemoteError } from "../errors.ts";
import { withoutStacks } from "../protocol/error-details.ts";
import type { JobErrorMessage, JobFailedMessage, JobResultMessage, RejectMessage } from "../protocol/message.ts";
import type { AttachmentKind } from "../peer.ts";
import { type ExecutionResult, fit } from "./execution.ts";
import type { RelayFailure } from "./job-relay.ts";

/** What an answer must keep to. */
export interface AnswerTerms {
  readonly attemptId: number;
  /** What the handler took, in ms; absent: not to be told. */
  readonly durationMs: number | undefined;
  /** The largest result the runner takes, in bytes. */
  readonly maxPayload: number;
  /** What stands apart from a result on the way. */
  readonly attachments: AttachmentKind | undefined;
  /** Whether both ends speak the feature `relay`. */
  readonly speaksRelay: boolean;
  /** Whether both ends speak the feature `details`. */
  readonly speaksDetails: boolean;
  /** Whether this end sends stacks. */
  readonly remoteStacks: boolean;
}

type Answer = JobResultMessage | JobErrorMessage | JobFailedMessage | RejectMessage;

/** The answer. What cannot be sent as it is fails the job instead of the connection. */
export function answerTo(result: ExecutionResult, terms: AnswerTerms): Answer {
  const { attemptId, durationMs, speaksRelay } = terms;
  if ("reject" in result) {
    const reason = result.reject === "unfit" && !speaksRelay ? "overloaded" : result.reject;
    return { type: "REJECT", attemptId, reason };
  }
  if ("failure" in result) {
    if (speaksRelay) return { type: "FAILED", attemptId, ...result.failure };
    return jobError(terms, asError(result.failure), true, 0, undefined);
  }
  const fitting = result.ok ? fit(result, terms) : result;
  const path = speaksRelay && "path" in result ? result.path : undefined;
  if (!fitting.ok) return jobError(terms, fitting.error, fitting.retryable, fitting.retryAfter, path);
  const answer = { type: "JOBRES", attemptId, value: fitting.value, durationMs } as const;
  if (path === undefined && fitting.endsStream !== true) return answer;
  return { ...answer, ...(path === undefined ? {} : { path }), ...streamEnd(fitting.endsStream) };
}

/** What a stream took is the reader's time as well: it is not told. */
function streamEnd(endsStream: boolean | undefined): Partial<JobResultMessage> {
  return endsStream === true ? { endsStream, durationMs: undefined } : {};
}

function jobError(
  { attemptId, durationMs, remoteStacks, speaksDetails }: AnswerTerms,
  given: RemoteError,
  retryable: boolean,
  retryAfter: number,
  path: string | undefined,
): JobErrorMessage {
  const told = remoteStacks ? given : withoutStacks(given);
  const error = speaksDetails ? told : withoutDetails(told);
  const answer = { type: "JOBERR", attemptId, error, retryable, retryAfter, durationMs } as const;
  return path === undefined ? answer : { ...answer, path };
}

function withoutDetails({ name, message, code, stack }: RemoteError): RemoteError {
  return { name, message, code, stack };
}

/** For a runner that knows nothing of relays: it may try elsewhere. */
function asError({ code, text }: RelayFailure): RemoteError {
  const [name, kind] = ERRORS[code];
  return { name, message: text, code: kind, stack: "" };
}

const ERRORS: Readonly<Record<RelayFailure["code"], readonly [name: string, code: string]>> = {
  lost: ["WorkerLostError", "WORKER_LOST"],
  bystander: ["WorkerLostError", "WORKER_LOST"],
  maxQueue: ["QueueFullError", "QUEUE_FULL"],
  maxQueueBytes: ["QueueFullError", "QUEUE_FULL"],
  acquire: ["TimeoutError", "TIMEOUT"],
  queue: ["TimeoutError", "TIMEOUT"],
  encoding: ["EncodingError", "ENCODING"],
};
