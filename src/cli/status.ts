/** `powerhose status`: asks a run that listens how it is. What it answers is status-report.ts. */
import { codeOf, CommandError, usage, wordsOf } from "./faults.ts";
import type { Flags } from "./flags.ts";
import type { CommandSpec } from "./help.ts";
import { isLoopback } from "./listen-place.ts";
import { isStatusReport, statusJson, type StatusReport, statusTable } from "./status-report.ts";

/** The command, its options and its help. */
export const STATUS_COMMAND: CommandSpec = {
  about: "Shows the workers, the queue and the rate of a run that listens.",
  synopsis: { "powerhose status [options] <url>": "" },
  notes: "The URL is the one its workers dial, ws:// or http://.",
  options: {
    Options: {
      token: {
        value: "<secret>",
        variable: "POWERHOSE_TOKEN",
        help: "what the run wants to see; better set POWERHOSE_TOKEN",
      },
      json: { help: "for programs" },
      "allow-insecure": { help: "allow http:// to another machine" },
    },
  },
  examples: ["powerhose status ws://127.0.0.1:7070/", "powerhose status ws://127.0.0.1:7070/ --json | jq .workers"],
  exitCodes: "0 answered, 1 no answer or refused, 2 the command line is wrong",
};

const PATIENCE = 5_000; // ms, for the answer and all of its body
/** The largest answer that is read, in bytes: more is not from a run. */
const LARGEST = 1_048_576;

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
  const late = error instanceof Error && error.name === "TimeoutError";
  const words =
    codeOf(cause) === "ECONNREFUSED" ? "nobody listens there" : wordsOf(cause instanceof Error ? cause : error);
  const why = late ? `no answer within ${PATIENCE / 1_000} s` : words;
  return new CommandError(`cannot ask ${url.origin}: ${why}`, undefined, { cause: error });
}

/** The body as a report; nothing when it is too large, no JSON, or another's. */
async function reportIn(response: Response): Promise<StatusReport | undefined> {
  if (response.status !== 200 || response.body === null) return undefined;
  if (!/^application\/json\b/i.test(response.headers.get("content-type") ?? "")) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > LARGEST) return undefined;
    chunks.push(chunk);
  }
  return parsed(Buffer.concat(chunks).toString("utf8"));
}

function parsed(text: string): StatusReport | undefined {
  try {
    const report: unknown = JSON.parse(text);
    return isStatusReport(report) ? report : undefined;
  } catch {
    return undefined;
  }
}

async function ask(url: URL, token: string | undefined): Promise<StatusReport> {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const ended = new AbortController();
  try {
    const signal = AbortSignal.any([AbortSignal.timeout(PATIENCE), ended.signal]);
    const response = await fetch(url, { headers, redirect: "error", signal });
    const report = await reportIn(response);
    if (report !== undefined) return report;
    if (response.status === 401) {
      throw new CommandError(`${url.origin} wants a valid token: pass --token or set POWERHOSE_TOKEN`);
    }
    throw new CommandError(`${url.origin} is not a powerhose run (HTTP ${response.status})`);
  } catch (error) {
    throw error instanceof CommandError ? error : unreachable(url, error);
  } finally {
    // What was not read of the answer is not wanted.
    ended.abort();
  }
}

/** Asks, and returns what to print. Rejects with CommandError when there is no answer or none that makes sense. */
export async function askStatus(flags: Flags): Promise<string> {
  const [address, ...rest] = flags.operands;
  if (address === undefined) throw usage("say whom to ask, such as ws://127.0.0.1:7070/");
  if (rest.length > 0) throw usage(`unexpected ${rest.join(" ")}: one run at a time`);
  const url = statusUrl(address, flags.has("allow-insecure"));
  const report = await ask(url, flags.text("token"));
  return flags.has("json") ? statusJson(report) : statusTable(report);
}
