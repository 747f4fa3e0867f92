/** The options of `powerhose run`: declared, read and checked before anything is started. */
import { accessSync, constants, fstatSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { describeError } from "../../core/describe-error.ts";
import { isLoopback } from "../../transports/websocket/address.ts";
import { codeOf, usage } from "../terminal/errors.ts";
import type { Flags } from "../terminal/flags.ts";
import type { CommandSpec } from "../terminal/help.ts";
import type { Input } from "./input.ts";
import { type ModuleName, readModuleName } from "../handler/module-path.ts";
import { isNatsAddress, type NatsAddress, NATS_FLAGS, readNatsAddress, refuseNatsFlags } from "../nats/options.ts";

/** The command, its options and its help. */
export const RUN_COMMAND: CommandSpec = {
  about: "Runs a job for each line of the input and prints the results in the order of the lines.",
  synopsis: { "powerhose run [options] <module>[#export] [files…]": "" },
  notes: `Without files, or for the file -, reads stdin. Empty lines are jobs too. Progress and a summary
go to stderr, so that stdout holds nothing but results. Behind the # is an export, or a task of the
default export: then each line is a JSON value, and so is each result.`,
  options: {
    Workers: {
      workers: {
        short: "w",
        value: "<n>",
        variable: "POWERHOSE_WORKERS",
        help: "threads on this machine; default one per core; 0 with --listen: none",
      },
      capacity: {
        short: "c",
        value: "<n>",
        help: "jobs a thread has at a time; default 1; more for handlers that wait",
      },
      listen: {
        value: "<[host:]port>",
        help: "lets workers on other machines join; 0 takes a free port; nats://host:port/fleet: by a NATS server",
      },
      token: {
        value: "<secret>",
        variable: "POWERHOSE_TOKEN",
        help: "what they must show; better set POWERHOSE_TOKEN, which ps does not show",
      },
      origin: {
        value: "<origin>",
        repeatable: true,
        help: "lets tabs of this web page join too: https://app.example; may be repeated",
      },
      ...NATS_FLAGS,
      "allow-insecure": { help: "allow nats:// to another machine, where the network can read along" },
    },
    Dashboard: {
      dashboard: { help: "with --listen: a live page, on the same port; its address is printed" },
      "admin-token": {
        value: "<secret>",
        variable: "POWERHOSE_ADMIN_TOKEN",
        help: "shown on the dashboard, it allows to remove workers and to drain the run; better set POWERHOSE_ADMIN_TOKEN",
      },
      lend: { value: "<file>", help: "an ES module that visitors of the dashboard can lend their tab to run" },
      linger: {
        value: "<seconds>",
        help: "keeps the dashboard up after the run; Ctrl-C ends it; default 0",
      },
    },
    Input: {
      jsonl: { help: "each line is one JSON value, handed over as it is written; a typed task gets the value" },
      text: { help: "a typed task gets each line as a string, and strings are printed as they are" },
      null: { short: "0", help: "jobs, and results, end with a zero byte instead of a newline" },
    },
    Output: {
      unordered: { short: "u", help: "print results as they come" },
      output: {
        short: "o",
        value: "<format>",
        help: "text (default) or jsonl: one record a job, with errors and times",
      },
      quiet: { short: "q", help: "no progress, no summary, no messages about single jobs" },
    },
    Failures: {
      attempts: { value: "<n>", help: "tries for a job whose worker was lost or timed out; default 3" },
      timeout: { value: "<time>", help: "limit of one try: 500ms, 30s, 5m, none; default none" },
      deadline: { value: "<time>", help: "limit of a job in all, waiting included; default none" },
      "fail-fast": { help: "stop at the first job that fails" },
      "max-payload": {
        value: "<bytes>",
        help: "the largest line and result; default 1048576, at most 268435456",
      },
    },
    Memory: {
      buffer: {
        value: "<bytes>",
        help: "lines and results under way or waiting to be written; default 67108864, from 1048576 to 68719476736; more for large results on many threads",
      },
    },
    "Long runs": {
      joblog: { value: "<file>", help: "note each finished job in a file" },
      resume: { help: "leave out the jobs that the file says have succeeded" },
    },
  },
  examples: [
    "seq 1 100000 | powerhose run square.js | tail -1",
    "powerhose run resize.js#thumbnail --joblog done.log photos.txt > thumbnails.txt",
    "powerhose run resize.js#thumbnail --joblog done.log --resume photos.txt >> thumbnails.txt",
    "find . -name '*.md' -print0 | powerhose run -0 check.js | tr '\\0' '\\n'",
    "powerhose run --jsonl -o jsonl score.js games.jsonl | jq 'select(.ok | not)'",
    "powerhose run images.js#resize rows.jsonl > sizes.jsonl",
    "POWERHOSE_TOKEN=secret powerhose run --listen 0.0.0.0:7070 mine.js words.txt",
    "powerhose run --listen tls://nats.example/jobs --creds run.creds mine.js words.txt",
    "powerhose run --listen 7070 --dashboard --lend mine.js --linger 60 mine.js words.txt",
  ],
  signals: "the first Ctrl-C (or SIGTERM) finishes what runs, the second stops at once",
  variables: ["NO_COLOR"],
  exitCodes:
    "0 all jobs succeeded, 1 some failed, 2 the command line is wrong, 130 interrupted, 137 a thread was stuck",
};

const DEFAULT_BUFFER_BYTES = 64 * 1_048_576;
const MIN_BUFFER_BYTES = 1_048_576;
/** The largest `--buffer`. */
export const MAX_BUFFER_BYTES: number = 65_536 * 1_048_576;

/** An address to bind. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** The address when only a port is named: this machine alone. */
const LOOPBACK = "127.0.0.1";

/** The dashboard of a run. */
export interface RunDashboard {
  /** The token that lets a dashboard remove workers and drain the run. */
  readonly admin: string | undefined;
  /** The module that tabs can be lent to run. */
  readonly lend: string | undefined;
  /** How long the dashboard stays after the run, in ms. */
  readonly linger: number;
}

/** A checked command line of `run`. */
export interface RunSettings {
  readonly module: ModuleName;
  readonly inputs: readonly Input[];
  /** Local threads; 0 leaves all to remote workers. */
  readonly workers: number;
  /** Jobs one thread has at a time. */
  readonly capacity: number;
  readonly terminator: "newline" | "null";
  readonly json: boolean;
  /** Whether a typed task gets texts. */
  readonly text: boolean;
  readonly ordered: boolean;
  readonly output: "text" | "jsonl";
  readonly listen: ListenAddress | undefined;
  /** The server at which workers are met, instead of a port. */
  readonly nats: NatsAddress | undefined;
  readonly token: string | undefined;
  /** Origins of the web pages that may join as workers. */
  readonly origins: readonly string[];
  /** The dashboard; `undefined` for none. */
  readonly dashboard: RunDashboard | undefined;
  readonly attempts: number;
  /** In ms, as all durations; `Infinity` for none. */
  readonly timeout: number;
  readonly deadline: number;
  readonly maxPayload: number;
  /** Bytes of lines and results that may be under way or wait to be written. */
  readonly buffer: number;
  readonly failFast: boolean;
  readonly joblog: string | undefined;
  readonly resume: boolean;
  readonly quiet: boolean;
}

/**
 * Reads the command line.
 * @throws CommandError (usage) when something in it is wrong, or a file it names cannot be read.
 */
export function readRunSettings(flags: Flags): RunSettings {
  const [module, ...files] = flags.operands;
  const listen = flags.text("listen");
  const settings: RunSettings = {
    module: readModuleName(module),
    inputs: (files.length === 0 ? ["-"] : files).map(readInput),
    workers: flags.integer("workers", 0, 1_000) ?? availableParallelism(),
    capacity: flags.integer("capacity", 1, 65_535) ?? 1,
    terminator: flags.has("null") ? "null" : "newline",
    json: flags.has("jsonl"),
    text: flags.has("text"),
    ordered: !flags.has("unordered"),
    output: readOutput(flags.text("output")),
    ...readListen(listen, flags),
    token: flags.text("token"),
    origins: flags.texts("origin"),
    dashboard: readDashboard(flags),
    attempts: flags.integer("attempts", 1, 1_000_000) ?? 3,
    timeout: flags.duration("timeout"),
    deadline: flags.duration("deadline"),
    maxPayload: flags.maxPayload(),
    buffer: flags.integer("buffer", MIN_BUFFER_BYTES, MAX_BUFFER_BYTES) ?? DEFAULT_BUFFER_BYTES,
    failFast: flags.has("fail-fast"),
    joblog: flags.text("joblog"),
    resume: flags.has("resume"),
    quiet: flags.has("quiet"),
  };
  checkTogether(settings, flags);
  return settings;
}

/** Refuses options that exclude or need each other. */
function checkTogether(settings: RunSettings, flags: Flags): void {
  const { inputs, workers, json, text, terminator, listen, nats, token, origins, resume, joblog } = settings;
  const isListening = listen !== undefined || nats !== undefined;
  if (inputs.filter(({ name }) => name === "-").length > 1) throw usage("stdin (-) can be read only once");
  if (workers === 0 && !isListening) throw usage("--workers 0 leaves nobody to run the jobs; add --listen");
  if (json && terminator === "null") throw usage("--jsonl and --null exclude each other: JSON values come one a line");
  if (json && text) throw usage("--jsonl and --text exclude each other: a line is a JSON value or a text");
  if (resume && joblog === undefined) throw usage("--resume needs the --joblog of the run to go on with");
  if (token === "") throw usage("--token: expected a token, got an empty one");
  if (origins.length > 0 && listen === undefined)
    throw usage("--origin: no web page can join without --listen and a port");
  origins.forEach(checkOrigin);
  if (listen !== undefined && token === undefined && !isLoopback(listen.host)) {
    throw usage(
      `--listen: ${listen.host} can be reached from other machines; say who may work with --token or POWERHOSE_TOKEN`,
    );
  }
  // Only when typed: the environment may hold one for other commands.
  if (!isListening && flags.typed("token") !== undefined) {
    throw usage("--token: nobody is to show it without --listen");
  }
}

/** Where workers are met: at a port of this machine, at a NATS server, or nowhere. */
function readListen(text: string | undefined, flags: Flags): Pick<RunSettings, "listen" | "nats"> {
  if (text !== undefined && isNatsAddress(text))
    return { listen: undefined, nats: readNatsAddress("listen", text, flags) };
  refuseNatsFlags(flags, Object.keys(NATS_FLAGS), "--listen nats://127.0.0.1:4222/jobs");
  return { listen: text === undefined ? undefined : readListenAddress(text), nats: undefined };
}

/**
 * Reads `7070`, `:7070`, `0.0.0.0:7070` or `[::1]:7070`; port 0 means any free one.
 * @throws CommandError (usage) when it is anything else.
 */
function readListenAddress(text: string): ListenAddress {
  const parts = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3] ?? Number.NaN);
  if (!(port <= 65_535)) throw usage(`--listen: expected [host:]port, such as 7070 or 0.0.0.0:7070, got "${text}"`);
  const host = parts?.[1] ?? parts?.[2] ?? "";
  return { host: host === "" ? LOOPBACK : host, port };
}

/** Reads the options of the dashboard, which need --dashboard, which needs --listen. */
function readDashboard(flags: Flags): RunDashboard | undefined {
  const [admin, lend] = [flags.text("admin-token"), flags.text("lend")];
  const seconds = flags.integer("linger", 0, 1_000_000);
  if (!flags.has("dashboard")) {
    if (lend !== undefined) throw usage("--lend: tabs are lent by the dashboard; add --dashboard");
    if (seconds !== undefined) throw usage("--linger: it is the dashboard that lingers; add --dashboard");
    // Only when typed: the environment may hold one for other runs.
    if (flags.typed("admin-token") !== undefined)
      throw usage("--admin-token: it is shown to the dashboard; add --dashboard");
    return undefined;
  }
  const listen = flags.text("listen");
  if (listen === undefined) throw usage("--dashboard: it is served where workers join; add --listen");
  if (isNatsAddress(listen)) throw usage("--dashboard: it is served at a port, and a NATS server gives it none");
  if (admin === "") throw usage("--admin-token: expected a token, got an empty one");
  if (lend !== undefined && statSync(lend, { throwIfNoEntry: false })?.isFile() !== true) {
    throw usage(`--lend: there is no file ${lend}`);
  }
  return { admin, lend, linger: (seconds ?? 0) * 1_000 };
}

/** An origin as browsers send it: scheme, host, port, and nothing behind. */
function checkOrigin(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && url.origin === text) return;
  throw usage(`--origin: expected the origin of a web page, such as https://app.example, got "${text}"`);
}

function readOutput(text: string | undefined): "text" | "jsonl" {
  if (text === undefined || text === "text") return "text";
  if (text === "jsonl") return "jsonl";
  throw usage(`--output: expected text or jsonl, got "${text}"`);
}

/** Stdin may be a file that is read from its middle, so its size is of no use. */
function readStdin(): Input {
  if (isDirectory(0)) throw usage("cannot read stdin: it is a directory");
  return { name: "-", size: undefined };
}

function isDirectory(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isDirectory();
  } catch {
    return false; // a closed stdin is an empty one
  }
}

/** Checks a file before anything is started: a misspelt name is found at once, not after hours. */
function readInput(name: string): Input {
  if (name === "-") return readStdin();
  try {
    accessSync(name, constants.R_OK);
    const stats = statSync(name);
    if (stats.isDirectory()) throw usage(`cannot read ${name}: it is a directory`);
    return { name, size: stats.isFile() ? stats.size : undefined };
  } catch (error) {
    if (codeOf(error) === "ENOENT") throw usage(`cannot read ${name}: there is no such file`, error);
    if (codeOf(error) === "EACCES") throw usage(`cannot read ${name}: permission denied`, error);
    throw usage(describeError(error), error);
  }
}
