/** `powerhose status`: asks a run that listens how it is. What it answers is status-report.ts. */
import { codeOf, CommandError, usage, wordsOf } from "./faults.ts";
import type { FlagRules, Flags } from "./flags.ts";
import { isLoopback } from "./listen-place.ts";
import { isStatusReport, type StatusReport, statusTable } from "./status-report.ts";

/** The options of `status`. */
export const STATUS_FLAGS: FlagRules = {
  token: { type: "string" },
  json: { type: "boolean" },
  "allow-insecure": { type: "boolean" },
  help: { type: "boolean", short: "h" },
};

const PATIENCE = 5_000; // ms

/** The address to ask: what a worker dials is accepted too. */
function statusUrl(text: string, allowInsecure: boolean): URL {
  if (!URL.canParse(text)) throw usage("expected a URL such as ws://127.0.0.1:7070/, got something that is not one");
  const url = new URL("/status", text.replace(/^ws(s?):/, "http$1:"));
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw usage(`expected a ws: or http: URL, got ${url.protocol}`);
  if (url.protocol === "http:" && !allowInsecure && !isLoopback(url.hostname)) {
    throw usage(
      `${url.origin}: refusing to send a token in the clear to another machine; use wss:, or --allow-insecure`,
    );
  }
  return url;
}

function unreachable(url: URL, error: unknown): CommandError {
  const cause = error instanceof Error ? error.cause : undefined;
  const why =
    codeOf(cause) === "ECONNREFUSED" ? "nobody listens there" : wordsOf(cause instanceof Error ? cause : error);
  return new CommandError(`cannot ask ${url.origin}: ${why}`, undefined, { cause: error });
}

async function ask(url: URL, token: string | undefined): Promise<StatusReport> {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  let status: number;
  let body: unknown;
  try {
    const response = await fetch(url, { headers, redirect: "error", signal: AbortSignal.timeout(PATIENCE) });
    status = response.status;
    body = status === 200 ? await response.json() : await response.text();
  } catch (error) {
    throw unreachable(url, error);
  }
  if (status === 401) throw new CommandError(`${url.origin} wants a valid token: pass --token or set POWERHOSE_TOKEN`);
  if (status !== 200 || !isStatusReport(body)) {
    throw new CommandError(`${url.origin} is not a powerhose run (HTTP ${status})`);
  }
  return body;
}

/** Asks, and returns what to print. Rejects with CommandError when there is no answer or none that makes sense. */
export async function askStatus(flags: Flags): Promise<string> {
  const [address, ...rest] = flags.operands;
  if (address === undefined) throw usage("say whom to ask, such as ws://127.0.0.1:7070/");
  if (rest.length > 0) throw usage(`unexpected ${rest.join(" ")}: one run at a time`);
  const url = statusUrl(address, flags.has("allow-insecure"));
  const report = await ask(url, flags.text("token", "POWERHOSE_TOKEN"));
  return flags.has("json") ? JSON.stringify(report) : statusTable(report);
}
