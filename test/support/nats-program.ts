/** nats-server as a program: where it is, and how it is started. What tests do with it is in nats-server.ts. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** The reason of a skip when there is none. */
export const WITHOUT_NATS = "no nats-server: set NATS_SERVERS, or install one (Debian: apt-get install nats-server)";

/** Where Debian puts it, which is not on every user's path. */
const ITS_FOLDER = "/usr/sbin";

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The servers to test with: those of `NATS_SERVERS` (paths with `:` between them, the first for most tests), else the one on the
 * `PATH` or in `/usr/sbin`; empty when there is none.
 * @throws Error when `NATS_SERVERS` names what is no program: setting it means that the suites must not be skipped.
 */
export function findNatsServers(env: Readonly<Record<string, string | undefined>> = process.env): readonly string[] {
  const { NATS_SERVERS: given = "", PATH: path = "" } = env;
  const named = given.split(delimiter).filter((one) => one !== "");
  for (const one of named) if (!isProgram(one)) throw new Error(`NATS_SERVERS names ${one}, which is not a program`);
  if (named.length > 0) return named;
  const folders = [...path.split(delimiter).filter((folder) => folder !== ""), ITS_FOLDER];
  const found = folders.map((folder) => join(folder, "nats-server")).find(isProgram);
  return found === undefined || path === "" ? [] : [found];
}

/** What it says of where it listens besides. */
const ROUTES = /route connections on (\S+)\s/;
const WEB_SOCKETS = /websocket clients on (\S+)\s/;

/** How one is started. */
export interface NatsStart {
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A server that runs. */
export class NatsServer implements AsyncDisposable {
  /** Where clients connect: `127.0.0.1:40123`. */
  readonly address: string;
  /** Where other servers of its cluster connect, if it has one. */
  readonly routes: string | undefined;
  /** Where WebSockets connect, if they may: `ws://127.0.0.1:40124`. */
  readonly webSocket: string | undefined;
  /** Its version, as it says. */
  readonly version: string;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(process: ChildProcess, folder: string, log: string) {
    this.#process = process;
    this.#folder = folder;
    this.address = /client connections on (\S+)/.exec(log)?.[1] ?? "";
    this.routes = ROUTES.exec(log)?.[1];
    this.webSocket = WEB_SOCKETS.exec(log)?.[1];
    this.version = /Version: +(\S+)/.exec(log)?.[1] ?? "";
  }

  /**
   * Starts one on a free port of the loopback, or on `port`; `config` is added to its configuration, which may name variables
   * of `env`. The caller disposes of it.
   */
  static async start(program: string, config = "", { port = -1, env = {} }: NatsStart = {}): Promise<NatsServer> {
    const folder = mkdtempSync(join(tmpdir(), "powerhose-nats-"));
    const file = join(folder, "nats.conf");
    writeFileSync(file, `listen: "127.0.0.1:${port}"\n${config}\n`);
    const child = spawn(program, ["-c", file], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env },
    });
    const log = await NatsServer.#ready(child, config);
    return new NatsServer(child, folder, log);
  }

  static #ready(child: ChildProcess, config: string): Promise<string> {
    // These lines come in any order.
    const expected = [/Server is ready/];
    if (config.includes("cluster {")) expected.push(ROUTES);
    if (config.includes("websocket {")) expected.push(WEB_SOCKETS);
    const isReady = (log: string): boolean => expected.every((line) => line.test(log));
    return new Promise((resolve, reject: (error: Error) => void) => {
      let log = "";
      child.stderr?.setEncoding("utf8");
      // Read to the end: on a full pipe the server would stand still.
      child.stderr?.on("data", (text: string) => {
        if (isReady(log)) return;
        log += text;
        if (isReady(log)) resolve(log);
      });
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`nats-server did not start: ${log}`)));
    });
  }

  /** Sends it a signal: `SIGSTOP`, `SIGCONT`. */
  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Ends it at once, as a crash would. May be called twice. */
  async kill(): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
