/**
 * Plain HTTP requests to a listener, on a server of its own or on a shared one: the dashboard with its files, and `GET status`,
 * a report as JSON. Finds the requests that are for it, and answers those within its limits. Admission is in admission.ts.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { systemClock } from "../../../core/time/system.ts";
import { type Admission, BUSY, type Decision, type Refusal } from "./admission.ts";
import { beside, requestPath } from "../address.ts";
import type { DashboardEndpoint } from "./dashboard-endpoint.ts";
import { type AssetFile, serveAsset } from "../../../dashboard/assets.ts";

/** Reports under way at a time: each is held until its reader has taken it. */
const MAX_REPORTS = 4;
const REPORT_TIMEOUT_MS = 30_000;

const TEXT = { "Content-Type": "text/plain", Connection: "close" };
const JSON_HEADERS = { "Content-Type": "application/json", "Cache-Control": "no-store", Connection: "close" };
const PAGE_REFUSED: Refusal = { status: 403, text: "" };
const LOCAL_PAGE =
  "this page is for this machine alone: open it as http://127.0.0.1 or http://localhost, or set a token\n";

/** What a listener has to answer with. */
export interface PlainContext {
  readonly path: string;
  readonly admission: Admission;
  readonly dashboard: DashboardEndpoint | undefined;
  /** Makes the report. May throw. */
  readonly status: (() => unknown) | undefined;
  /** `status` has thrown. */
  onStatusFailed(error: unknown): void;
}

/** Answers with a short text. */
export function answerText(response: ServerResponse, status: number, text: string): void {
  const login = status === 401 ? { "WWW-Authenticate": "Bearer" } : {};
  const later = status === 503 ? { "Retry-After": "1" } : {};
  const methods = status === 405 ? { Allow: "GET" } : {};
  response.writeHead(status, { ...TEXT, ...login, ...later, ...methods });
  response.end(text);
}

/** The plain requests of one listener, from start to stop. */
export class PlainRequests {
  readonly #context: PlainContext;
  readonly #statusPath: string;
  #reports = 0;

  constructor(context: PlainContext) {
    this.#context = context;
    this.#statusPath = beside(context.path, "status");
  }

  /** Answers a request for the page, a file beside it or the status; `false`, and nothing is done, when it is for none. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { admission, dashboard, status } = this.#context;
    const makeReport = requestPath(request) === this.#statusPath ? status : undefined;
    const file = dashboard?.find(request);
    if (makeReport === undefined && file === undefined) return false;
    const network = admission.networkOf(request);
    if (!admission.enter(request, network)) {
      answerText(response, BUSY.status, `${BUSY.text}\n`);
      return true;
    }
    response.once("close", () => admission.limits.leave(network));
    if (makeReport !== undefined) this.#serveStatus(request, response, makeReport);
    else if (file !== undefined) this.#servePage(request, response, file);
    return true;
  }

  #servePage(request: IncomingMessage, response: ServerResponse, file: AssetFile): void {
    const { admission } = this.#context;
    if (admission.mayLoadPage(request)) return serveAsset(request, response, file);
    admission.refused(request, PAGE_REFUSED);
    response.writeHead(403, { "Content-Type": "text/plain; charset=utf-8", Connection: "close" });
    response.end(LOCAL_PAGE);
  }

  #serveStatus(request: IncomingMessage, response: ServerResponse, makeReport: () => unknown): void {
    if (request.method !== "GET") return answerText(response, 405, "GET only\n");
    const decided = (decision: Decision): void => this.#decided(request, response, decision, makeReport);
    const decision = this.#context.admission.authorizeStatus(request);
    if (decision instanceof Promise) void decision.then(decided);
    else decided(decision);
  }

  #decided(request: IncomingMessage, response: ServerResponse, decision: Decision, makeReport: () => unknown): void {
    if (response.destroyed) return;
    if ("status" in decision) {
      this.#context.admission.refused(request, decision);
      return answerText(response, decision.status, `${decision.text}\n`);
    }
    if (this.#reports >= MAX_REPORTS) return answerText(response, 503, "too many are asking\n");
    const body = this.#body(makeReport);
    if (body === undefined) return answerText(response, 500, "the report failed\n");
    this.#sendReport(response, body);
  }

  #body(makeReport: () => unknown): Buffer | undefined {
    try {
      return Buffer.from(`${JSON.stringify(makeReport() ?? null)}\n`);
    } catch (error) {
      this.#context.onStatusFailed(error);
      return undefined;
    }
  }

  #sendReport(response: ServerResponse, body: Buffer): void {
    this.#reports++;
    const timer = systemClock.set(REPORT_TIMEOUT_MS, () => response.destroy(), false);
    response.once("close", () => {
      systemClock.clear(timer);
      this.#reports--;
    });
    response.writeHead(200, { ...JSON_HEADERS, "Content-Length": body.byteLength });
    response.end(body);
  }
}
