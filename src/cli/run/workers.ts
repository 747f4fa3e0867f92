/**
 * The runner of one `powerhose run`: its local threads and, with --listen, the listener for remote workers. Prints what
 * happens to the fleet. See run.ts for its jobs.
 */
import { hostname, networkInterfaces } from "node:os";
import { basename } from "node:path";
import { describeError } from "../../core/describe-error.ts";
import { type ExecuteOptions, JobRunner, type Listener, type RunnerEvent } from "../../index.ts";
import { isLoopback } from "../../transports/websocket/address.ts";
import { listenWebSocket, type WebSocketListener } from "../../transports/websocket/node/index.ts";
import { codeOf, CommandError } from "../terminal/errors.ts";
import { type LineForm, lineForm, PLAIN_FORM } from "./line-form.ts";
import type { InputLine } from "./input.ts";
import type { PipelineRunner } from "./pipeline.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { NatsLink, NatsLinkListener } from "../nats/connection.ts";
import type { NatsAddress } from "../nats/options.ts";
import { DEFAULT_MAX_PAYLOAD } from "../terminal/flags.ts";
import { HandlerTimer } from "../handler/handler-timer.ts";
import type { ListenAddress, RunSettings } from "./options.ts";
import type { StatusReport } from "../status/report.ts";
import { counted, shellWord } from "../terminal/format.ts";
import { isLastThreadLost, startError, userThreads } from "../handler/user-threads.ts";

const MAX_TITLE_LENGTH = 200;

/** What the workers call. */
export interface RunWorkersOwner {
  /** More jobs can run at a time than before. */
  onCapacity(): void;
  /** No worker is left to run the jobs. */
  onNoWorkers(fault: CommandError): void;
  /** Returns the answer to `powerhose status`. */
  onStatusRequest(): StatusReport;
  /** Returns the text at the top of the dashboard. */
  onNote(): string;
  /** A job says how far it is. */
  onReport(line: InputLine, report: string): void;
  /** An admin drains the run from the dashboard. */
  onDrained(): void;
}

/** Threads and remote workers of one run. */
export class RunWorkers {
  readonly runner: JobRunner;
  readonly timer: HandlerTimer = new HandlerTimer();
  readonly #settings: RunSettings;
  readonly #terminal: Terminal;
  readonly #owner: RunWorkersOwner;
  readonly #listener: WebSocketListener | undefined;
  readonly #nats: NatsLink | undefined;
  readonly #remotes = new Set<string>();
  /** Known once a worker is there. */
  #form: LineForm | undefined;

  constructor(settings: RunSettings, terminal: Terminal, owner: RunWorkersOwner) {
    this.#settings = settings;
    this.#terminal = terminal;
    this.#owner = owner;
    const { listen, nats, attempts, timeout, deadline, maxPayload } = settings;
    this.#listener = listen === undefined ? undefined : this.#listenAt(listen);
    this.#nats = nats === undefined ? undefined : new NatsLink(nats);
    this.runner = new JobRunner({
      listen: this.#listeners(),
      attempts,
      timeout,
      deadline,
      maxPayload,
      // The pipeline submits no more than can run, within its own budget: no job of a run is refused.
      maxQueue: Number.MAX_SAFE_INTEGER,
      maxQueueBytes: Number.POSITIVE_INFINITY,
      // The user decides how long to wait for workers.
      acquireTimeout: Number.POSITIVE_INFINITY,
      // As after a first Ctrl-C, what runs is finished.
      drainTimeout: Number.POSITIVE_INFINITY,
    });
    this.runner.onWorkerEvent((event) => this.#onEvent(event));
  }

  /** Takes the jobs in. */
  get submitter(): PipelineRunner {
    const { runner } = this;
    const { submitter } = runner;
    // Slots of jobs that wait for their next attempt.
    const unused = (): number => Math.min(runner.workers.scheduler.slots, runner.calls.backoff);
    return {
      isReady: () => this.#form !== undefined,
      submit: (line, onSettled, onStream) => {
        const { form } = this;
        const job = form.jobOf(line.text);
        return submitter.submit(job, this.#optionsOf(line), onSettled, form.takesStreams ? onStream : undefined);
      },
      capacity: () => submitter.capacity() + unused(),
      slots: () => runner.workers.scheduler.slots,
      unused,
    };
  }

  /** Reports of progress are asked for only where they are shown. */
  #optionsOf(line: InputLine): ExecuteOptions | undefined {
    if (!this.#terminal.isLive || !this.form.takesStreams) return undefined;
    return {
      onProgress: (progress) => {
        const report = this.form.reportOf(progress);
        if (report !== undefined) this.#owner.onReport(line, report);
      },
    };
  }

  /** How lines become jobs, and what is printed. */
  get form(): LineForm {
    return this.#form ?? PLAIN_FORM;
  }

  /** Remote workers that have ever taken part. */
  get remotes(): number {
    return this.#remotes.size;
  }

  /** Whether an attempt's worker came over the network. */
  isRemote(identity: string): boolean {
    return this.#remotes.has(identity);
  }

  /** Starts the threads and listens. Rejects with CommandError when the module is of no use or the port is taken. */
  async start(): Promise<void> {
    const { module, listen } = this.#settings;
    await this.#nats?.load();
    try {
      await this.runner.start();
    } catch (error) {
      throw startError(listen === undefined ? error : listenFault(error, listen), module.typed);
    }
    this.#learnForm();
    this.#printInvitation();
  }

  /**
   * The first workers say what a line is.
   * @throws CommandError (usage) when it is not clear which task is meant.
   */
  #learnForm(): void {
    if (this.#form !== undefined || this.runner.fleet.capacity === 0) return;
    const { module, text } = this.#settings;
    this.#form = lineForm(this.runner.fleet.labels, module.exportName, module.typed, text);
  }

  #onFleetGrown(): void {
    try {
      this.#learnForm();
    } catch (error) {
      // While it starts, `start` says so.
      if (error instanceof CommandError && this.runner.state === "started") this.#owner.onNoWorkers(error);
    }
    this.#owner.onCapacity();
  }

  /** Ends everything at once. May be called twice. */
  stop(): Promise<void> {
    return this.runner.stop();
  }

  #listeners(): Listener[] {
    const { module, workers, capacity } = this.#settings;
    const listeners: Listener[] = [];
    if (workers > 0) listeners.push(userThreads(module, this.timer, { size: workers, capacity }));
    if (this.#listener !== undefined) listeners.push(this.#listener);
    if (this.#nats !== undefined) listeners.push(new NatsLinkListener(this.#nats));
    return listeners;
  }

  #listenAt({ host, port }: ListenAddress): WebSocketListener {
    const { module, token, origins, dashboard } = this.#settings;
    return listenWebSocket({
      host,
      port,
      token,
      origins,
      status: () => this.#owner.onStatusRequest(),
      dashboard:
        dashboard === undefined
          ? false
          : {
              admin: dashboard.admin,
              lend: dashboard.lend,
              title: titleOf(module.typed),
              note: () => this.#owner.onNote(),
            },
    });
  }

  /** Prints the commands to type on other machines. */
  #printInvitation(): void {
    const { listen, nats, module, token, maxPayload, dashboard } = this.#settings;
    if (nats !== undefined) this.#printNatsInvitation(nats);
    if (listen === undefined || this.#listener === undefined) return;
    // An address leaves out the port that is its scheme's own.
    const url = workerUrl(listen.host, Number(new URL(this.#listener.address).port) || 80);
    const secret = token === undefined ? "" : "POWERHOSE_TOKEN=… ";
    const open = isLoopback(new URL(url).hostname) ? "" : " --allow-insecure";
    const payload = payloadOption(maxPayload);
    this.#terminal.info(`listening on ${url}; add workers with`);
    this.#terminal.hint(`${secret}powerhose work ${shellWord(module.typed)} --connect ${url}${open}${payload}`);
    this.#terminal.info("and see how it goes with");
    this.#terminal.hint(`${secret}powerhose status ${url}${open}`);
    if (dashboard === undefined) return;
    this.#terminal.info(`or in a browser${token === undefined ? "" : ", which asks for the token"}, at`);
    this.#terminal.hint(url.replace(/^ws/, "http"));
  }

  #printNatsInvitation({ shown, isLocal, isEncrypted, creds, user, token }: NatsAddress): void {
    const { module, maxPayload } = this.#settings;
    const secret =
      creds !== undefined
        ? "POWERHOSE_CREDS=… POWERHOSE_PRINCIPAL=… "
        : user !== undefined
          ? "POWERHOSE_USER=… POWERHOSE_PASSWORD=… "
          : token !== undefined
            ? "POWERHOSE_TOKEN=… "
            : "";
    const open = isLocal || isEncrypted ? "" : " --allow-insecure";
    this.#terminal.info(`listening at ${shown}; add workers with`);
    this.#terminal.hint(
      `${secret}powerhose work ${shellWord(module.typed)} --connect ${shown}${open}${payloadOption(maxPayload)}`,
    );
  }

  #onEvent(event: RunnerEvent): void {
    switch (event.type) {
      case "worker-resized":
        return this.#onFleetGrown();
      case "worker-joined":
        this.#onFleetGrown();
        if (event.peer.transport === "thread") return;
        this.#remotes.add(event.identity);
        return this.#terminal.info(
          `worker ${event.identity} joined from ${event.peer.address} (${counted(event.capacity, "job")} at a time)`,
        );
      case "worker-gone":
        // At the end all of them go.
        if (event.peer.transport === "thread" || this.runner.state !== "started") return;
        return this.#terminal.info(`worker ${event.identity} left (${event.reason})${inHand(event.inFlight)}`);
      case "worker-refused":
        return this.#terminal.info(`refused ${event.peer.address}: ${event.message}`);
      case "listener-error":
        return this.#onListenerError(event.error);
      case "runner-state":
        if (event.state === "draining") this.#owner.onDrained();
        return;
      default:
    }
  }

  #onListenerError(error: Error): void {
    this.#terminal.info(describeError(error));
    if (!isLastThreadLost(error)) return;
    if (this.#listener !== undefined || this.#nats !== undefined)
      return this.#terminal.info("no thread is left here; waiting for remote workers");
    this.#owner.onNoWorkers(new CommandError("no thread is left to run the jobs: all of them kept crashing"));
  }
}

/** The heading of the dashboard. It is cut, as the path of a module may be long. */
function titleOf(typed: string): string {
  return `powerhose run ${basename(typed)}`.slice(0, MAX_TITLE_LENGTH);
}

function payloadOption(maxPayload: number): string {
  return maxPayload === DEFAULT_MAX_PAYLOAD ? "" : ` --max-payload ${maxPayload}`;
}

function inHand(jobs: number): string {
  return jobs === 0 ? "" : `; the ${jobs === 1 ? "job" : `${jobs} jobs`} it had will be tried elsewhere`;
}

/** Why a listener could not bind, as one line; any other error is returned as it is. */
function listenFault(error: unknown, { host, port }: ListenAddress): unknown {
  if (!(error instanceof Error && error.message.startsWith("cannot listen on "))) return error;
  const { cause } = error;
  const why = codeOf(cause) === "EADDRINUSE" ? "the port is in use; 0 takes a free one" : describeError(cause);
  return new CommandError(`cannot listen on ${host}:${port}: ${why}`, undefined, { cause: error });
}

/** The URL a worker dials; for a wildcard address, that of this machine in its network. */
function workerUrl(host: string, port: number): string {
  const name = host === "0.0.0.0" || host === "::" ? ownName() : host;
  return `ws://${name.includes(":") ? `[${name}]` : name}:${port}/`;
}

function ownName(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    const outside = addresses?.find(({ family, internal }) => family === "IPv4" && !internal);
    if (outside !== undefined) return outside.address;
  }
  return hostname();
}
