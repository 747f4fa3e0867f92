/**
 * A network that fails on command, or at random from a seed. Owns the routes, the connections and what is done to them; what
 * one connection does is in connection.ts, which faults come when is its user's choice.
 */
import type { Clock } from "../../core/time/clock.ts";
import type { Dialer, Listener } from "../../core/transport/listener.ts";
import {
  isFunction,
  checkOptions,
  finiteDuration,
  integer,
  isBoolean,
  oneOf,
  type Validators,
  hasMethods,
} from "../../core/options.ts";
import type { CloseReason, FaultProfile, Socket } from "../../core/transport/socket.ts";
import { Connection, type NetworkSocket, type Site } from "./connection.ts";
import { dial, type DialRequest } from "./dial.ts";
import { describeValue } from "../history/format.ts";
import { machineName, MachineNames } from "./machine-names.ts";
import type { FaultKind, Observed } from "../history/observation.ts";
import { type Frame, frameOf } from "./pipe.ts";
import { Routes } from "./routes.ts";
import type { SeededRandom } from "../time/seeded-random.ts";
import { checkedVerdict, pass, type Rule, type Verdict } from "./rules.ts";

/** Options of a {@link FaultyNetwork}. All durations in ms. */
export interface FaultyNetworkOptions {
  /** The time it lives in. */
  readonly clock: Clock;
  /** The chance behind its latencies and cuts. */
  readonly random: SeededRandom;
  /** How long a frame takes: from the first to the second, drawn for each; order is kept. Default: 1 to 2. */
  readonly latency?: readonly [number, number] | undefined;
  /** What its sockets declare, and so what can go wrong; default `stream`. */
  readonly faults?: FaultProfile | undefined;
  /** Whether both ends of a connection share memory, as a thread and its runner do; default `false`. */
  readonly sharedMemory?: boolean | undefined;
  /** Bytes that are taken in before they count as waiting at the sender; default 65,536. */
  readonly window?: number | undefined;
  /** How long a dial waits for an answer; default 10,000. */
  readonly connectTimeout?: number | undefined;
  /** @internal Called with everything that happens. */
  readonly observe?: ((observed: Observed) => void) | undefined;
}

/** A started listener of a machine. */
interface ActiveListener {
  readonly accept: (socket: Socket) => void;
  readonly maxFrameBytes: number;
}

/** Which machines a fault is about: one, several, or all. */
export type Machines = string | readonly string[];

const NO_SITE: Site = { run: (fn) => fn() };
const CONNECT_TIMEOUT = 10_000;
const WINDOW = 65_536;
const RULES: Validators<FaultyNetworkOptions> = {
  clock: hasMethods("a Clock", "now", "set"),
  random: hasMethods("a SeededRandom", "random", "below"),
  latency: (value) => (Array.isArray(value) && value.length === 2 ? undefined : "two numbers of ms"),
  faults: oneOf("stream", "port", "lossy"),
  sharedMemory: isBoolean,
  window: integer(0),
  connectTimeout: finiteDuration,
  observe: isFunction,
};

/**
 * Machines by name, connections between them, and everything that can happen to those.
 *
 * ```ts
 * const network = new FaultyNetwork({ clock, random: new SeededRandom(1) });
 * const runner = new JobRunner({ clock, listen: network.listen("runner") });
 * const worker = new Worker({ clock, dial: network.dialer("w1", "runner"), handler });
 * network.partition("w1", "runner");
 * ```
 */
export class FaultyNetwork {
  // It is the owner of connections and dials. Those members are left out of the published types.
  /** @internal */
  readonly clock: Clock;
  /** @internal */
  readonly random: SeededRandom;
  /** What its sockets declare. */
  readonly faults: FaultProfile;
  /** @internal */
  readonly window: number;
  /** @internal */
  readonly sharedMemory: boolean;
  readonly #connectTimeout: number;
  readonly #observe: (observed: Observed) => void;
  readonly #names: MachineNames = new MachineNames();
  readonly #sites = new Map<string, Site>();
  readonly #listeners = new Map<string, ActiveListener>();
  /** Machines that have crashed silently: a dial meets no refusal there. */
  readonly #down = new Set<string>();
  readonly #connections = new Set<Connection>();
  readonly #rules: Rule[] = [];
  readonly #routes: Routes = new Routes();
  #latency: readonly [number, number];
  #made = 0;

  /**
   * @param options - See {@link FaultyNetworkOptions}.
   * @throws TypeError or RangeError when an option is wrong.
   */
  constructor(options: FaultyNetworkOptions) {
    checkOptions("FaultyNetwork", options, RULES);
    this.clock = options.clock;
    this.random = options.random;
    this.faults = options.faults ?? "stream";
    this.window = options.window ?? WINDOW;
    this.sharedMemory = options.sharedMemory ?? false;
    this.#connectTimeout = options.connectTimeout ?? CONNECT_TIMEOUT;
    this.#observe = options.observe ?? ((): void => undefined);
    this.#latency = [1, 2];
    if (options.latency !== undefined) this.setLatency(...options.latency);
  }

  /** A listener on a machine; one at a time. @throws TypeError when that is no name. */
  listen(machine: string): Listener {
    this.#names.add(machine);
    let listener: ActiveListener | undefined;
    return {
      address: machine,
      start: (accept, { maxFrameBytes }) => {
        const present = this.#listeners.get(machine);
        if (present !== undefined && present.accept !== accept)
          return Promise.reject(new Error(`${machine} is already listening for another taker`));
        listener = { accept, maxFrameBytes };
        this.#listeners.set(machine, listener);
        return Promise.resolve();
      },
      stop: () => {
        if (listener === undefined || this.#listeners.get(machine) !== listener) return Promise.resolve();
        this.#listeners.delete(machine);
        for (const { far } of this.#between(machine)) if (far.machine === machine) far.close();
        return Promise.resolve();
      },
    };
  }

  /** A dialer on machine `from` that reaches the listener on machine `to`, as `principal`: what it will be authenticated as; default `local`. @throws TypeError when `from` or `to` is no name. */
  dialer(from: string, to: string, principal = "local"): Dialer {
    this.#names.add(from);
    machineName(to, "the machine to dial");
    return {
      dial: (signal, { maxFrameBytes }) =>
        dial({ from, to, principal, maxFrameBytes, signal }, this.#connectTimeout, this),
    };
  }

  /** Adds a rule that every frame is asked about; the returned function takes it away. @throws TypeError when it is no function. */
  rule(rule: Rule): () => void {
    if (typeof rule !== "function") throw new TypeError(`rule takes a function, not ${describeValue(rule)}`);
    this.#rules.push(rule);
    return () => {
      const place = this.#rules.indexOf(rule);
      if (place >= 0) this.#rules.splice(place, 1);
    };
  }

  /** Frames take from `least` to `most` ms from now on. @throws RangeError when that makes no sense. */
  setLatency(least: number, most: number): void {
    if (!(least >= 0 && most >= least && most < Number.POSITIVE_INFINITY))
      throw new RangeError(`a latency goes from 0 or more to as much or more, not from ${least} to ${most}`);
    this.#latency = [least, most];
  }

  /** Cuts every connection of a machine, or those between it and another: both ends learn of it, each in its time. @throws Error when there is no machine of that name. */
  cut(machine: string, other?: string): void {
    this.#names.listed("cut", other === undefined ? [machine] : [machine, other]);
    this.#recordFault("cut", other === undefined ? machine : `${machine} – ${other}`);
    for (const connection of this.#between(machine, other)) connection.cut("the connection was cut");
  }

  /**
   * Frames from one machine to the other do not arrive any more, and neither end learns of it. What was sent arrives once the fault is
   * over, if both ends still want it. The returned function ends it, and {@link FaultyNetwork.heal} does; a route that several
   * faults block is open when all of them are over. @throws Error when there is no machine of that name.
   */
  halfOpen(from: Machines, to: Machines): () => void {
    const [senders, receivers] = [this.#names.listed("halfOpen", from), this.#names.listed("halfOpen", to)];
    const target = `${senders.join()} → ${receivers.join()}`;
    return this.#beginFault("half-open", target, this.#routes.block(senders, receivers));
  }

  /** Nothing passes between the two groups, either way. As {@link FaultyNetwork.halfOpen}, both ways. @throws Error when there is no machine of that name. */
  partition(some: Machines, others: Machines): () => void {
    const [here, there] = [this.#names.listed("partition", some), this.#names.listed("partition", others)];
    const [forth, back] = [this.#routes.block(here, there), this.#routes.block(there, here)];
    return this.#beginFault("partition", `${here.join()} | ${there.join()}`, () => forth() && back());
  }

  /** Ends every partition, half-open route and throttle. */
  heal(): void {
    this.#recordFault("heal", "everything");
    this.#routes.clear();
    this.#applyAllRoutes();
  }

  /**
   * A machine reads so many bytes per second of each of its connections; `Infinity`: as they come. The returned function ends
   * it, and {@link FaultyNetwork.heal} does; of several that last, the latest holds. @throws RangeError when it is not over 0,
   * Error when there is no machine of that name.
   */
  throttle(machine: string, bytesPerSecond: number): () => void {
    this.#names.listed("throttle", [machine]);
    if (!(bytesPerSecond > 0)) throw new RangeError(`a rate is over 0 bytes per second, not ${bytesPerSecond}`);
    const target = `${machine} at ${Math.round(bytesPerSecond)} B/s`;
    return this.#beginFault("throttle", target, this.#routes.throttle(machine, bytesPerSecond));
  }

  /** Connections that are not closed at both ends. */
  get connections(): number {
    return this.#connections.size;
  }

  /** @internal The open ends at a machine: the bytes that wait there, by the connection's number. */
  load(machine: string): ReadonlyMap<number, number> {
    const load = new Map<number, number>();
    for (const { number, near, far } of this.#connections) {
      for (const end of [near, far])
        if (end.machine === machine && !end.isClosed && !end.dead) load.set(number, end.bufferedBytes);
    }
    return load;
  }

  /** @internal A machine is there, and this runs its code. */
  attach(machine: string, site: Site): void {
    this.#names.add(machine);
    this.#down.delete(machine);
    this.#sites.set(machine, site);
  }

  /** @internal A machine has crashed, with all its connections. */
  abandon(machine: string, kind: "fin" | "rst" | "silent"): void {
    if (kind === "silent") this.#down.add(machine);
    this.#sites.delete(machine);
    this.#listeners.delete(machine);
    for (const connection of this.#between(machine)) {
      for (const end of [connection.near, connection.far]) if (end.machine === machine) connection.abandon(end, kind);
    }
  }

  /** @internal */
  latency(): number {
    const [least, most] = this.#latency;
    return least + this.random.random() * (most - least);
  }

  /** @internal */
  onSend(end: NetworkSocket, bytes: Uint8Array): void {
    const { connection } = end;
    const { number } = connection;
    const to = connection.other(end).machine;
    const frame = frameOf(bytes);
    this.#observe({
      kind: "sent",
      connection: number,
      from: end.machine,
      to,
      messages: frame.messages,
      bytes: bytes.byteLength,
    });
    this.#apply(this.#verdictOn(end, to, frame), end, frame);
  }

  /** @internal */
  onDelivered(end: NetworkSocket, frame: Frame): void {
    const { connection, machine } = end;
    const from = connection.other(end).machine;
    const { messages, bytes } = frame;
    this.#observe({
      kind: "delivered",
      connection: connection.number,
      from,
      to: machine,
      messages,
      bytes: bytes.byteLength,
    });
  }

  /** @internal */
  onClosed(end: NetworkSocket, byItself: boolean, reason: CloseReason): void {
    this.#observe({ kind: "closed", connection: end.connection.number, machine: end.machine, byItself, reason });
  }

  /** @internal */
  onRecalled(end: NetworkSocket, attemptId: number): void {
    const { connection, machine: from } = end;
    const to = connection.other(end).machine;
    this.#observe({ kind: "recalled", connection: connection.number, from, to, attemptId });
  }

  /** @internal */
  site(machine: string): Site {
    return this.#sites.get(machine) ?? NO_SITE;
  }

  /** @internal */
  reach(from: string, to: string): "open" | "refused" | "silence" {
    if (this.#routes.isBlocked(from, to) || this.#routes.isBlocked(to, from)) return "silence";
    if (this.#listeners.has(to)) return "open";
    return this.#down.has(to) ? "silence" : "refused";
  }

  /** @internal The listener's side of a dial, on the listener's machine. */
  meet(request: DialRequest): Socket | undefined {
    const { from, to, principal, maxFrameBytes } = request;
    const listener = this.#listeners.get(to);
    if (listener === undefined) return undefined;
    const peer = { transport: "simulated", principal };
    const near = { machine: from, site: this.site(from), sees: { ...peer, address: to }, maxFrameBytes };
    const far = {
      machine: to,
      site: this.site(to),
      sees: { ...peer, address: from },
      maxFrameBytes: listener.maxFrameBytes,
    };
    const connection = new Connection(++this.#made, near, far, this);
    this.#connections.add(connection);
    this.#applyRoutes(connection);
    this.#observe({ kind: "opened", connection: connection.number, from, to });
    listener.accept(connection.far);
    return connection.near;
  }

  /** @internal The machine is up again, and knows nothing of the connection. */
  onUnanswered(end: NetworkSocket): void {
    if (!this.#sites.has(end.machine)) return;
    const out = end.connection.from(end);
    if (!out.ended) out.cut(0, { code: "error", message: "connection reset" });
  }

  /** @internal */
  onOver(connection: Connection): void {
    this.#connections.delete(connection);
  }

  #verdictOn(end: NetworkSocket, to: string, frame: Frame): Verdict {
    if (this.#rules.length === 0) return pass();
    const { connection, machine: from, sent: index } = end;
    const asked = { from, to, connection: connection.number, index, ...frame, bytes: frame.bytes.slice() };
    for (const rule of this.#rules) {
      const verdict = checkedVerdict(rule(asked));
      if (verdict.kind === "drop" && this.faults !== "lossy")
        throw new TypeError(
          `a ${this.faults} does not lose single frames: cut it, or use a network with faults: "lossy"`,
        );
      if (verdict.kind !== "pass") return verdict;
    }
    return pass();
  }

  #apply(verdict: Verdict, end: NetworkSocket, frame: Frame): void {
    const { connection } = end;
    const pipe = connection.from(end);
    if (verdict.kind !== "pass")
      this.#recordFault(verdict.kind, `connection ${connection.number}, from ${end.machine}`);
    switch (verdict.kind) {
      case "pass":
        return pipe.send(frame);
      case "cut":
        return connection.cut("the connection was cut");
      case "delay":
        return pipe.send(frame, verdict.ms);
      case "tamper":
        return pipe.send(frameOf(verdict.bytes));
      case "drop":
        return;
    }
  }

  /** A fault of the routes has begun; gives back what ends it, once, unless it was healed with all others. */
  #beginFault(fault: FaultKind, target: string, end: () => boolean): () => void {
    this.#recordFault(fault, target);
    this.#applyAllRoutes();
    return () => {
      if (!end()) return;
      this.#recordFault("heal", `${fault} ${target}`);
      this.#applyAllRoutes();
    };
  }

  #recordFault(fault: FaultKind, target: string): void {
    this.#observe({ kind: "fault", fault, target });
  }

  #between(machine: string, other?: string): Connection[] {
    return [...this.#connections].filter(({ near, far }) => {
      const ends = [near.machine, far.machine];
      return ends.includes(machine) && (other === undefined || ends.includes(other));
    });
  }

  #applyAllRoutes(): void {
    for (const connection of this.#connections) this.#applyRoutes(connection);
  }

  #applyRoutes(connection: Connection): void {
    for (const end of [connection.near, connection.far]) {
      const to = connection.other(end).machine;
      connection.from(end).block(this.#routes.isBlocked(end.machine, to));
      connection.from(end).throttle(this.#routes.rate(to));
    }
  }
}
