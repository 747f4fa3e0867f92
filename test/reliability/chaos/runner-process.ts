/** A runner in a process of its own, which can be killed and started again in the same place, or stopped and continued. */
import type { GoneReason, RunnerOptions } from "powerhose";
import { Child } from "./child.ts";
import { needed } from "./waiting.ts";

/** What the process tells. */
type Told =
  | { readonly type: "listening" }
  | { readonly type: "retried" }
  | { readonly type: "joined"; readonly identity: string; readonly after: number }
  | { readonly type: "gone"; readonly identity: string; readonly reason: GoneReason }
  | { readonly type: "settled"; readonly id: number; readonly value: string }
  | { readonly type: "settled"; readonly id: number; readonly code: string; readonly message: string };

/** Why a call has no outcome: the runner was killed with it, and its queue lived in its memory. */
export class RunnerKilled extends Error {
  override readonly name = "RunnerKilled";
}

/** What the runner told of a job that failed, across the boundary of the process. */
class RemoteFailure extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface Waiting {
  readonly data: string;
  readonly resolve: (value: string) => void;
  readonly reject: (error: Error) => void;
}

/** A runner process at a fixed port. */
export class RunnerProcess implements AsyncDisposable {
  readonly #settings: { readonly port: number; readonly runner: RunnerOptions };
  readonly #registered = new Set<string>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #gone = new Map<GoneReason, number>();
  #child: Child | undefined;
  #listening = false;
  #lastId = 0;
  #retries = 0;
  #joins = 0;
  #lastJoin = 0;

  constructor(port: number, runner: RunnerOptions) {
    this.#settings = { port, runner };
  }

  /** Where workers dial. */
  get url(): string {
    return `ws://127.0.0.1:${this.#settings.port}/`;
  }

  /** The names of the workers registered now. */
  get registered(): ReadonlySet<string> {
    return this.#registered;
  }

  /** Attempts that were followed by another, in all its lives. */
  get retries(): number {
    return this.#retries;
  }

  /** How often a worker registered, in all its lives. */
  get joins(): number {
    return this.#joins;
  }

  /** When the latest worker joined, in ms since it began to listen, on its own clock. */
  get lastJoin(): number {
    return this.#lastJoin;
  }

  /** Sessions that ended, for a reason or for any. */
  sessionsGone(reason?: GoneReason): number {
    if (reason !== undefined) return this.#gone.get(reason) ?? 0;
    return [...this.#gone.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Starts it, and resolves once it listens. Throws when it does not. */
  async start(): Promise<void> {
    const child: Child = new Child("chaos-runner.js", this.#settings, (message) => {
      // What is still read from a dead one is no news of the one that took its place.
      if (this.#child === child) this.#heard(message as Told);
    });
    this.#child = child;
    await needed(
      "the runner listens",
      () => this.#listening || child.isGone,
      () => child.said,
    );
    if (!this.#listening) throw new Error(`the runner did not start: ${child.said}`);
  }

  /** SIGKILL. Its calls are rejected with {@link RunnerKilled}. */
  async kill(): Promise<void> {
    this.#listening = false;
    const child = this.#child;
    this.#child = undefined;
    child?.kill();
    await child?.ended;
    this.#registered.clear();
    const lost = [...this.#waiting];
    this.#waiting.clear();
    for (const [, { reject }] of lost) reject(new RunnerKilled("the runner was killed"));
  }

  /** SIGSTOP. */
  stop(): void {
    this.#child?.stop();
  }

  /** SIGCONT. */
  go(): void {
    this.#child?.go();
  }

  /** Has it run a job: now, or as soon as it listens again. */
  execute(data: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { data, resolve, reject });
      if (this.#listening) this.#child?.tell({ id, data });
    });
  }

  /** Kills it for good. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #heard(told: Told): void {
    switch (told.type) {
      case "listening":
        this.#listening = true;
        for (const [id, { data }] of this.#waiting) this.#child?.tell({ id, data });
        return;
      case "retried":
        this.#retries++;
        return;
      case "joined":
        this.#registered.add(told.identity);
        this.#joins++;
        this.#lastJoin = told.after;
        return;
      case "gone":
        this.#registered.delete(told.identity);
        this.#gone.set(told.reason, this.sessionsGone(told.reason) + 1);
        return;
      case "settled":
        this.#settled(told);
    }
  }

  #settled(told: Told & { readonly type: "settled" }): void {
    const waiting = this.#waiting.get(told.id);
    this.#waiting.delete(told.id);
    if ("value" in told) waiting?.resolve(told.value);
    else waiting?.reject(new RemoteFailure(told.code, told.message));
  }
}
