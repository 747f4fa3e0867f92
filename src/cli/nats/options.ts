/** The options by which a command reaches a NATS server: declared, read and checked before anything is started. */
import { accessSync, constants } from "node:fs";
import { describeError } from "../../core/describe-error.ts";
import { dialNats, listenNats, type NatsConnectionLike } from "../../transports/nats/index.ts";
import { isLoopback } from "../../transports/websocket/address.ts";
import { usage } from "../terminal/errors.ts";
import type { FlagRules, Flags } from "../terminal/flags.ts";

/** What both commands take beside the address. */
export const NATS_FLAGS: FlagRules = {
  creds: {
    value: "<file>",
    variable: "POWERHOSE_CREDS",
    help: "with nats://: the file of credentials that the server's operator gave out",
  },
  user: { value: "<name>", variable: "POWERHOSE_USER", help: "with nats://: the user at the server" },
  password: {
    value: "<secret>",
    variable: "POWERHOSE_PASSWORD",
    help: "its password; better set POWERHOSE_PASSWORD, which ps does not show",
  },
};

/** The fleet of an address without a path. */
const DEFAULT_FLEET = "jobs";
/** The principal of a worker that names neither itself nor a user. */
const DEFAULT_PRINCIPAL = "worker";

/** A server, a fleet at it, and what is shown to it. */
export interface NatsAddress {
  /** `nats://127.0.0.1:4222` or `tls://…`. */
  readonly server: string;
  readonly isEncrypted: boolean;
  readonly fleet: string;
  /** The whole, as it can be typed: `nats://127.0.0.1:4222/jobs`. */
  readonly shown: string;
  /** Whether only this machine can be reached by it. */
  readonly isLocal: boolean;
  readonly creds: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
}

/** Whether a text is the address of a NATS server. */
export function isNatsAddress(text: string): boolean {
  return /^(?:nats|tls):/i.test(text);
}

/**
 * Reads `nats://host[:port][/fleet]`, or `tls://…`, with what is shown to the server.
 * @throws CommandError (usage) when something is wrong with it.
 */
export function readNatsAddress(option: string, text: string, flags: Flags): NatsAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.host === "" || url.search !== "" || url.hash !== "")
    throw usage(`--${option}: expected nats://host:port/fleet, got "${text}"`);
  if (url.username !== "" || url.password !== "")
    throw usage(`--${option}: no name or password in the URL; use --user and POWERHOSE_PASSWORD, or --creds`);
  const isEncrypted = url.protocol === "tls:";
  const isLocal = isLoopback(url.hostname);
  const server = `${url.protocol}//${url.hostname}:${url.port === "" ? "4222" : url.port}`;
  if (!isEncrypted && !isLocal && !flags.has("allow-insecure"))
    throw usage(
      `--${option}: ${server}: refusing to send jobs and credentials in the clear to another machine; use tls:, or --allow-insecure`,
    );
  const fleet = url.pathname.replace(/^\/|\/$/g, "") || DEFAULT_FLEET;
  checkFleet(option, fleet);
  return { server, isEncrypted, fleet, shown: `${server}/${fleet}`, isLocal, ...readCredentials(flags) };
}

/**
 * Reads `--principal`, else the user.
 * @throws CommandError (usage) when it cannot be one.
 */
export function readPrincipal(flags: Flags, { user }: NatsAddress): string {
  const principal = flags.text("principal") ?? user ?? DEFAULT_PRINCIPAL;
  try {
    dialNats(UNUSED, { fleet: DEFAULT_FLEET, principal });
    return principal;
  } catch (error) {
    throw usage(`--principal: ${describeError(error)}`, error);
  }
}

/**
 * Refuses what only a NATS server is shown where there is none. Only when typed: the environment may hold it for other runs.
 * @throws CommandError (usage) when there is such an option.
 */
export function refuseNatsFlags(flags: Flags, names: readonly string[], example: string): void {
  for (const name of names) {
    if (flags.typed(name) !== undefined) throw usage(`--${name}: it is for a NATS server, as in ${example}`);
  }
}

/** A connection for checks, which need none. */
const UNUSED: NatsConnectionLike = {
  isClosed: () => true,
  publish: () => undefined,
  subscribe: () => ({ unsubscribe: () => undefined }),
  flush: () => Promise.resolve(),
  status: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }) }),
};

function checkFleet(option: string, fleet: string): void {
  try {
    listenNats(UNUSED, { fleet });
  } catch (error) {
    throw usage(`--${option}: ${describeError(error)}`, error);
  }
}

function readCredentials(flags: Flags): Pick<NatsAddress, "creds" | "user" | "password" | "token"> {
  const [creds, user, password, token] = ["creds", "user", "password", "token"].map((name) => flags.text(name));
  if (token === "") throw usage("--token: expected a token, got an empty one");
  if ((user === undefined) !== (password === undefined))
    throw usage("--user and --password go together; better set POWERHOSE_PASSWORD");
  if ([creds, user, token].filter((one) => one !== undefined).length > 1)
    throw usage("--creds, --user and --token exclude each other: the server is shown one of them");
  if (creds !== undefined) checkReadable(creds);
  return { creds, user, password, token };
}

function checkReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw usage(`--creds: cannot read ${file}: ${describeError(error)}`, error);
  }
}
