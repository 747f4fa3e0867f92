/**
 * The principals that transports give their own peers, such as the threads of a process. They are reserved: `authenticate` and
 * tickets cannot give one to a remote client, which could then replace a thread by registering under its identity.
 */

/** Peers of this process: threads, Web Workers, message ports, workers over memory. */
export const LOCAL = "local";
/** Peers that a WebSocket listener without token and hook lets in. */
export const LOOPBACK = "loopback";
/** Peers that showed the token of a WebSocket listener. */
export const TOKEN_HOLDER = "token";

/** Principals that transports give out themselves; no guest can be called so. */
export const RESERVED_PRINCIPALS: readonly string[] = Object.freeze([LOCAL, LOOPBACK, TOKEN_HOLDER]);

/** How the principal of a dialled peer begins. */
const DIALLED = /^(?:wss?(?:\+unix)?|nats):/;

/** The parts of an address that name a server. */
interface DialledAddress {
  readonly protocol: string;
  readonly host: string;
  readonly pathname: string;
}

/** The principal of a peer that was dialled: the server that its address names. */
export function dialledPrincipal({ protocol, host, pathname }: DialledAddress): string {
  // A socket of the file system has a path and no host.
  return protocol.endsWith("+unix:") ? `${protocol}${pathname}` : `${protocol}//${host}`;
}

/** Why a guest cannot have the principal `name`; `undefined` when it can. */
export function guestPrincipalFault(name: string): string | undefined {
  if (name === "") return "a principal needs a name";
  if (!RESERVED_PRINCIPALS.includes(name) && !DIALLED.test(name)) return undefined;
  return `\`${name}\` is what a transport calls peers of its own; no guest can be that principal`;
}
