/** Where a run listens for remote workers, and how other machines would call that place. Binds nothing. */
import { hostname, networkInterfaces } from "node:os";
import { codeOf, CommandError, usage, messageOf } from "../terminal/errors.ts";

/** An address to bind. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** The address when only a port is named: this machine alone. */
const LOOPBACK = "127.0.0.1";

/**
 * Reads `7070`, `:7070`, `0.0.0.0:7070` or `[::1]:7070`; port 0 means any free one.
 * @throws CommandError (usage) when it is anything else.
 */
export function readListenAddress(text: string): ListenAddress {
  const parts = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3] ?? Number.NaN);
  if (!(port <= 65_535)) throw usage(`--listen: expected [host:]port, such as 7070 or 0.0.0.0:7070, got "${text}"`);
  const host = parts?.[1] ?? parts?.[2] ?? "";
  return { host: host === "" ? LOOPBACK : host, port };
}

/** Why a listener could not have its address, as one line; anything that is not about the address is handed back as it is. */
export function listenFault(error: unknown, { host, port }: ListenAddress): unknown {
  if (!(error instanceof Error && error.message.startsWith("cannot listen on "))) return error;
  const { cause } = error;
  const why = codeOf(cause) === "EADDRINUSE" ? "the port is in use; 0 takes a free one" : messageOf(cause);
  return new CommandError(`cannot listen on ${host}:${port}: ${why}`, undefined, { cause: error });
}

/** The URL a worker dials; for a wildcard address, that of this machine in its network. */
export function workerUrl(host: string, port: number): string {
  const name = host === "0.0.0.0" || host === "::" ? ownName() : host;
  return `ws://${name.includes(":") ? `[${name}]` : name}:${port}/`;
}

function ownName(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    const outside = addresses?.find(({ family, internal }) => family === "IPv4" && !internal);
    if (outside !== undefined) return outside.address;
  }
  return hostname();
}
