/** `powerhose run`: lines in, results out. Puts source, workers, log and writer together and decides how a run ends. */
import { describeError } from "../../core/describe-error.ts";
import { ByteBudget } from "../../core/job/byte-budget.ts";
import { type Payload, RunnerStoppedError } from "../../index.ts";
import { type StopReason, RunOutcome } from "./run-outcome.ts";
import { asError, type CommandError, EXIT, usage } from "../terminal/errors.ts";
import { endProcess } from "../handler/end-process.ts";
import { SignalHandler } from "../terminal/signals.ts";
import { JobLog } from "./job-log.ts";
import { JobPipeline, type LineItem, type PipelineOwner } from "./pipeline.ts";
import { type InputLine, JobSource } from "./input.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { lastByte, outputOf } from "../terminal/output.ts";
import { progressLine, type ProgressStyle } from "../terminal/progress.ts";
import { SlidingRate } from "../../core/time/sliding-rate.ts";
import { badLine, describeFailure, type FailureText, jsonRecord, ResultWriter, type WriterOwner } from "./results.ts";
import { type RunWorkersOwner, RunWorkers } from "./workers.ts";
import { MAX_BUFFER_BYTES, type RunSettings } from "./options.ts";
import { type StatusReport, statusReport } from "../status/report.ts";
import { summary } from "./summary.ts";
import { RunCounters } from "./counters.ts";
import { ShownReport } from "./shown-report.ts";
import { counted, showDuration } from "../terminal/format.ts";

/** Failures that are reported one by one; of the others only the number. */
const MAX_REPORTED_FAILURES = 10;
/** The window of the rate that is shown. */
const RATE_WINDOW_MS = 5_000;
const SAMPLE_INTERVAL_MS = 250;

const MEBIBYTE = 1_048_576;

function mebibytes(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
}

/** One run. */
export class Run implements RunWorkersOwner, PipelineOwner, WriterOwner {
  readonly #settings: RunSettings;
  readonly #terminal: Terminal;
  readonly #fleet: RunWorkers;
  readonly #source: JobSource;
  readonly #writer: ResultWriter;
  readonly #counters = new RunCounters();
  readonly #since: number = performance.now();
  readonly #rate = new SlidingRate(RATE_WINDOW_MS, this.#since);
  #log: JobLog | undefined;
  readonly #outcome = new RunOutcome();
  readonly #cpu: NodeJS.CpuUsage = process.cpuUsage();
  readonly #budget: ByteBudget;
  readonly #pipeline: JobPipeline;
  readonly #isRemote = (identity: string): boolean => this.#fleet.isRemote(identity);
  /** Ends the time the dashboard stays after the run. */
  #endLinger: (() => void) | undefined;
  /** Pending while the reader of the results is slower than the jobs. */
  #writing: Promise<void> | undefined;
  /** Jobs that were not run, whose empty lines are due if a later one was. */
  #gaps = 0;
  #unfinished = 0;
  readonly #report = new ShownReport();

  constructor(settings: RunSettings, terminal: Terminal) {
    this.#settings = settings;
    this.#terminal = terminal;
    this.#source = new JobSource({
      inputs: settings.inputs,
      stdin: process.stdin,
      terminator: settings.terminator,
      json: settings.json,
      maxLineBytes: settings.maxPayload,
      skip: (index, text) => this.#log?.has(index, text) ?? false,
    });
    this.#fleet = new RunWorkers(settings, terminal, this);
    this.#budget = new ByteBudget(settings.buffer);
    this.#writer = new ResultWriter(outputOf(process.stdout), this, this.#budget);
    this.#pipeline = new JobPipeline(this.#source, this.#fleet.submitter, this, this.#budget, settings.ordered);
  }

  /** Runs until the input has ended or something ends it. Resolves to the exit code; rejects with what went wrong. */
  async go(): Promise<number> {
    const interrupts = new SignalHandler(
      () => this.#drain(),
      () => this.#abort(),
    );
    const sampler = setInterval(() => this.#sample(), SAMPLE_INTERVAL_MS);
    sampler.unref();
    try {
      if (!(await this.#begin())) return EXIT.interrupted;
      await this.#work();
      await this.#writer.flush();
      await this.#linger();
    } finally {
      clearInterval(sampler);
      this.#terminal.endProgress();
      this.#source.stop();
      await this.#fleet.stop();
      this.#log?.close();
      // Last: until here a signal would end the process in the middle of it.
      interrupts.release();
    }
    return this.#finish();
  }

  #sample(): void {
    this.#rate.sample(performance.now(), this.#counters.done);
    // Whether the first line waits for a slot is not told.
    this.#pipeline.pull();
  }

  /** Gets everything ready; `false` when a signal came first. */
  async #begin(): Promise<boolean> {
    const { joblog, resume, inputs, terminator } = this.#settings;
    const names = inputs.map(({ name }) => name);
    if (joblog !== undefined) this.#log = await JobLog.open(joblog, resume, names);
    if (resume) this.#checkOutput();
    if (this.#outcome.isInterrupted) return false;
    try {
      await this.#fleet.start();
    } catch (error) {
      if (this.#outcome.isInterrupted && error instanceof RunnerStoppedError) return false;
      throw error;
    }
    if (names.includes("-") && process.stdin.isTTY)
      this.#terminal.info("reads jobs from the keyboard, one a line; Ctrl-D on an empty line ends them");
    // Results without newlines share their line with the bar, which would erase them.
    const shared = process.stdout.isTTY && terminator === "null";
    if (!shared) this.#terminal.showProgress((columns, style) => this.#progress(columns, style));
    return true;
  }

  /** After a full disk or a `kill -9` the output may end in half a result, and the next one would be glued to it. */
  #checkOutput(): void {
    const { output, terminator } = this.#settings;
    const end = output === "text" && terminator === "null" ? 0 : 10;
    const last = lastByte(process.stdout.fd);
    if (last === undefined || last === end) return;
    throw usage("--resume: the output ends in the middle of a result; drop its last line, which is not in the job log");
  }

  onJobFailed(): void {
    if (this.#settings.failFast) this.#cut("fail-fast");
  }

  onOutcomes(): void {
    if (this.#writing === undefined) this.#write();
  }

  onCapacity(): void {
    this.#pipeline.pull();
  }

  onNoWorkers(fault: CommandError): void {
    this.#cut("fault", fault);
  }

  onStatusRequest(): StatusReport {
    const now = performance.now();
    return statusReport(this.#fleet.runner.stats(), {
      uptimeMs: Math.round(now - this.#since),
      jobsPerSecond: this.#rate.sample(now, this.#counters.done),
      read: this.#source.lines,
    });
  }

  onNote(): string {
    const { done, failed } = this.#counters;
    const counts = `${counted(done, "job")} done, ${failed > 0 ? `${failed.toLocaleString("en-US")} of them failed` : "none failed"}`;
    if (this.#endLinger !== undefined) return `The run is over: ${counts}. This dashboard stays for a while.`;
    return `${counts} so far`;
  }

  onReport(line: InputLine, report: string): void {
    this.#report.onReport(line, report);
  }

  onDrained(): void {
    if (this.#endLinger !== undefined) return this.#endLinger();
    if (!this.#outcome.isOpen) return;
    this.#terminal.info("drained from the dashboard: finishing what runs");
    this.#outcome.interrupt();
    this.#pipeline.stop();
  }

  onWrite(): void {
    // A terminal shows both: the bar must not be in the way of the results.
    if (process.stdout.isTTY) this.#terminal.clear();
  }

  onWritten(logRecords: string): void {
    try {
      this.#log?.append(logRecords);
    } catch (error) {
      this.#writeFailed(asError(error));
    }
    // What was written is no longer held against the budget.
    this.#pipeline.pull();
  }

  onOutputClosed(error: CommandError | undefined): void {
    if (error === undefined) this.#cut("unread");
    else this.#writeFailed(error);
  }

  async #work(): Promise<void> {
    try {
      await this.#pipeline.run();
    } catch (error) {
      // A stopped runner ends the input; the reason of the stop is known already.
      if (this.#outcome.isOpen || !(error instanceof RunnerStoppedError)) this.#cut("fault", asError(error));
    }
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Writes what is due until there is no more, or the reader has to be waited for. */
  #write(): void {
    this.#writing = undefined;
    for (let full = this.#writeNext(); full !== "nothing"; full = this.#writeNext()) {
      if (full === undefined) continue;
      this.#writing = full.then(() => {
        this.#write();
        this.#pipeline.pull();
      });
      return;
    }
  }

  /** Writes the next item or outcome that is due, if there is one. Await what is returned. */
  #writeNext(): Promise<void> | undefined | "nothing" {
    const item = this.#pipeline.shiftItem();
    if (item !== undefined) return this.#putItem(item);
    const line = this.#pipeline.shift();
    return line === undefined ? "nothing" : this.#settle(line);
  }

  /** Writes an item of a stream. One that has no form ends the stream, and fails the line. */
  #putItem({ line, value }: LineItem): Promise<void> | undefined {
    const { form } = this.#fleet;
    if (line.stream?.fault !== undefined) return undefined;
    try {
      const isRecord = this.#settings.output === "jsonl";
      const text = isRecord ? JSON.stringify({ index: line.index, item: form.record(value) }) : form.printed(value);
      this.#counters.items++;
      if (!isRecord) this.#closeGaps();
      return this.#writer.put(text, isRecord ? "\n" : this.#end, "");
    } catch (error) {
      line.stream?.leave(error);
      return undefined;
    }
  }

  /** In order, line N of the output belongs to line N of the input, also when some jobs have no result. */
  #closeGaps(): void {
    if (this.#settings.ordered && this.#gaps > 0) void this.#writer.put(this.#end.repeat(this.#gaps), "", "");
    this.#gaps = 0;
  }

  /** What ends a result that is text. */
  get #end(): string {
    return this.#settings.terminator === "null" ? "\0" : "\n";
  }

  /** Counts, reports and writes one outcome. */
  #settle(line: InputLine): Promise<void> | undefined {
    const shown = this.#shown(line);
    const ok = line.value !== undefined;
    if (!ok && line.fault === undefined && this.#wasNotRun(line.error)) {
      if (line.stream === undefined) this.#gaps++;
      this.#unfinished++;
      return undefined;
    }
    this.#counters.count(ok, line.attempts, this.#isRemote);
    if (ok) return this.#put(line, shown, undefined);
    this.#fleet.form.restore(line.error);
    const error = line.fault === undefined ? describeFailure(line.error) : badLine(line.fault);
    this.#reportFailure(line, error);
    if (this.#settings.failFast) this.#cut("fail-fast");
    return this.#put(line, undefined, error);
  }

  /** Jobs that the end of the run took back are neither done nor failed. */
  #wasNotRun(error: unknown): boolean {
    return !this.#outcome.isOpen && error instanceof RunnerStoppedError;
  }

  /** What is written of the result, if there is one. A result of no such form is a failure. */
  #shown(line: InputLine): { readonly text: Payload; readonly value: unknown } | undefined {
    const { value: result } = line;
    if (result === undefined) return undefined;
    const { form } = this.#fleet;
    try {
      if (this.#settings.output === "jsonl") return { text: "", value: form.record(result) };
      // What a generator returns is no item.
      if (line.endsStream) return undefined;
      return { text: form.printed(result), value: undefined };
    } catch (error) {
      line.value = undefined;
      line.error = error;
      return undefined;
    }
  }

  #put(
    line: InputLine,
    shown: { readonly text: Payload; readonly value: unknown } | undefined,
    error: FailureText | undefined,
  ): Promise<void> | undefined {
    const { index, attempts } = line;
    const result = { index, value: shown?.value, error, attempts };
    const logRecord = this.#log?.record(result, line.text) ?? "";
    const { output, ordered } = this.#settings;
    if (output === "jsonl") return this.#writer.put(jsonRecord(result), "\n", logRecord);
    this.#closeGaps();
    if (shown !== undefined) return this.#writer.put(shown.text, this.#end, logRecord);
    // The items of a stream are the whole of it.
    return this.#writer.put("", ordered && !line.endsStream ? this.#end : "", logRecord);
  }

  #reportFailure({ input, line }: InputLine, { name, message, code }: FailureText): void {
    if (this.#counters.failed === MAX_REPORTED_FAILURES + 1)
      this.#terminal.info("more jobs failed; the others are only counted");
    if (this.#counters.failed > MAX_REPORTED_FAILURES) return;
    // The message of a handler's error has its name.
    const text = code === "EXECUTION" ? message : `${name}: ${message}`;
    this.#terminal.info(`${input === "-" ? "stdin" : input}:${line}: ${text}`);
  }

  /** Keeps the dashboard up for a while once the run is over. */
  async #linger(): Promise<void> {
    const { linger = 0 } = this.#settings.dashboard ?? {};
    if (linger === 0 || !this.#outcome.isOpen) return;
    this.#terminal.endProgress();
    this.#sumUp();
    this.#terminal.info(`the run is over; the dashboard stays for ${showDuration(linger)}, or until Ctrl-C`);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, linger);
      this.#endLinger = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The first signal: nothing new is begun, what runs is finished. */
  #drain(): void {
    if (this.#endLinger !== undefined) return this.#endLinger();
    const wasOpen = this.#outcome.isOpen;
    this.#outcome.interrupt();
    if (!wasOpen) return;
    this.#terminal.info("finishing what runs; once more to stop at once");
    this.#pipeline.stop();
    void this.#fleet.runner.drain({ queued: "reject", timeout: Number.POSITIVE_INFINITY });
  }

  /** The second signal. What is not written yet is lost, and not in the log. */
  #abort(): void {
    this.#terminal.endProgress();
    this.#terminal.info("stopped");
    void endProcess(EXIT.interrupted);
  }

  #writeFailed(fault: Error): void {
    this.#outcome.writeFailed(fault);
    this.#cut("fault", fault);
  }

  #cut(why: StopReason, fault?: Error): void {
    if (!this.#outcome.cut(why, fault)) return;
    this.#pipeline.stop();
    void this.#fleet.runner.stop();
  }

  #progress(columns: number, style: ProgressStyle): string {
    const { done, failed } = this.#counters;
    const resumed = this.#log?.finished ?? 0;
    const expected = this.#source.expected;
    const view = {
      done,
      failed,
      expected: expected === undefined ? undefined : Math.max(done, expected - resumed),
      perSecond: this.#rate.sample(performance.now(), done),
      workers: this.#fleet.runner.workers.size,
      items: this.#counters.items,
      report: this.#report.text,
      ending: this.#outcome.isOpen ? undefined : "finishing",
    };
    return progressLine(view, columns, style);
  }

  #finish(): number {
    const { fault } = this.#outcome;
    const { failed } = this.#counters;
    if (fault !== undefined) {
      if (!this.#outcome.isInterrupted) throw fault;
      this.#terminal.error(describeError(fault));
    } else if (!this.#outcome.isUnread && this.#endLinger === undefined) {
      this.#sumUp();
    }
    return this.#outcome.exitCode(failed);
  }

  /** Advises a larger --buffer when threads were idle because it has no room for a result of each. */
  #adviseBuffer(): void {
    const { workers, capacity } = this.#settings;
    const { largest, limit } = this.#budget;
    if (largest * workers * capacity <= limit) return;
    const enough = Math.min(MAX_BUFFER_BYTES, MEBIBYTE * Math.ceil((largest * workers * capacity) / MEBIBYTE + 1));
    this.#terminal.info(
      `--buffer has no room for a result of each slot (up to ${mebibytes(largest)}); with --buffer ${enough} more jobs run at a time`,
    );
  }

  #sumUp(): void {
    const { failed, done, localMs, localAttempts, remoteAttempts, remoteMs } = this.#counters;
    const { timer, remotes } = this.#fleet;
    const { user, system } = process.cpuUsage(this.#cpu);
    const numbers = {
      jobs: done,
      items: this.#counters.items,
      failed,
      resumed: this.#source.skipped,
      wallMs: performance.now() - this.#since,
      cpuMs: (user + system) / 1_000,
      threads: this.#settings.workers,
      remotes,
      runs: timer.runs,
      runMs: timer.ms,
      remoteRuns: remoteAttempts,
      remoteMs,
      handOverMs: localMs - timer.ms,
      localRuns: localAttempts,
    };
    for (const line of summary(numbers)) this.#terminal.info(line);
    this.#adviseBuffer();
    if (this.#unfinished > 0) {
      this.#terminal.info(
        `ended early: ${counted(this.#unfinished, "line")} read ahead and not run, besides what was not read`,
      );
    }
    const unseen = (this.#log?.finished ?? 0) - this.#source.skipped;
    if (this.#source.ended && unseen > 0) {
      this.#terminal.info(
        `the job log knows ${counted(unseen, "more line")} than the input has; is it the same input?`,
      );
    }
  }
}
