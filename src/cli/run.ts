/**
 * `powerhose run`: lines in, jobs, results out. Puts source, fleet, log and writer together and decides how a run ends; how
 * each of them works is in its own file.
 */
import { type AttemptRecord, type Outcome, RunnerStoppedError } from "../index.ts";
import { asError, type CommandError, EXIT } from "./faults.ts";
import type { Environment } from "./flags.ts";
import { Interrupts } from "./interrupts.ts";
import { JobLog } from "./job-log.ts";
import { type JobLine, JobSource } from "./job-source.ts";
import type { Notices } from "./notices.ts";
import { badLine, type FailureText, failureText, jsonRecord, type Result } from "./outcome-text.ts";
import { progressLine, type ProgressStyle } from "./progress.ts";
import { Rate } from "./rate.ts";
import { ResultWriter, type WriterOwner } from "./result-writer.ts";
import { type FleetOwner, RunFleet } from "./run-fleet.ts";
import type { RunSettings } from "./run-options.ts";
import { type StatusReport, statusReport } from "./status-report.ts";
import { summary } from "./summary.ts";
import { Tally } from "./tally.ts";

/** The host's side of a command. */
export interface CommandHost {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly env: Environment;
  /** Ends the process at once. */
  exit(code: number): never;
}

/** Failures told one by one; of the others only the number. */
const TOLD = 10;
const SAMPLE = 250; // ms between looks at the count

/** Why a run ends before its input does. */
type Ending = "interrupted" | "fail-fast" | "unread" | "fault";

/** One run. */
export class Run implements FleetOwner, WriterOwner {
  readonly #settings: RunSettings;
  readonly #host: CommandHost;
  readonly #notices: Notices;
  readonly #fleet: RunFleet;
  readonly #source: JobSource;
  readonly #writer: ResultWriter;
  readonly #tally = new Tally();
  readonly #since: number = performance.now();
  readonly #rate = new Rate(this.#since);
  #log: JobLog | undefined;
  #ending: Ending | undefined;
  #fault: Error | undefined;
  /** Jobs that were not run, whose empty lines are due if a later one was. */
  #gaps = 0;
  #unfinished = 0;

  constructor(settings: RunSettings, host: CommandHost, notices: Notices) {
    this.#settings = settings;
    this.#host = host;
    this.#notices = notices;
    this.#source = new JobSource({
      inputs: settings.inputs,
      stdin: host.stdin,
      terminator: settings.terminator,
      json: settings.json,
      longest: settings.maxPayload,
      skip: (index, text) => this.#log?.has(index, text) ?? false,
    });
    this.#fleet = new RunFleet(settings, notices, this);
    this.#writer = new ResultWriter(host.stdout, this);
  }

  /** Runs until the input has ended or something ends it. Resolves to the exit code; rejects with what went wrong. */
  async go(): Promise<number> {
    const { joblog, resume } = this.#settings;
    const interrupts = new Interrupts(
      () => this.#drain(),
      () => this.#abort(),
    );
    const sampler = setInterval(() => this.#rate.note(performance.now(), this.#tally.done), SAMPLE);
    sampler.unref();
    try {
      if (joblog !== undefined) this.#log = await JobLog.open(joblog, resume);
      await this.#fleet.start();
      this.#notices.showProgress((columns, style) => this.#progress(columns, style));
      await this.#pump();
      await this.#writer.flush();
    } finally {
      clearInterval(sampler);
      this.#notices.endProgress();
      interrupts.release();
      this.#source.stop();
      await this.#fleet.stop();
      this.#log?.close();
    }
    return this.#finish();
  }

  jobFailed(): void {
    this.#end("fail-fast");
  }

  forsaken(fault: CommandError): void {
    this.#fault ??= fault;
    this.#end("fault");
  }

  report(): StatusReport {
    const now = performance.now();
    return statusReport(this.#fleet.runner.stats(), {
      uptimeMs: Math.round(now - this.#since),
      jobsPerSecond: this.#rate.perSecond(now, this.#tally.done),
      read: this.#source.lines,
    });
  }

  writing(): void {
    // A terminal shows both: the bar must not be in the way of the results.
    if (this.#host.stdout.isTTY) this.#notices.clear();
  }

  written(receipts: string): void {
    try {
      this.#log?.append(receipts);
    } catch (error) {
      this.#fault ??= asError(error);
      this.#end("fault");
    }
  }

  broken(fault: CommandError | undefined): void {
    this.#fault ??= fault;
    this.#end(fault === undefined ? "unread" : "fault");
  }

  async #pump(): Promise<void> {
    const { runner } = this.#fleet;
    try {
      for await (const outcome of runner.map(this.#source, { ordered: this.#settings.ordered })) {
        const full = this.#settle(this.#source.take(outcome.index), outcome);
        if (full !== undefined) await full;
      }
    } catch (error) {
      // What was taken from the runner ends the input; why is known already.
      if (this.#ending !== undefined && error instanceof RunnerStoppedError) return;
      this.#fault ??= asError(error);
    }
  }

  /** Counts, tells and writes one outcome. */
  #settle(line: JobLine, outcome: Outcome<string>): Promise<void> | undefined {
    const { attempts } = outcome;
    if (!outcome.ok && line.fault === undefined && this.#wasNotRun(outcome.error)) {
      this.#gaps++;
      this.#unfinished++;
      return undefined;
    }
    this.#tally.count(outcome.ok, attempts);
    if (outcome.ok) return this.#write(line, outcome.value, undefined, attempts);
    const error = line.fault === undefined ? failureText(outcome.error) : badLine(line.fault);
    this.#tell(line, error);
    if (this.#settings.failFast) this.#end("fail-fast");
    return this.#write(line, undefined, error, attempts);
  }

  /** Jobs the end of the run took back are neither done nor failed. */
  #wasNotRun(error: unknown): boolean {
    return this.#ending !== undefined && error instanceof RunnerStoppedError;
  }

  #write(
    line: JobLine,
    value: Result["value"],
    error: FailureText | undefined,
    attempts: readonly AttemptRecord[],
  ): Promise<void> | undefined {
    const result: Result = { index: line.index, value, error, attempts };
    const receipt = this.#log?.record(result, line.text) ?? "";
    const { output, ordered, terminator } = this.#settings;
    if (output === "jsonl") return this.#writer.put(jsonRecord(result), "\n", receipt);
    const end = terminator === "null" ? "\0" : "\n";
    // In order, line N of the output belongs to line N of the input, also when some jobs have nothing to say.
    const missing = ordered ? end.repeat(this.#gaps) : "";
    this.#gaps = 0;
    if (missing !== "") void this.#writer.put(missing, "", "");
    if (value !== undefined) return this.#writer.put(value, end, receipt);
    return this.#writer.put("", ordered ? end : "", receipt);
  }

  #tell({ input, line }: JobLine, { name, message, code }: FailureText): void {
    if (this.#tally.failed === TOLD + 1) this.#notices.say("more jobs failed; the others are only counted");
    if (this.#tally.failed > TOLD) return;
    // What a handler threw says its own name.
    const words = code === "EXECUTION" ? message : `${name}: ${message}`;
    this.#notices.say(`${input === "-" ? "stdin" : input}:${line}: ${words}`);
  }

  /** The first signal: nothing new is begun, what runs is finished. */
  #drain(): void {
    if (this.#ending !== undefined) return;
    this.#notices.say("finishing what runs; once more to stop at once");
    this.#ending = "interrupted";
    this.#source.stop();
    void this.#fleet.runner.drain({ queued: "reject", timeout: Number.POSITIVE_INFINITY });
  }

  /** The second signal. What is not written yet is lost, and not in the log. */
  #abort(): void {
    this.#notices.endProgress();
    this.#notices.say("stopped");
    this.#host.exit(EXIT.interrupted);
  }

  #end(ending: Ending): void {
    if (this.#ending !== undefined && this.#ending !== "interrupted") return;
    this.#ending = ending;
    this.#source.stop();
    void this.#fleet.runner.stop();
  }

  #progress(columns: number, style: ProgressStyle): string {
    const { done, failed } = this.#tally;
    const resumed = this.#log?.finished ?? 0;
    const expected = this.#source.expected;
    const view = {
      done,
      failed,
      expected: expected === undefined ? undefined : Math.max(done, expected - resumed),
      perSecond: this.#rate.perSecond(performance.now(), done),
      workers: this.#fleet.runner.stats().workers.length,
      ending: this.#ending === undefined ? undefined : "finishing",
    };
    return progressLine(view, columns, style);
  }

  #finish(): number {
    if (this.#ending === "unread") return EXIT.ok;
    if (this.#fault !== undefined) throw this.#fault;
    const { ok, failed, done, localMs, localAttempts, remoteAttempts, remoteMs } = this.#tally;
    const { meter, remotes } = this.#fleet;
    const numbers = {
      jobs: done,
      failed,
      resumed: done === this.#source.lines ? 0 : (this.#log?.finished ?? 0),
      wallMs: performance.now() - this.#since,
      threads: this.#settings.workers,
      remotes,
      runs: meter.runs,
      runMs: meter.ms,
      remoteRuns: remoteAttempts,
      remoteMs,
      handOverMs: localMs - meter.ms,
      localRuns: localAttempts,
    };
    for (const said of summary(numbers)) this.#notices.say(said);
    if (this.#unfinished > 0 && ok + failed > 0) this.#notices.say(`${this.#unfinished} jobs were read and not run`);
    if (this.#ending === "interrupted") return EXIT.interrupted;
    return failed > 0 ? EXIT.failed : EXIT.ok;
  }
}
