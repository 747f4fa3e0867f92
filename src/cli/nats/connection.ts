/**
 * A command's connection to a NATS server. The official client is loaded when an address asks for it, and not before: it is no
 * dependency of this package.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Authenticator, ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { describeError } from "../../core/describe-error.ts";
import { AuthError, type Dialer, type Listener, type ListenerContext, type Socket } from "../../index.ts";
import { dialNats, listenNats } from "../../transports/nats/index.ts";
import { usage } from "../terminal/errors.ts";
import type { NatsAddress } from "./options.ts";

/** What is used of the client. */
interface NatsClient {
  connect(options: ConnectionOptions): Promise<NatsConnection>;
  credsAuthenticator(creds: () => Uint8Array): Authenticator;
}
type Import = (specifier: string) => Promise<unknown>;

const CLIENT = "@nats-io/transport-node";
/** How long one server may take to answer, in ms. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Pauses between two attempts of the client to come back, in ms. */
const RECONNECT_MS = 500;

/**
 * Loads the client: from beside this package, else from the current directory, as `npx` keeps this package elsewhere.
 * @throws CommandError (usage) when it is not installed.
 */
export async function loadNatsClient(importModule: Import = (specifier) => import(specifier)): Promise<NatsClient> {
  try {
    return (await importModule(CLIENT)) as NatsClient;
  } catch {
    try {
      const path = createRequire(join(process.cwd(), "package.json")).resolve(CLIENT);
      return (await importModule(pathToFileURL(path).href)) as NatsClient;
    } catch (error) {
      throw usage(`nats: the NATS client is not installed; run \`npm install ${CLIENT}\``, error);
    }
  }
}

/** What `promise` resolves to, unless the signal is aborted before. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject: (error: unknown) => void) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** One command's connection, made when it is needed first. */
export class NatsLink {
  readonly address: NatsAddress;
  #client: NatsClient | undefined;
  #connecting: Promise<NatsConnection> | undefined;

  constructor(address: NatsAddress) {
    this.address = address;
  }

  /** Throws what `loadNatsClient` throws. */
  async load(): Promise<void> {
    this.#client = await loadNatsClient();
  }

  /** The connection. Rejects with an `AuthError` when the server refuses it, or with an `Error`; then it may be asked again. */
  async connect(): Promise<NatsConnection> {
    const connecting = (this.#connecting ??= this.#open());
    try {
      const nc = await connecting;
      if (!nc.isClosed()) return nc;
    } catch (error) {
      if (this.#connecting === connecting) this.#connecting = undefined;
      throw error;
    }
    if (this.#connecting === connecting) this.#connecting = undefined;
    return await this.connect();
  }

  /** Closes the connection, if there is one, behind what was sent. */
  async close(): Promise<void> {
    const nc = await this.#connecting?.catch(() => undefined);
    this.#connecting = undefined;
    await nc?.[Symbol.asyncDispose]().catch(() => undefined);
  }

  async #open(): Promise<NatsConnection> {
    const client = (this.#client ??= await loadNatsClient());
    try {
      return await client.connect(this.#options(client));
    } catch (error) {
      const message = `could not connect to ${this.address.shown}: ${describeError(error)}`;
      const isRefused = error instanceof Error && error.name === "AuthorizationError";
      throw isRefused ? new AuthError(message, { cause: error }) : new Error(message, { cause: error });
    }
  }

  #options(client: NatsClient): ConnectionOptions {
    const { server, isEncrypted, user, password, token, creds } = this.address;
    return {
      servers: server,
      name: "powerhose",
      timeout: CONNECT_TIMEOUT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_MS,
      ...(isEncrypted ? { tls: {} } : {}),
      ...(user === undefined || password === undefined ? {} : { user, pass: password }),
      ...(token === undefined ? {} : { token }),
      ...(creds === undefined ? {} : { authenticator: client.credsAuthenticator(() => readFileSync(creds)) }),
    };
  }
}

/** A dialer over a connection that is made at the first dial. */
export function dialOver(link: NatsLink, principal: string): Dialer {
  let dialled: { readonly nc: NatsConnection; readonly dialer: Dialer } | undefined;
  return {
    dial: async (signal, limits) => {
      const nc = await unlessAborted(link.connect(), signal);
      if (dialled?.nc !== nc) dialled = { nc, dialer: dialNats(nc, { fleet: link.address.fleet, principal }) };
      return await dialled.dialer.dial(signal, limits);
    },
  };
}

/** A listener over a connection that is made when it starts, and closed when it stops. */
export class NatsLinkListener implements Listener {
  readonly address: string;
  readonly #link: NatsLink;
  #listener: Listener | undefined;

  constructor(link: NatsLink) {
    this.#link = link;
    this.address = link.address.shown;
  }

  async start(accept: (socket: Socket) => void, context: ListenerContext): Promise<void> {
    this.#listener ??= listenNats(await this.#link.connect(), { fleet: this.#link.address.fleet });
    await this.#listener.start(accept, context);
  }

  async stop(): Promise<void> {
    await this.#listener?.stop();
    this.#listener = undefined;
    await this.#link.close();
  }
}
