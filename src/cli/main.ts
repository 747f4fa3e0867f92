#!/usr/bin/env node
/** The `powerhose` command: selects the subcommand, runs it, and turns its outcome into an exit code. */
import { readFileSync } from "node:fs";
import { describeError } from "../core/describe-error.ts";
import { CommandError, EXIT, usage } from "./terminal/errors.ts";
import { endProcess } from "./handler/end-process.ts";
import { Flags, HELP_FLAG, suggest } from "./terminal/flags.ts";
import { type CommandSpec, flagsOf, helpText } from "./terminal/help.ts";
import { Terminal } from "./terminal/terminal.ts";
import { isReaderGone, outputOf } from "./terminal/output.ts";
import { Run } from "./run/run.ts";
import { readRunSettings, RUN_COMMAND } from "./run/options.ts";
import { askStatus, STATUS_COMMAND } from "./status/status.ts";
import { listTasks, TASKS_COMMAND } from "./tasks/tasks.ts";
import { readWorkSettings, Work, WORK_COMMAND } from "./work/work.ts";

/** A subcommand. */
interface Command {
  readonly spec: CommandSpec;
  /** Resolves to the exit code. */
  run(flags: Flags): Promise<number>;
}

const POWERHOSE: CommandSpec = {
  about: "Runs a JavaScript function over many lines, on all cores of this machine and of others.",
  synopsis: {
    "powerhose run <module> [files…]": "run a job for each line of the files, or of stdin",
    "powerhose work <module> --connect <url>": "lend this machine's cores to a run elsewhere",
    "powerhose tasks <module>": "list the tasks of a module",
    "powerhose status <url>": "see how a run that listens is doing",
  },
  notes: `A module is a JavaScript file whose default export (or the one after a #, as in jobs.js#square)
takes a job and returns text or bytes:

  export default (job) => String(Number(job.data) ** 2);`,
  options: { Options: { ...HELP_FLAG, version: { short: "v", help: "the version" } } },
  examples: ["seq 1 100000 | powerhose run square.js | tail -1", "powerhose run --help"],
  exitCodes:
    "0 all jobs succeeded, 1 some failed, 2 the command line is wrong, 130 interrupted, 137 a thread was stuck",
};

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  [
    "run",
    {
      spec: RUN_COMMAND,
      run: (flags) => {
        const settings = readRunSettings(flags);
        return new Run(settings, new Terminal(process.stderr, process.env, settings.quiet)).go();
      },
    },
  ],
  [
    "work",
    {
      spec: WORK_COMMAND,
      run: (flags) => {
        const settings = readWorkSettings(flags);
        return new Work(settings, new Terminal(process.stderr, process.env, flags.has("quiet"))).go();
      },
    },
  ],
  ["tasks", { spec: TASKS_COMMAND, run: async (flags) => print(await listTasks(flags)) }],
  ["status", { spec: STATUS_COMMAND, run: async (flags) => print(await askStatus(flags)) }],
]);
const NAMES = [...COMMANDS.keys()];

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

/** Prints, and waits until it is out: the process ends right after. A reader that has gone is no fault. */
async function print(text: string): Promise<number> {
  const output = outputOf(process.stdout);
  output.onError(() => undefined);
  const { error } = await output.write([Buffer.from(`${text}\n`)]);
  if (error === undefined || isReaderGone(error)) return EXIT.ok;
  throw new CommandError(`cannot write the output: ${describeError(error)}`, EXIT.failed, { cause: error });
}

function commandNamed(name: string): Command {
  const command = COMMANDS.get(name);
  if (command !== undefined) return command;
  const list = `${NAMES.slice(0, -1).join(", ")} and ${NAMES.at(-1)}`;
  throw usage(`unknown command ${JSON.stringify(name)}; there are ${list}${suggest(name, NAMES)}`);
}

/** What comes before or instead of a command: `--help`, `--version`, `help run`. */
async function general(args: readonly string[]): Promise<number> {
  const flags = new Flags(args, flagsOf(POWERHOSE), process.env);
  const [name, topic] = flags.operands;
  if (flags.has("version")) return print(version());
  if (name === "help" && topic !== undefined) return print(helpText(commandNamed(topic).spec));
  if (name === "help" || flags.has("help")) return print(helpText(POWERHOSE));
  throw usage("name a command: run, work, tasks or status; --help says more");
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name.startsWith("-")) return general(args);
  const command = commandNamed(name);
  const flags = new Flags(rest, flagsOf(command.spec), process.env);
  return flags.has("help") ? print(helpText(command.spec)) : command.run(flags);
}

function failed(error: unknown): number {
  new Terminal(process.stderr, process.env, false).error(describeError(error));
  return error instanceof CommandError ? error.exitCode : EXIT.failed;
}

await endProcess(await main(process.argv.slice(2)).catch(failed));
