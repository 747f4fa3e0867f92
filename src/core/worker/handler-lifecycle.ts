/**
 * A handler of named tasks as its worker sees it: the names it announces, what runs before the first job and after the last.
 * Such a handler is made by `tasks` of powerhose/tasks, which the core does not know: what they share is the symbol here.
 */
import type { Clock } from "../time/clock.ts";
import { Deferred } from "../async/deferred.ts";
import type { FieldValues } from "./error-fields.ts";
import { Timer } from "../time/timer.ts";

/** Where a handler of tasks keeps what it says of itself; of the registry, so that another copy of the package is known. */
export const TASKS: unique symbol = Symbol.for("powerhose.tasks") as never;

/** What a handler of tasks says of itself. */
export interface HandlerTasks {
  /** The names of its tasks. */
  readonly names: readonly string[];
  /** The schemas of inputs, by task; what is in them is for `powerhose tasks`. */
  readonly schemas?: ReadonlyMap<string, object> | undefined;
  /** Makes values of the fields of one error that a task has thrown; absent: they are told as JSON. */
  readonly fieldValues?: (() => FieldValues) | undefined;
  /** Called before the worker registers. What it throws fails the start. */
  readonly init?: (() => unknown) | undefined;
  /** Called after the last job. */
  readonly close?: (() => unknown) | undefined;
}

/** What a handler says of its tasks; `undefined` for one that takes any job. */
export function tasksOf(handler: object): HandlerTasks | undefined {
  return TASKS in handler ? (handler[TASKS] as HandlerTasks) : undefined;
}

/** Marks a handler as one of tasks. */
export function withTasks<H extends object>(handler: H, tasks: HandlerTasks): H {
  return Object.defineProperty(handler, TASKS, { value: tasks });
}

/** Marks `wrapper`, which calls `handler`, as that one is marked. */
export function likeHandler<H extends object>(wrapper: H, handler: object): H {
  const tasks = tasksOf(handler);
  return tasks === undefined ? wrapper : withTasks(wrapper, tasks);
}

/** Begins and ends a handler of tasks once. */
export class HandlerLifecycle {
  readonly #tasks: HandlerTasks;
  readonly #idle = new Deferred<void>();
  #init: Promise<unknown> | undefined;

  constructor(tasks: HandlerTasks) {
    this.#tasks = tasks;
  }

  /** @throws what `init` throws. */
  async start(): Promise<void> {
    this.#init = (async (): Promise<unknown> => this.#tasks.init?.())();
    await this.#init;
  }

  /** No handler runs any more, nor will one. */
  onIdle(): void {
    this.#idle.resolve();
  }

  /**
   * Ends what `start` began, once no handler runs, or `limit` ms later; waits as long for `close` itself.
   * @throws what `close` throws.
   */
  async stop(clock: Clock, limit: number): Promise<void> {
    // What did not begin, or began in vain, has nothing to end.
    const hasBegun = await this.#init?.then(
      () => true,
      () => false,
    );
    if (hasBegun !== true || this.#tasks.close === undefined) return;
    const { close } = this.#tasks;
    await within(clock, limit, this.#idle.promise);
    await within(clock, limit, (async (): Promise<unknown> => close())());
  }
}

/** Waits for `work`, `limit` ms at most. */
async function within(clock: Clock, limit: number, work: Promise<unknown>): Promise<void> {
  const over = new Deferred<void>();
  const timer = new Timer(clock, true, () => over.resolve());
  timer.set(limit);
  try {
    await Promise.race([work, over.promise]);
  } finally {
    timer.drop();
  }
}
