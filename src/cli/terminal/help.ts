/** Prints the help of a command from the declaration its arguments are read by. */
import { type FlagRule, type FlagRules, HELP_FLAG } from "./flags.ts";

/** A command, as it is read and as its help shows it. */
export interface CommandSpec {
  /** The first paragraph. */
  readonly about: string;
  /** How it is called, and what each form does. */
  readonly synopsis: Readonly<Record<string, string>>;
  /** Paragraphs behind the synopsis. */
  readonly notes?: string;
  /** Options by the title of their group. */
  readonly options: Readonly<Record<string, FlagRules>>;
  readonly examples: readonly string[];
  /** What a signal does, if anything. */
  readonly signals?: string;
  /** Environment variables that belong to no option. */
  readonly variables?: readonly string[];
  readonly exitCodes: string;
}

const WIDTH = 100; // columns
/** Where the descriptions begin. */
const COLUMN = 27;

/** All options of a command. */
export function flagsOf(command: CommandSpec): FlagRules {
  return Object.assign({}, ...Object.values(command.options), HELP_FLAG) as FlagRules;
}

/** The help of one command. */
export function helpText(command: CommandSpec): string {
  const { about, synopsis, notes, options, examples, signals, variables = [], exitCodes } = command;
  const twins = Object.values(flagsOf(command)).flatMap(({ variable }) => variable ?? []);
  const environment = [...twins, ...variables].join(", ");
  return [
    wrap(about),
    forms(synopsis),
    ...(notes === undefined ? [] : [notes]),
    ...Object.entries(options).map(([title, rules]) => group(title, rules)),
    ["Examples:", ...examples.map((example) => `  ${example}`)].join("\n"),
    [
      ...(signals === undefined ? [] : [wrap(`Signals: ${signals}.`)]),
      ...(environment === "" ? [] : [wrap(`Environment: ${environment}.`)]),
      wrap(`Exit codes: ${exitCodes}.`),
    ].join("\n"),
  ].join("\n\n");
}

function forms(synopsis: Readonly<Record<string, string>>): string {
  const column = Math.max(...Object.keys(synopsis).map((form) => form.length)) + 4;
  return Object.entries(synopsis)
    .map(([form, does]) => `  ${form.padEnd(does === "" ? 0 : column)}${does}`)
    .join("\n");
}

function group(title: string, rules: FlagRules): string {
  return [`${title}:`, ...Object.entries(rules).map(([name, rule]) => option(name, rule))].join("\n");
}

function option(name: string, { short, value, help }: FlagRule): string {
  const left = `  ${short === undefined ? "   " : `-${short},`} --${name}${value === undefined ? "" : ` ${value}`}`;
  const indent = " ".repeat(COLUMN);
  const [first = "", ...more] = wrapped(help, WIDTH - COLUMN);
  const head = left.length + 2 > COLUMN ? `${left}\n${indent}${first}` : left.padEnd(COLUMN) + first;
  return [head, ...more.map((line) => indent + line)].join("\n");
}

function wrap(text: string): string {
  return wrapped(text, WIDTH).join("\n");
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
