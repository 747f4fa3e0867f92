/** Streams and progress in the model of the wire: what an attempt's messages do to its credit, and which of them break the rules. */
import type {
  CancelledMessage,
  CreditMessage,
  InputEndMessage,
  InputMessage,
  ItemMessage,
  ProgressMessage,
} from "../../core/protocol/message.ts";
import { wirePayloadBytes } from "../../core/protocol/codec.ts";
import { ITEM_COST } from "../../core/protocol/constants.ts";
import type { WireAnswer, WireAttempt } from "./wire.ts";

/** What a worker says of streams and progress. */
export type WorkerPart = ItemMessage | ProgressMessage | CreditMessage;

/** Takes in what a worker sent. Returns what is wrong with it, if anything is. */
export function workerPart(attempt: WireAttempt, message: WorkerPart): string | undefined {
  if (attempt.begunAt === undefined) return `${message.type} of a job that waits`;
  switch (message.type) {
    case "PROGRESS":
      return attempt.wantsProgress ? undefined : "progress that was not asked for";
    case "CREDIT":
      if (!attempt.hasInput) return "credit of a job that reads no stream";
      attempt.readsInput = true;
      if (attempt.inputCredit !== undefined) attempt.inputCredit += message.bytes;
      return undefined;
    case "ITEM":
      if ((attempt.credit ?? 0) <= 0) return "an item without credit";
      attempt.credit = (attempt.credit ?? 0) - wirePayloadBytes(message.value) - ITEM_COST;
      attempt.hasItems = true;
      return undefined;
  }
}

/** Takes in what a runner sent. Returns whether its worker had asked for it. */
export function runnerPart(attempt: WireAttempt, message: InputMessage | InputEndMessage): boolean {
  const { inputCredit } = attempt;
  if (inputCredit === undefined) return false;
  if (message.type === "INPUTEND") {
    attempt.inputCredit = undefined;
    return attempt.readsInput;
  }
  attempt.inputCredit = inputCredit - wirePayloadBytes(message.value) - ITEM_COST;
  return inputCredit > 0;
}

/** What is wrong with an answer to a job that has streams, if anything is. */
export function answerFault(attempt: WireAttempt, message: WireAnswer | CancelledMessage): string | undefined {
  const { credit, hasItems, readsInput } = attempt;
  if (message.type === "REJECT" && (hasItems || readsInput)) return "a job handed back that had begun";
  if (message.type !== "JOBRES") return undefined;
  if (message.endsStream === true) return credit === undefined ? "the end of a stream that is not taken" : undefined;
  return hasItems ? "a result after items" : undefined;
}
