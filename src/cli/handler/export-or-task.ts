/** Finds what a command was told behind the `#` of a module: an export, or else a task of the default export. */
import { type HandlerTasks, tasksOf } from "../../core/worker/handler-lifecycle.ts";
import { type Handler, WorkerStartError } from "../../index.ts";
import { loadHandler } from "../../threads/load.ts";

/**
 * Imports the module and returns the handler.
 * @param shown - What the module is called in messages.
 * @throws WorkerStartError when the module does not load, or has neither an export nor a task of that name.
 */
export async function loadExportOrTask(module: string, name: string, shown: string): Promise<Handler> {
  try {
    return await loadHandler(module, name, shown);
  } catch (error) {
    const found = name === "default" ? undefined : await defaultTasks(module, shown);
    if (found === undefined) throw error;
    const { handler, tasks } = found;
    if (tasks.names.includes(name)) return handler;
    throw new WorkerStartError(
      `${shown} has no export and no task \`${name}\`; it has the tasks ${tasks.names.join(", ")}`,
    );
  }
}

/** The default export, if it has tasks. */
async function defaultTasks(
  module: string,
  shown: string,
): Promise<{ readonly handler: Handler; readonly tasks: HandlerTasks } | undefined> {
  try {
    const handler = await loadHandler(module, "default", shown);
    const tasks = tasksOf(handler);
    return tasks === undefined ? undefined : { handler, tasks };
  } catch {
    return undefined;
  }
}
