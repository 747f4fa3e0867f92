/**
 * Keeps jobs flowing and judges every single one: its value must be that of this very job, and an error is a loss unless the
 * fault explains it. Who runs the jobs, and what is done to them meanwhile, is the row's business.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Payload } from "powerhose";
import type { Finding } from "../section.ts";
import { Chance } from "./chance.ts";
import { MAX_WAIT_MS } from "./waiting.ts";
import { figure, none } from "./row.ts";

/** How an audit is done. */
export interface AuditOptions {
  /** Part of every job's id. */
  readonly name: string;
  /** Where the lengths of the jobs come from. */
  readonly seed?: number;
  /** How long a handler may wait at most, in ms; default 20. */
  readonly longest?: number;
  /** The most that is added to a job's data, in characters; default 200. */
  readonly filler?: number;
  /** Runs one job. */
  execute(data: string): Promise<Payload>;
  /** Whether the fault explains an error; default never. */
  excuse?(error: unknown): boolean;
}

/** After an error, in ms: a runner that refuses at once must not be asked in a loop. */
const BREATH = 10;

/** What an error is counted as. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, kind } = error as { code?: unknown; kind?: unknown };
  return [code ?? error.name, kind].filter((part) => typeof part === "string").join(" ");
}

/** A flow of jobs, each of which is judged. */
export class Audit implements AsyncDisposable {
  /** How many answers came from which worker, since it was last cleared. */
  readonly servedBy: Map<string, number> = new Map();
  readonly #options: AuditOptions;
  readonly #chance: Chance;
  readonly #lanes: Promise<void>[] = [];
  readonly #losses = new Map<string, number>();
  #ended = false;
  #open = 0;
  #submitted = 0;
  #right = 0;
  #wrong = 0;
  #excused = 0;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#chance = new Chance(options.seed ?? 1);
  }

  /** Jobs submitted so far. */
  get submitted(): number {
    return this.#submitted;
  }

  /** Jobs answered rightly so far. */
  get right(): number {
    return this.#right;
  }

  /** Jobs that failed in a way the fault explains. */
  get excused(): number {
    return this.#excused;
  }

  /** Keeps so many jobs under way from now on. */
  begin(lanes: number): void {
    for (let lane = 0; lane < lanes; lane++) this.#lanes.push(this.#lane());
  }

  /** Submits no more, and waits until all have settled, or for so long that they never will. May be called twice. */
  async end(): Promise<void> {
    this.#ended = true;
    const over = new AbortController();
    const deadline = sleep(MAX_WAIT_MS, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#lanes), deadline]);
    over.abort();
    await deadline;
  }

  /** {@link Audit.end}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  /** What is promised of all jobs: none lost, none wrong, none pending. After the end. */
  findings(about: string): readonly Finding[] {
    const losses = [...this.#losses].map(([name, count]) => `${name} × ${figure(count)}`);
    const lost = [...this.#losses.values()].reduce((sum, count) => sum + count, 0);
    const found = none(`${about}: jobs lost`, lost, this.#submitted);
    return [
      { ...found, figure: [found.figure, ...losses].join(", "), ok: found.ok && this.#right > 0 },
      none(`${about}: wrong results`, this.#wrong, this.#submitted),
      none(`${about}: jobs pending in the end`, this.#open, this.#submitted),
    ];
  }

  async #lane(): Promise<void> {
    while (!this.#ended) {
      if (!(await this.#one())) await sleep(BREATH);
    }
  }

  async #one(): Promise<boolean> {
    const { name, longest = 20, filler = 200 } = this.#options;
    const id = `${name}-${++this.#submitted}`;
    const data = `${id} ${this.#chance.between(0, longest)} ${"x".repeat(this.#chance.between(0, filler))}`;
    this.#open++;
    try {
      this.#judge(data, await this.#options.execute(data));
      return true;
    } catch (error) {
      if (this.#options.excuse?.(error) === true) this.#excused++;
      else this.#losses.set(nameOf(error), (this.#losses.get(nameOf(error)) ?? 0) + 1);
      return false;
    } finally {
      this.#open--;
    }
  }

  #judge(data: string, value: Payload): void {
    const [hash, identity] = String(value).split(" ");
    if (hash !== createHash("sha256").update(data).digest("hex") || identity === undefined) {
      this.#wrong++;
      return;
    }
    this.#right++;
    this.servedBy.set(identity, (this.servedBy.get(identity) ?? 0) + 1);
  }
}
