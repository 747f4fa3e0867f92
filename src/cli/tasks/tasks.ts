/** `powerhose tasks`: the tasks of a module, and the JSON Schemas of their inputs where their library can tell them. */
import { tasksOf } from "../../core/worker/handler-lifecycle.ts";
import { WorkerStartError } from "../../index.ts";
import { type ModuleName, readModuleName } from "../handler/module-path.ts";
import { loadHandler } from "../../threads/load.ts";
import { usage } from "../terminal/errors.ts";
import type { Flags } from "../terminal/flags.ts";
import type { CommandSpec } from "../terminal/help.ts";

/** The command, its options and its help. */
export const TASKS_COMMAND: CommandSpec = {
  about:
    "Lists the tasks of a module, one a line, with the JSON Schema of its input where the schema's library has one.",
  synopsis: { "powerhose tasks [options] <module>[#export]": "" },
  notes: "The module is loaded, and no task is run.",
  options: { Options: { json: { help: "one JSON value: a list of { name, input }" } } },
  examples: ["powerhose tasks images.js", "powerhose tasks --json images.js | jq '.[].name'"],
  exitCodes: "0 listed, 2 the command line is wrong or the module has no tasks",
};

/** The version of JSON Schema that is asked for. */
const TARGET = "draft-2020-12";

/** One task, as it is listed. */
interface ListedTask {
  readonly name: string;
  /** The JSON Schema of its input. */
  readonly input?: unknown;
}

/**
 * Loads the module and returns what is printed.
 * @throws CommandError (usage) when the command line is wrong, or the module has no tasks.
 */
export async function listTasks(flags: Flags): Promise<string> {
  const [typed, ...rest] = flags.operands;
  if (rest.length > 0) throw usage(`unexpected ${rest.join(" ")}: name one module`);
  const tasks = await tasksIn(readModuleName(typed));
  if (flags.has("json")) return JSON.stringify(tasks, undefined, 2);
  return tasks.map(({ name, input }) => (input === undefined ? name : `${name}\t${JSON.stringify(input)}`)).join("\n");
}

async function tasksIn({ url, exportName, path, typed }: ModuleName): Promise<ListedTask[]> {
  const tasks = tasksOf(await handlerOf(url.href, exportName, path));
  if (tasks === undefined) throw usage(`${typed} has a handler of jobs and no tasks: it is run as it is`);
  return tasks.names.map((name) => {
    const input = jsonSchemaOf(tasks.schemas?.get(name));
    return input === undefined ? { name } : { name, input };
  });
}

async function handlerOf(url: string, exportName: string, path: string): Promise<object> {
  // What the module prints is no part of the list.
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  try {
    return await loadHandler(url, exportName, path);
  } catch (error) {
    if (error instanceof WorkerStartError) throw usage(error.message, error);
    throw error;
  } finally {
    process.stdout.write = write;
  }
}

/** By [Standard JSON Schema](https://standardschema.dev/json-schema); a library may refuse what has no such form. */
function jsonSchemaOf(schema: object | undefined): unknown {
  try {
    const standard: unknown = schema === undefined ? undefined : Reflect.get(schema, "~standard");
    const converter = fieldOf(standard, "jsonSchema");
    const input = fieldOf(converter, "input");
    return typeof input === "function" ? (Reflect.apply(input, converter, [{ target: TARGET }]) as unknown) : undefined;
  } catch {
    return undefined;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
