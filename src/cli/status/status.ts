/** `powerhose status`: asks a run that listens for its report. See report.ts for the answer. */
import { describeError } from "../../core/describe-error.ts";
import { codeOf, CommandError, usage } from "../terminal/errors.ts";
import type { Flags } from "../terminal/flags.ts";
import type { CommandSpec } from "../terminal/help.ts";
import { isLoopback } from "../../transports/websocket/address.ts";
import { isStatusReport, statusJson, type StatusReport, statusTable } from "./report.ts";

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

/** How long to wait for the answer to begin, and then for each further part of it. */
const STALL_TIMEOUT_MS = 5_000;
/**
 * The largest answer that is read, in bytes: more is not from a run. 10,000 workers with 32 labels of 128 characters each
 * are 45 MB.
 */
const MAX_ANSWER_BYTES = 67_108_864;

/** Ends a request that gets nothing for {@link STALL_TIMEOUT_MS}. */
class StallTimer {
  readonly #ended = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Something arrived. */
  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#ended.abort(new CommandError(`no answer within ${STALL_TIMEOUT_MS / 1_000} s`));
    }, STALL_TIMEOUT_MS);
  }

  /** Ends the request, and whatever of the answer was not read. */
  end(): void {
    clearTimeout(this.#timer);
    this.#ended.abort();
  }
}

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
    codeOf(cause) === "ECONNREFUSED" ? "nobody listens there" : describeError(cause instanceof Error ? cause : error);
  return new CommandError(`cannot ask ${url.origin}: ${why}`, undefined, { cause: error });
}

/** The body as a report; nothing when it is too large, no JSON, or another's. */
async function reportIn(response: Response, timer: StallTimer): Promise<StatusReport | undefined> {
  if (response.status !== 200 || response.body === null) return undefined;
  if (!/^application\/json\b/i.test(response.headers.get("content-type") ?? "")) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    timer.restart();
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) return undefined;
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
  // A header takes a character a byte: what is outside ASCII goes as its UTF-8 bytes.
  const bytes = token === undefined ? undefined : Buffer.from(token, "utf8").toString("latin1");
  const headers = bytes === undefined ? {} : { Authorization: `Bearer ${bytes}` };
  const timer = new StallTimer();
  try {
    const response = await fetch(url, { headers, redirect: "error", signal: timer.signal });
    timer.restart();
    const report = await reportIn(response, timer);
    if (report !== undefined) return report;
    if (response.status === 401) {
      throw new CommandError(`${url.origin} wants a valid token: pass --token or set POWERHOSE_TOKEN`);
    }
    throw new CommandError(`${url.origin} is not a powerhose run (HTTP ${response.status})`);
  } catch (error) {
    if (error instanceof CommandError && error !== timer.signal.reason) throw error;
    throw unreachable(url, error);
  } finally {
    timer.end();
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
