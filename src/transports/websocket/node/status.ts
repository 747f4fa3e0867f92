/**
 * `GET status` of a listener: what its owner reports, as JSON, for those that could also connect as a worker and for no web
 * page. Who that is, is decided in admission.ts.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { systemClock } from "../../../core/time/system.ts";
import type { Refusal, Decision } from "./admission.ts";

/** Answers under way at a time: each holds a report until its reader has taken it. */
const MAX_ANSWERS = 4;
/** How long a reader may take, in ms. */
const ANSWER_TIMEOUT = 30_000;

const TEXT = { "Content-Type": "text/plain", Connection: "close" };
const JSON_HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store", Connection: "close" };

/** What the status needs to know of a request. */
export interface StatusContext {
  /** Makes the report. May throw. */
  report(): unknown;
  /** Whether the status may be told to the sender of a request. */
  judgeStatus(request: IncomingMessage): Decision | Promise<Decision>;
  /** The request was refused for what it showed. */
  onRefused(request: IncomingMessage, refusal: Refusal): void;
  /** `report` has thrown. */
  onFailed(error: unknown): void;
}

/** Answers with a short text. */
export function answerText(response: ServerResponse, status: number, text: string): void {
  const login = status === 401 ? { "WWW-Authenticate": "Bearer" } : {};
  const later = status === 503 ? { "Retry-After": "1" } : {};
  const methods = status === 405 ? { Allow: "GET" } : {};
  response.writeHead(status, { ...TEXT, ...login, ...later, ...methods });
  response.end(text);
}

/** The status of one listener. */
export class StatusEndpoint {
  readonly #context: StatusContext;
  #answers = 0;

  constructor(context: StatusContext) {
    this.#context = context;
  }

  /** Answers a request for the status. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== "GET") return answerText(response, 405, "GET only\n");
    const verdict = this.#context.judgeStatus(request);
    if (verdict instanceof Promise) void verdict.then((late) => this.#decided(request, response, late));
    else this.#decided(request, response, verdict);
  }

  #decided(request: IncomingMessage, response: ServerResponse, verdict: Decision): void {
    if (response.destroyed) return;
    if ("status" in verdict) {
      this.#context.onRefused(request, verdict);
      return answerText(response, verdict.status, `${verdict.text}\n`);
    }
    if (this.#answers >= MAX_ANSWERS) return answerText(response, 503, "too many are asking\n");
    const body = this.#body();
    if (body === undefined) return answerText(response, 500, "the report failed\n");
    this.#send(response, body);
  }

  #body(): Buffer | undefined {
    try {
      return Buffer.from(`${JSON.stringify(this.#context.report() ?? null)}\n`);
    } catch (error) {
      this.#context.onFailed(error);
      return undefined;
    }
  }

  #send(response: ServerResponse, body: Buffer): void {
    this.#answers++;
    const timer = systemClock.set(ANSWER_TIMEOUT, () => response.destroy(), false);
    response.once("close", () => {
      systemClock.clear(timer);
      this.#answers--;
    });
    response.writeHead(200, { ...JSON_HEADERS, "Content-Length": body.byteLength });
    response.end(body);
  }
}
