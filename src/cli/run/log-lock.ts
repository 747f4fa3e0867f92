/**
 * The lock of a job log: a file beside it that names the process whose log it is. Two runs with one log would do all the work
 * twice. A lock whose process is gone, killed for instance, is taken over.
 */
import { linkSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { codeOf, usage } from "../terminal/errors.ts";

/** What a lock file says of its process. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process started, in the host's own unit; empty where it is not told. A number is given to many processes in turn. */
  readonly started: string;
}

/** Locks of this process: its own number in a file of another life means nothing. */
const HELD = new Set<LogLock>();

/** A lock that is held until it is released, or the process exits. */
export class LogLock {
  readonly #path: string;
  readonly #text: string;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /**
   * Takes the lock of a log that exists. In a folder that takes no new file there is none.
   * @throws CommandError (usage) when another run holds it.
   */
  static take(log: string): LogLock {
    const path = `${realpathSync(log)}.lock`;
    const holder: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid) };
    const lock = new LogLock(path, `${JSON.stringify(holder)}\n`);
    for (;;) {
      const code = lock.#create();
      if (code === undefined) break;
      if (code !== "EEXIST") return lock;
      const text = textOf(path);
      if (text === undefined) continue;
      if (isHeld(text, path))
        throw usage(`--joblog: ${log} is in use by ${describe(text)}; wait for that run, or remove ${path}`);
      takeAway(path, text);
    }
    HELD.add(lock);
    process.once("exit", lock.release);
    return lock;
  }

  /** Removes the lock file, unless it is another run's by now. May be called twice. */
  readonly release = (): void => {
    process.off("exit", this.release);
    if (HELD.delete(this) && textOf(this.#path) === this.#text) rmSync(this.#path, { force: true });
  };

  /** Creates the file, whole from its first moment; the host's code when that fails. */
  #create(): string | undefined {
    const whole = `${this.#path}.${process.pid}`;
    try {
      writeFileSync(whole, this.#text);
      linkSync(whole, this.#path);
      return undefined;
    } catch (error) {
      return codeOf(error);
    } finally {
      rmSync(whole, { force: true });
    }
  }

  /** Whether this process holds the lock of that path. */
  static holds(path: string): boolean {
    return [...HELD].some((lock) => lock.#path === path);
  }
}

/** Removes a lock that was read as `text`. Another run may have taken it over meanwhile: then it is put back. */
function takeAway(path: string, text: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (textOf(aside) !== text) linkSync(aside, path);
    rmSync(aside, { force: true });
  } catch {
    // Another run was faster: the next try to create the lock shows what there is.
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function read(text: string): Holder | undefined {
  try {
    const { pid, host, started } = JSON.parse(text) as Partial<Holder>;
    const isHolder = typeof pid === "number" && typeof host === "string" && typeof started === "string";
    return isHolder ? { pid, host, started } : undefined;
  } catch {
    return undefined;
  }
}

/** A lock of another machine is taken at its word; one that cannot be read was torn by a crash. */
function isHeld(text: string, path: string): boolean {
  const holder = read(text);
  if (holder === undefined) return false;
  if (holder.host !== hostname()) return true;
  if (holder.pid === process.pid) return LogLock.holds(path);
  return isAlive(holder.pid) && holder.started === startOf(holder.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

/** When a process started, as Linux tells; empty elsewhere. */
function startOf(pid: number): string {
  const stat = textOf(`/proc/${pid}/stat`) ?? "";
  // The name before the last bracket may hold spaces.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function describe(text: string): string {
  const { pid = 0, host = "" } = read(text) ?? {};
  return `process ${pid}${host === hostname() ? "" : ` on ${host}`}`;
}
