/**
 * Plain HTTP requests to a listener, on a server of its own or on a shared one: finds out which are for it, and answers those
 * within its limits. Who may is decided in admission.ts.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Admission, BUSY, type Refusal } from "./admission.ts";
import { beside, requestPath } from "../address.ts";
import { refuseDashboard, type DashboardEndpoint } from "./dashboard-endpoint.ts";
import { type AssetFile, serveAsset } from "../../../dashboard/assets.ts";
import { answerText, StatusEndpoint } from "./status.ts";

const PAGE_REFUSED: Refusal = { status: 403, text: "" };

/** What a listener has to answer with. */
export interface PlainContext {
  readonly path: string;
  readonly admission: Admission;
  readonly dashboard: DashboardEndpoint | undefined;
  readonly status: (() => unknown) | undefined;
  /** Making the report has failed. */
  onStatusFailed(error: unknown): void;
}

/** The plain requests of one listener, from start to stop. */
export class PlainRequests {
  readonly #context: PlainContext;
  readonly #statusPath: string;
  readonly #status: StatusEndpoint | undefined;

  constructor(context: PlainContext) {
    this.#context = context;
    this.#statusPath = beside(context.path, "status");
    const { status: report, admission } = context;
    if (report === undefined) return;
    this.#status = new StatusEndpoint({
      report,
      judgeStatus: (request) => admission.authorizeStatus(request),
      onRefused: (request, refusal) => admission.refused(request, refusal),
      onFailed: (error) => context.onStatusFailed(error),
    });
  }

  /** Answers a request for the page, a file beside it or the status; `false`, and nothing is done, when it is for none. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const status = requestPath(request) === this.#statusPath ? this.#status : undefined;
    const file = this.#context.dashboard?.find(request);
    if (status === undefined && file === undefined) return false;
    const { admission } = this.#context;
    const network = admission.networkOf(request);
    if (!admission.enter(request, network)) {
      answerText(response, BUSY.status, `${BUSY.text}\n`);
      return true;
    }
    response.once("close", () => admission.limits.leave(network));
    if (status !== undefined) status.answer(request, response);
    else if (file !== undefined) this.#servePage(request, response, file);
    return true;
  }

  #servePage(request: IncomingMessage, response: ServerResponse, file: AssetFile): void {
    const { admission } = this.#context;
    if (admission.mayLoadPage(request)) return serveAsset(request, response, file);
    admission.refused(request, PAGE_REFUSED);
    refuseDashboard(response);
  }
}
