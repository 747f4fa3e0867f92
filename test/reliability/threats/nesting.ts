/** JSON, or messages, nested without end: where it is read and where it only passes through. Row T20. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError } from "../../../src/cli/terminal/errors.ts";
import { Flags } from "../../../src/cli/terminal/flags.ts";
import { flagsOf } from "../../../src/cli/terminal/help.ts";
import { JobLog } from "../../../src/cli/run/job-log.ts";
import { askStatus, STATUS_COMMAND } from "../../../src/cli/status/status.ts";
import { decode } from "../../support/frames.ts";
import type { Finding } from "../section.ts";
import { crudeFrame } from "./crude-frame.ts";
import { all, holds, type Row, same } from "./row.ts";
import { stage } from "../../support/stage.ts";

/** The body of a CANCELLED. */
const ATTEMPT = [0, 0, 0, 0, 0, 0, 0, 1];

function nested(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}

async function depth(): Promise<readonly Finding[]> {
  const depths = [10, 1_000, 100_000, 500_000];
  await using fixture = await stage();
  await fixture.worker((job) => job.data);
  let carried = 0;
  for (const deep of depths) if ((await fixture.execute(nested(deep))).value === nested(deep)) carried++;
  const matryoshka = [1, 10, 1_000].map((deep) => outcome(() => decode(russian(deep))));
  return [
    all("depths at which JSON in a job goes through, unread", carried, depths.length),
    same("messages within messages", matryoshka, ["ProtocolError", "ProtocolError", "ProtocolError"]),
    ...(await readers(depths)),
  ];
}

/** A message whose body is a message, and so on: the format has no such thing. */
function russian(deep: number): Uint8Array {
  let frame = crudeFrame(0x15, ATTEMPT, "");
  for (let i = 0; i < deep; i++) frame = crudeFrame(0x15, [], frame);
  return frame;
}

function outcome(run: () => unknown): string {
  try {
    run();
    return "taken";
  } catch (error) {
    return error instanceof Error ? error.constructor.name : String(error);
  }
}

/** The two places that do read JSON: the log of a run, and the answer to `powerhose status`. */
async function readers(depths: readonly number[]): Promise<readonly Finding[]> {
  const answers: string[] = [];
  for (const deep of depths) {
    answers.push(await logOutcome(`{"index":${nested(Math.min(deep, 32_000))}}\n`));
    answers.push(await logOutcome(`${nested(Math.min(deep, 32_000))}\n`));
    answers.push(await statusOutcome(nested(deep), []));
    answers.push(
      await statusOutcome(report(nested(deep), "0"), []),
      await statusOutcome(report("[]", nested(deep)), []),
    );
  }
  const passedOn = await statusOutcome(report("[]", "0"), ["--json"]);
  return [
    same("deep JSON beside a report, as `status --json` passes it on", passedOn.includes("[["), false),
    holds(
      "deep JSON as the log of a run, and as the answer to `status`",
      answers.every((one) => one === "CommandError"),
      [...new Set(answers)].join(),
      "CommandError",
    ),
  ];
}

/** What a run would answer, but with labels or a count that are something else, and something deep besides. */
function report(labels: string, backoff: string): string {
  const worker = `{"identity":"a","transport":"t","address":"b","state":"idle","capacity":1,"inFlight":0,"served":0,"ageMs":0,"labels":${labels}}`;
  return `{"state":"started","uptimeMs":0,"jobsPerSecond":0,"read":0,"succeeded":0,"failed":0,"queued":0,"running":0,"backoff":${backoff},"retries":0,"capacity":1,"workers":[${worker}],"more":${nested(20_000)}}`;
}

async function logOutcome(text: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "powerhose-"));
  try {
    const path = join(folder, "log");
    writeFileSync(path, text);
    (await JobLog.open(path, true, [])).close();
    return "taken";
  } catch (error) {
    return error instanceof CommandError ? "CommandError" : String(error);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function statusOutcome(body: string, options: readonly string[]): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(body);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  try {
    return await askStatus(new Flags([`http://127.0.0.1:${port}/`, ...options], flagsOf(STATUS_COMMAND), {}));
  } catch (error) {
    return error instanceof CommandError ? "CommandError" : String(error);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** What is nested. */
export const nestingRows: readonly Row[] = [
  { name: "T20", threat: "JSON, or anything, nested without end", check: depth },
];
