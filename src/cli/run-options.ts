/** What `powerhose run` was asked to do: its options, read and checked before anything is started. */
import { accessSync, constants, fstatSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { readDuration } from "./duration.ts";
import { codeOf, usage, wordsOf } from "./faults.ts";
import type { FlagRules, Flags } from "./flags.ts";
import type { Input } from "./job-source.ts";
import { isLoopback, type ListenPlace, readListenPlace } from "./listen-place.ts";
import { type ModuleName, readModuleName } from "./module-name.ts";
import { readMaxPayload } from "./payload-limit.ts";

/** The options of `run`. */
export const RUN_FLAGS: FlagRules = {
  workers: { type: "string", short: "w" },
  capacity: { type: "string", short: "c" },
  jsonl: { type: "boolean" },
  null: { type: "boolean", short: "0" },
  unordered: { type: "boolean", short: "u" },
  output: { type: "string", short: "o" },
  listen: { type: "string" },
  token: { type: "string" },
  origin: { type: "string", multiple: true },
  page: { type: "boolean" },
  "admin-token": { type: "string" },
  lend: { type: "string" },
  linger: { type: "string" },
  attempts: { type: "string" },
  timeout: { type: "string" },
  deadline: { type: "string" },
  "max-payload": { type: "string" },
  "fail-fast": { type: "boolean" },
  joblog: { type: "string" },
  resume: { type: "boolean" },
  quiet: { type: "boolean", short: "q" },
  help: { type: "boolean", short: "h" },
};

/** The live page of a run. */
export interface RunPage {
  /** Who shows it may send workers away and drain the run. */
  readonly admin: string | undefined;
  /** The module that tabs can be lent to run. */
  readonly lend: string | undefined;
  /** How long the page stays after the run, in ms. */
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
  readonly ordered: boolean;
  readonly output: "text" | "jsonl";
  readonly listen: ListenPlace | undefined;
  readonly token: string | undefined;
  /** Whose web pages may join as workers. */
  readonly origins: readonly string[];
  /** The live page, if there is to be one. */
  readonly page: RunPage | undefined;
  readonly attempts: number;
  /** In ms, as all durations; `Infinity` for none. */
  readonly timeout: number;
  readonly deadline: number;
  readonly maxPayload: number;
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
  const limits = { timeout: flags.text("timeout"), deadline: flags.text("deadline") };
  const settings: RunSettings = {
    module: readModuleName(module),
    inputs: (files.length === 0 ? ["-"] : files).map(readInput),
    workers: flags.integer("workers", 0, 1_000, "POWERHOSE_WORKERS") ?? availableParallelism(),
    capacity: flags.integer("capacity", 1, 65_535) ?? 1,
    terminator: flags.has("null") ? "null" : "newline",
    json: flags.has("jsonl"),
    ordered: !flags.has("unordered"),
    output: readOutput(flags.text("output")),
    listen: listen === undefined ? undefined : readListenPlace(listen),
    token: flags.text("token", "POWERHOSE_TOKEN"),
    origins: flags.texts("origin"),
    page: readPage(flags),
    attempts: flags.integer("attempts", 1, 1_000_000) ?? 3,
    timeout: limits.timeout === undefined ? Infinity : readDuration("--timeout", limits.timeout),
    deadline: limits.deadline === undefined ? Infinity : readDuration("--deadline", limits.deadline),
    maxPayload: readMaxPayload(flags),
    failFast: flags.has("fail-fast"),
    joblog: flags.text("joblog"),
    resume: flags.has("resume"),
    quiet: flags.has("quiet"),
  };
  checkTogether(settings, flags);
  return settings;
}

/** What each option allows alone but not in company. */
function checkTogether(settings: RunSettings, flags: Flags): void {
  const { inputs, workers, json, terminator, listen, token, origins, resume, joblog } = settings;
  if (inputs.filter(({ name }) => name === "-").length > 1) throw usage("stdin (-) can be read only once");
  if (workers === 0 && listen === undefined) throw usage("--workers 0 leaves nobody to run the jobs; add --listen");
  if (json && terminator === "null") throw usage("--jsonl and --null exclude each other: JSON values come one a line");
  if (resume && joblog === undefined) throw usage("--resume needs the --joblog of the run to go on with");
  if (token === "") throw usage("--token: expected a token, got an empty one");
  if (origins.length > 0 && listen === undefined) throw usage("--origin: no web page can join without --listen");
  origins.forEach(checkOrigin);
  if (listen !== undefined && token === undefined && !isLoopback(listen.host)) {
    throw usage(
      `--listen: ${listen.host} can be reached from other machines; say who may work with --token or POWERHOSE_TOKEN`,
    );
  }
  // Only when typed: the environment may hold one for other commands.
  if (listen === undefined && flags.text("token") !== undefined) {
    throw usage("--token: nobody is to show it without --listen");
  }
}

/** What only makes sense with the page, and the page only with a door. */
function readPage(flags: Flags): RunPage | undefined {
  const [admin, lend] = [flags.text("admin-token", "POWERHOSE_ADMIN_TOKEN"), flags.text("lend")];
  const seconds = flags.integer("linger", 0, 1_000_000);
  if (!flags.has("page")) {
    if (lend !== undefined) throw usage("--lend: tabs are lent by the page; add --page");
    if (seconds !== undefined) throw usage("--linger: it is the page that lingers; add --page");
    // Only when typed: the environment may hold one for other runs.
    if (flags.text("admin-token") !== undefined) throw usage("--admin-token: it is shown to the page; add --page");
    return undefined;
  }
  if (flags.text("listen") === undefined) throw usage("--page: it is served where workers join; add --listen");
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

/** Stdin may be anything, a file that is read from its middle included: its size says nothing. */
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

/** Looks at a file before anything is started: a misspelt name is found at once, not after hours. */
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
    throw usage(wordsOf(error), error);
  }
}
