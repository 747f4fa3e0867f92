/**
 * `powerhose work`: a worker of a run elsewhere. Its connection lives on the main thread and its handlers in threads, so that
 * no handler, however busy, makes it miss a heartbeat.
 */
import { randomBytes } from "node:crypto";
import { availableParallelism, hostname } from "node:os";
import { describeError } from "../../core/describe-error.ts";
import {
  AuthError,
  type Dialer,
  type DisconnectReason,
  JobRunner,
  relay,
  RunnerStoppedError,
  Worker,
  type WorkerEvent,
} from "../../index.ts";
import { dialWebSocket } from "../../transports/websocket/node/index.ts";
import { asError, CommandError, EXIT, usage } from "../terminal/errors.ts";
import { endProcess } from "../handler/end-process.ts";
import { dialOver, NatsLink } from "../nats/connection.ts";
import { isNatsAddress, NATS_FLAGS, readNatsAddress, readPrincipal, refuseNatsFlags } from "../nats/options.ts";
import type { Flags } from "../terminal/flags.ts";
import type { CommandSpec } from "../terminal/help.ts";
import { SignalHandler } from "../terminal/signals.ts";
import { isLoopback } from "../../transports/websocket/address.ts";
import { type ModuleName, readModuleName } from "../handler/module-path.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { HandlerTimer } from "../handler/handler-timer.ts";
import { counted, showDuration } from "../terminal/format.ts";
import { isLastThreadLost, startError, userThreads } from "../handler/user-threads.ts";

/** The command, its options and its help. */
export const WORK_COMMAND: CommandSpec = {
  about:
    "Lends this machine's cores to a run that listens elsewhere. Reconnects for ever. What handlers print goes to stderr.",
  synopsis: { "powerhose work [options] <module>[#export] --connect <url>": "" },
  notes: "The module may differ from the run's: it is this machine's handler that runs.",
  options: {
    Options: {
      connect: {
        value: "<url>",
        variable: "POWERHOSE_CONNECT",
        help: "where the run listens: ws://127.0.0.1:7070/, wss://…, ws+unix:… or nats://127.0.0.1:4222/fleet",
      },
      token: {
        value: "<secret>",
        variable: "POWERHOSE_TOKEN",
        help: "what the run wants to see; better set POWERHOSE_TOKEN",
      },
      workers: { short: "w", value: "<n>", variable: "POWERHOSE_WORKERS", help: "threads; default one per core" },
      capacity: { short: "c", value: "<n>", help: "jobs a thread has at a time, 1 to 60; default 1" },
      identity: { value: "<name>", help: "its name in status and logs; default made from the host's name" },
      labels: { value: "<a,b>", help: "what it has, for jobs that require it" },
      "allow-insecure": { help: "allow ws:// and nats:// to another machine, where the network can read along" },
      "max-payload": { value: "<bytes>", help: "the largest job and result; default 1048576; as the run's" },
      ...NATS_FLAGS,
      principal: {
        value: "<name>",
        variable: "POWERHOSE_PRINCIPAL",
        help: "with nats://: the party that the server's permissions let it be; default the user, else worker",
      },
      once: { help: "end when the run it worked for is over, instead of waiting for the next" },
      quiet: { short: "q", help: "no messages" },
    },
  },
  examples: [
    "powerhose work mine.js --connect ws://127.0.0.1:7070/",
    "POWERHOSE_TOKEN=secret powerhose work mine.js --connect wss://jobs.example/ --labels gpu",
    "powerhose work mine.js --connect tls://nats.example/jobs --creds alice.creds --principal alice",
  ],
  signals: "the first Ctrl-C (or SIGTERM) finishes what runs and leaves, the second stops at once",
  variables: ["NO_COLOR"],
  exitCodes:
    "0 stopped in good order, 1 refused or out of threads, 2 the command line is wrong, 130 stopped at once, " +
    "137 a thread was stuck",
};

/** A checked command line of `work`. */
export interface WorkSettings {
  readonly module: ModuleName;
  readonly dial: Dialer;
  /** The connection beneath the dialer, when it is one to a NATS server. */
  readonly nats: NatsLink | undefined;
  readonly url: string;
  readonly workers: number;
  readonly capacity: number;
  readonly identity: string;
  readonly labels: readonly string[];
  readonly maxPayload: number;
  /** Whether it ends when its connection to the runner it has worked for is over. */
  readonly once: boolean;
}

const NAME = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * Reads the command line.
 * @throws CommandError (usage) when something in it is wrong.
 */
export function readWorkSettings(flags: Flags): WorkSettings {
  const [module, ...rest] = flags.operands;
  const url = flags.text("connect");
  if (url === undefined) throw usage("--connect: say where the runner is, such as ws://127.0.0.1:7070/");
  if (rest.length > 0) throw usage(`unexpected ${rest.join(" ")}: a worker gets its jobs from the runner`);
  const identity = flags.text("identity") ?? ownName();
  const labels = flags.text("labels")?.split(",") ?? [];
  if (!NAME.test(identity)) throw usage("--identity: expected 1 to 128 characters of A-Z a-z 0-9 . _ : -");
  if (labels.length > 32 || !labels.every((label) => NAME.test(label))) {
    throw usage("--labels: expected at most 32 labels of A-Z a-z 0-9 . _ : -, separated by commas");
  }
  return {
    module: readModuleName(module),
    ...dialerFor(url, flags),
    workers: flags.integer("workers", 1, 1_000) ?? availableParallelism(),
    capacity: flags.integer("capacity", 1, 60) ?? 1,
    identity,
    labels,
    maxPayload: flags.maxPayload(),
    once: flags.has("once"),
  };
}

function dialerFor(url: string, flags: Flags): Pick<WorkSettings, "dial" | "nats" | "url"> {
  if (!isNatsAddress(url)) return { dial: webSocketDialer(url, flags), nats: undefined, url };
  const address = readNatsAddress("connect", url, flags);
  const nats = new NatsLink(address);
  return { dial: dialOver(nats, readPrincipal(flags, address)), nats, url: address.shown };
}

function webSocketDialer(url: string, flags: Flags): Dialer {
  refuseNatsFlags(flags, [...Object.keys(NATS_FLAGS), "principal"], "--connect nats://127.0.0.1:4222/jobs");
  const token = flags.text("token");
  if (token === "") throw usage("--token: expected a token, got an empty one");
  checkUrl(url, flags.has("allow-insecure"));
  try {
    return dialWebSocket(url, {
      allowInsecure: flags.has("allow-insecure"),
      ...(token === undefined ? {} : { token }),
    });
  } catch (error) {
    throw usage(`--connect: ${describeError(error)}`, error);
  }
}

/** What the library refuses too, in the words of the command line. */
function checkUrl(text: string, allowInsecure: boolean): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) throw usage("--connect: no name or password in the URL; use --token");
  if (url?.protocol !== "ws:" || allowInsecure || isLoopback(url.hostname)) return;
  throw usage(
    `--connect: ${url.origin}/: refusing to send jobs and token in the clear to another machine; use wss:, or --allow-insecure`,
  );
}

/** Unique, and still telling where it runs. */
function ownName(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9._-]/g, "-")
    .slice(0, 60);
  return `${host}-${process.pid}-${randomBytes(2).toString("hex")}`;
}

/** One worker process. */
export class Work {
  readonly #settings: WorkSettings;
  readonly #terminal: Terminal;
  readonly #runner: JobRunner;
  readonly #worker: Worker;
  #ready = false;
  #registered = false;
  #leaving = false;
  #fault: Error | undefined;

  constructor(settings: WorkSettings, terminal: Terminal) {
    const { module, workers, capacity, maxPayload, dial, identity, labels } = settings;
    this.#settings = settings;
    this.#terminal = terminal;
    const pool = userThreads(module, new HandlerTimer(), { size: workers, capacity });
    this.#runner = new JobRunner({ listen: pool, maxPayload });
    this.#worker = new Worker({
      dial,
      handler: relay(this.#runner),
      identity,
      labels,
      maxPayload,
      // Each failure is told below, as an event.
      onWarning: false,
    });
  }

  /** Works until it is told to stop, refused, or left without threads. Resolves to the exit code. */
  async go(): Promise<number> {
    const { url, identity, workers, nats } = this.#settings;
    await nats?.load();
    const interrupts = new SignalHandler(
      () => this.#drain(),
      () => this.#abort(),
    );
    this.#runner.on((event) => {
      if (event.type === "listener-error") this.#onListenerError(event.error);
    });
    this.#worker.on((event) => this.#onEvent(event));
    try {
      if (await this.#begin()) {
        this.#terminal.info(`${identity} connects to ${url} (${counted(workers, "thread")})`);
        this.#worker.start().catch((error: unknown) => this.#onStartError(error));
        await this.#worker.closed;
      }
    } finally {
      await this.#worker.stop();
      await this.#runner.stop();
      await nats?.close();
      // Last: until here a signal would end the process in the middle of it.
      interrupts.release();
    }
    if (this.#fault !== undefined) throw this.#fault;
    this.#terminal.info(`served ${counted(this.#worker.served, "job")}`);
    return EXIT.ok;
  }

  /** Starts the threads; `false` when a signal came first. */
  async #begin(): Promise<boolean> {
    try {
      await this.#runner.start();
    } catch (error) {
      if (this.#leaving && error instanceof RunnerStoppedError) return false;
      throw startError(error, this.#settings.module.typed);
    }
    this.#ready = true;
    return !this.#leaving;
  }

  /** A worker that was stopped before it registered is no error. */
  #onStartError(error: unknown): void {
    if (error instanceof AuthError)
      this.#fault ??= new CommandError(describeError(error), EXIT.failed, { cause: error });
    else if (this.#worker.state !== "stopped" && this.#worker.state !== "draining") this.#fault ??= asError(error);
  }

  #onEvent(event: WorkerEvent): void {
    if (event.type === "disconnected") {
      const { message, reason, retryIn } = event;
      if (retryIn === undefined) this.#fault ??= new CommandError(message, EXIT.failed, { cause: event.error });
      else if (this.#settings.once && this.#isOver(reason)) this.#leave(message);
      else this.#terminal.info(`disconnected: ${message}; trying again in ${showDuration(Math.max(1, retryIn))}`);
    } else if (event.type === "worker-state" && event.state === "registered") {
      this.#registered = true;
      this.#terminal.info(`registered at ${this.#settings.url}`);
    }
  }

  /** Whether the run has removed it or is unreachable. A connection that was cut is not the end. */
  #isOver(reason: DisconnectReason): boolean {
    return this.#registered && (reason === "closed" || reason === "unreachable");
  }

  #leave(message: string): void {
    this.#terminal.info(`disconnected: ${message}; leaving, as --once says`);
    void this.#worker.stop();
  }

  #onListenerError(error: Error): void {
    this.#terminal.info(describeError(error));
    if (!isLastThreadLost(error)) return;
    this.#fault ??= new CommandError("no thread is left to run jobs: all of them kept crashing");
    void this.#worker.stop();
  }

  #drain(): void {
    this.#leaving = true;
    this.#terminal.info("leaving after what runs; once more to stop at once");
    if (!this.#ready) void this.#runner.stop();
    // A second signal ends it at once.
    void this.#worker.drain({ timeout: Number.POSITIVE_INFINITY });
  }

  #abort(): void {
    this.#terminal.info("stopped");
    void endProcess(EXIT.interrupted);
  }
}
