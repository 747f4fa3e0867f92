/**
 * The subjects of a fleet: `ph.<fleet>.dial.<principal>` for dials, `ph.<fleet>.in.<principal>.<port>.<n>` towards the listener
 * and `ph.<fleet>.out.<principal>.<port>.<n>` towards the dialer. The server's permissions say which principal's subjects a
 * user may publish to and listen to: that is what authenticates a principal. Browser-safe.
 */
import { isString, type Validator } from "../../core/options.ts";

/** The queue group of a fleet's listeners: one of them gets each dial. */
export const RUNNERS = "runners";

/** One token of a subject, without what could be taken for a wildcard, a number or a path. */
const TOKEN = /^[A-Za-z0-9_-]{1,64}$/;

/** What a fleet and a principal may be called. */
export const subjectToken: Validator = (value) =>
  isString(value) === undefined && TOKEN.test(String(value)) ? undefined : "1 to 64 characters of A-Z a-z 0-9 _ -";

/** Behind the direction: principal, the port's random name, the number of a socket. */
const SOCKET = /^([A-Za-z0-9_-]{1,64})\.[0-9a-f]{32}\.[1-9]\d{0,9}$/;

/** Where a socket is reached: at the listener's end `in`, at the dialer's `out`. */
export type Direction = "in" | "out";

/** The number of a socket, of its subject. */
export function socketNumber(subject: string): number {
  return Number(subject.slice(subject.lastIndexOf(".") + 1));
}

/** The subjects of one fleet. */
export class FleetSubjects {
  /** What people read: `nats:jobs`. The servers may change while it is in use. */
  readonly address: string;
  readonly #prefix: string;

  constructor(fleet: string) {
    this.address = `nats:${fleet}`;
    this.#prefix = `ph.${fleet}.`;
  }

  /** Dials of one principal, or of all: `*`. */
  dial(principal: string): string {
    return `${this.#prefix}dial.${principal}`;
  }

  /** The principal of a dial's subject; `undefined` when it has another form. */
  dialPrincipal(subject: string): string | undefined {
    const principal = subject.slice(`${this.#prefix}dial.`.length);
    return subjectToken(principal) === undefined ? principal : undefined;
  }

  /** The sockets of a principal, or of all (`*`), at one port. */
  socket(direction: Direction, principal: string, port: string, socket: number | "*"): string {
    return `${this.#prefix}${direction}.${principal}.${port}.${socket}`;
  }

  /** The principal of a socket's subject; `undefined` when it is not one of this direction. */
  socketPrincipal(direction: Direction, subject: string): string | undefined {
    const start = `${this.#prefix}${direction}.`;
    return subject.startsWith(start) ? SOCKET.exec(subject.slice(start.length))?.[1] : undefined;
  }
}
