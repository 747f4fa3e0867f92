#!/usr/bin/env node
/** The `powerhose` command: finds out which command is meant, runs it, and turns whatever ends it into an exit code. */
import { readFileSync } from "node:fs";
import type { CommandHost } from "./command-host.ts";
import { CommandError, EXIT, usage, wordsOf } from "./faults.ts";
import { Flags } from "./flags.ts";
import { HELP, type HelpTopic } from "./help.ts";
import { Notices } from "./notices.ts";
import { Run } from "./run.ts";
import { readRunSettings, RUN_FLAGS } from "./run-options.ts";
import { askStatus, STATUS_FLAGS } from "./status.ts";
import { readWorkSettings, Work, WORK_FLAGS } from "./work.ts";

const host: CommandHost = {
  stdin: process.stdin,
  stdout: process.stdout,
  env: process.env,
  exit: (code) => process.exit(code),
};

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

/** Prints, and waits until it is out: the process ends right after. */
function print(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.once("error", () => resolve());
    process.stdout.write(`${text}\n`, () => resolve());
  });
}

async function help(topic: HelpTopic): Promise<number> {
  await print(HELP[topic]);
  return EXIT.ok;
}

function topicOf(command: string | undefined): HelpTopic {
  if (command === undefined) return "powerhose";
  if (command === "run" || command === "work" || command === "status") return command;
  throw unknownCommand(command);
}

function unknownCommand(command: string): CommandError {
  return usage(`unknown command ${JSON.stringify(command)}; there are run, work and status`);
}

async function runCommand(args: readonly string[]): Promise<number> {
  const flags = new Flags(args, RUN_FLAGS, process.env);
  if (flags.has("help")) return help("run");
  const settings = readRunSettings(flags);
  return new Run(settings, host, new Notices(process.stderr, process.env, settings.quiet)).go();
}

async function workCommand(args: readonly string[]): Promise<number> {
  const flags = new Flags(args, WORK_FLAGS, process.env);
  if (flags.has("help")) return help("work");
  const settings = readWorkSettings(flags);
  return new Work(settings, host, new Notices(process.stderr, process.env, flags.has("quiet"))).go();
}

async function statusCommand(args: readonly string[]): Promise<number> {
  const flags = new Flags(args, STATUS_FLAGS, process.env);
  if (flags.has("help")) return help("status");
  await print(await askStatus(flags));
  return EXIT.ok;
}

async function main([command, ...args]: readonly string[]): Promise<number> {
  switch (command) {
    case "run":
      return runCommand(args);
    case "work":
      return workCommand(args);
    case "status":
      return statusCommand(args);
    case "help":
      return help(topicOf(args[0]));
    case "--help":
    case "-h":
      return help("powerhose");
    case "--version":
    case "-V":
      await print(version());
      return EXIT.ok;
    case undefined:
      throw usage("name a command: run, work or status; --help says more");
    default:
      throw unknownCommand(command);
  }
}

function failed(error: unknown): number {
  new Notices(process.stderr, process.env, false).complain(wordsOf(error));
  return error instanceof CommandError ? error.exitCode : EXIT.failed;
}

// Ends the process even when somebody else holds it: a terminal on stdin, a connection that lingers.
process.exit(await main(process.argv.slice(2)).catch(failed));
