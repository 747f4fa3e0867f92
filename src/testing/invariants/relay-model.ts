/**
 * What the frames say of the jobs at each relay of a simulated world: those it was given, and where it passed them on to. It
 * judges nothing; its observer does. An attempt is known everywhere by its token: the job's id and the attempt's number.
 */
import { stackOf } from "../../core/identifiers.ts";
import { formatJobId } from "../../core/job/job-id.ts";
import type {
  CancelledMessage,
  CancelMessage,
  JobMessage,
  JobRoute,
  Message,
  WelcomeMessage,
} from "../../core/protocol/message.ts";
import type { Checker, ObservedRunner } from "./checker.ts";
import type { ClosedObservation, FrameObservation, MachineObservation, Observation } from "../history/observation.ts";
import type { WireAnswer } from "./wire.ts";

/** An attempt that a relay was given. */
export interface GivenAttempt {
  readonly token: string;
  readonly message: JobMessage;
  readonly outer: OuterLink;
  readonly at: number;
  /** Whether it may have waited for a slot before its time began. */
  mayWait: boolean;
  /** When it was cancelled, or its connection closed; `Infinity` until then. */
  cancelledAt: number;
  /** Where it was passed on to last. */
  passed: PassedAttempt | undefined;
  /** The relays of the fleet that have handed it back as unfit, each with the number of its offer at that time. */
  readonly unfit: Map<InnerLink, number>;
}

/** An attempt that a relay passed on. */
export interface PassedAttempt {
  readonly given: GivenAttempt;
  readonly inner: InnerLink;
  /** `open`: its slot is taken. `returned`: it was handed back, and has not started. `lost`: its connection closed. */
  state: "open" | "answered" | "returned" | "lost";
  answer: WireAnswer | CancelledMessage | undefined;
  isCancelled: boolean;
}

/** A connection to a runner before the relay. */
export interface OuterLink {
  readonly number: number;
  /** The machine of that runner. */
  readonly to: string;
  welcome: WelcomeMessage | undefined;
  /** The slots and labels that the relay told last. */
  told: { readonly capacity: number; readonly labels: readonly string[] } | undefined;
  /** Whether either end has said that it leaves. */
  isLeaving: boolean;
  isClosed: boolean;
  readonly attempts: Map<number, GivenAttempt>;
}

/** A connection of a worker of its fleet. */
export interface InnerLink {
  readonly number: number;
  identity: string;
  isRelay: boolean;
  /** How often it has told of its slots and labels. */
  offers: number;
  readonly attempts: Map<number, PassedAttempt>;
}

/** One life of a relay. */
export interface RelayLife {
  readonly machine: string;
  readonly life: number;
  readonly outer: Map<number, OuterLink>;
  readonly inner: Map<number, InnerLink>;
  /** Attempts that it was given and has not answered, by token. */
  readonly open: Map<string, GivenAttempt>;
  /** Attempts of lost connections whose slot is taken in its fleet. */
  readonly orphans: Set<GivenAttempt>;
  isStalled: boolean;
  wokeAt: number;
}

/** An answer of a relay. */
export type RelayAnswer = WireAnswer | CancelledMessage;

/** What the model calls as it learns what the frames mean; each before the model takes it in. */
export interface RelayModelObserver {
  /** The relay passed a job on. `given`: as what it was given; `undefined` when it was not. */
  onPassed(relay: RelayLife, inner: InnerLink, message: JobMessage, given: GivenAttempt | undefined, at: number): void;
  /** The relay answered. */
  onAnswered(relay: RelayLife, given: GivenAttempt, answer: RelayAnswer, at: number): void;
  /** An attempt was cancelled, or its connection closed. */
  onGivenUp(relay: RelayLife, given: GivenAttempt, at: number): void;
}

/** The state of all relays. */
export class RelayModel implements Checker {
  readonly #observer: RelayModelObserver;
  readonly #relays = new Map<string, RelayLife>();

  constructor(observer: RelayModelObserver) {
    this.#observer = observer;
  }

  /** Relays that are up. */
  get relays(): ReadonlyMap<string, RelayLife> {
    return this.#relays;
  }

  observe(seen: Observation): void {
    if (seen.kind === "machine" && seen.role === "relay") return this.#machine(seen, seen.at);
    if (this.#relays.size === 0) return;
    if (seen.kind === "opened") this.#opened(seen.connection, seen.from, seen.to);
    else if (seen.kind === "closed") this.#closed(seen, seen.at);
    else if (seen.kind === "sent") this.#sent(seen, seen.at);
    else if (seen.kind === "delivered") this.#delivered(seen, seen.at);
  }

  betweenEvents(_now: number, _views: readonly ObservedRunner[]): void {
    for (const { orphans } of this.#relays.values())
      for (const given of orphans) if (given.passed?.state !== "open") orphans.delete(given);
  }

  #machine({ machine, life, state }: MachineObservation, at: number): void {
    const present = this.#relays.get(machine);
    if (state === "down") this.#relays.delete(machine);
    else if (present?.life !== life) this.#relays.set(machine, newLife(machine, life));
    else if (state === "stalled") present.isStalled = true;
    else {
      present.isStalled = false;
      present.wokeAt = at;
    }
  }

  #opened(number: number, from: string, to: string): void {
    const attempts = new Map<number, never>();
    const link = { number, to, welcome: undefined, told: undefined, isLeaving: false, isClosed: false };
    this.#relays.get(from)?.outer.set(number, { ...link, attempts: new Map(attempts) });
    this.#relays
      .get(to)
      ?.inner.set(number, { number, identity: "", isRelay: false, offers: 0, attempts: new Map(attempts) });
  }

  #closed({ machine, connection }: ClosedObservation, at: number): void {
    const relay = this.#relays.get(machine);
    const outer = relay?.outer.get(connection);
    if (relay === undefined) return;
    if (outer !== undefined) return this.#outerClosed(relay, outer, at);
    for (const passed of relay.inner.get(connection)?.attempts.values() ?? []) passed.state = "lost";
    relay.inner.delete(connection);
  }

  #outerClosed(relay: RelayLife, outer: OuterLink, at: number): void {
    outer.isClosed = true;
    relay.outer.delete(outer.number);
    for (const given of outer.attempts.values()) {
      this.#giveUp(relay, given, at);
      relay.open.delete(given.token);
      if (given.passed?.state === "open") relay.orphans.add(given);
    }
  }

  #giveUp(relay: RelayLife, given: GivenAttempt, at: number): void {
    this.#observer.onGivenUp(relay, given, at);
    given.cancelledAt = Math.min(given.cancelledAt, at);
  }

  #sent({ from, connection, messages }: FrameObservation, at: number): void {
    const relay = this.#relays.get(from);
    if (relay === undefined) return;
    const outer = relay.outer.get(connection);
    const inner = relay.inner.get(connection);
    for (const message of messages ?? []) {
      if (outer !== undefined) this.#sentOutwards(relay, outer, message, at);
      else if (inner !== undefined) this.#sentInwards(relay, inner, message, at);
    }
  }

  #sentOutwards(relay: RelayLife, outer: OuterLink, message: Message, at: number): void {
    if (message.type === "HELLO" || message.type === "CAPACITY") tellSlots(outer, message, at);
    else if (message.type === "REMOVE") outer.isLeaving = true;
    else if (isAnswer(message)) {
      const given = outer.attempts.get(message.attemptId);
      if (given === undefined) return;
      this.#observer.onAnswered(relay, given, message, at);
      outer.attempts.delete(message.attemptId);
      relay.open.delete(given.token);
    }
  }

  #sentInwards(relay: RelayLife, inner: InnerLink, message: Message, at: number): void {
    if (message.type === "CANCEL") this.#cancelPassed(inner, message);
    if (message.type !== "JOB") return;
    const given = relay.open.get(tokenOf(message, ""));
    this.#observer.onPassed(relay, inner, message, given, at);
    if (given === undefined) return;
    given.passed = { given, inner, state: "open", answer: undefined, isCancelled: false };
    inner.attempts.set(message.attemptId, given.passed);
  }

  #cancelPassed(inner: InnerLink, { attemptId, reason }: CancelMessage): void {
    const passed = inner.attempts.get(attemptId);
    if (passed !== undefined && reason !== "recalled") passed.isCancelled = true;
  }

  #delivered({ to, connection, messages }: FrameObservation, at: number): void {
    const relay = this.#relays.get(to);
    if (relay === undefined) return;
    const outer = relay.outer.get(connection);
    const inner = relay.inner.get(connection);
    for (const message of messages ?? []) {
      if (outer !== undefined) this.#cameFromOutside(relay, outer, message, at);
      else if (inner !== undefined) cameFromInside(inner, message);
    }
  }

  #cameFromOutside(relay: RelayLife, outer: OuterLink, message: Message, at: number): void {
    switch (message.type) {
      case "WELCOME":
        outer.welcome = message;
        return;
      case "GOAWAY":
        outer.isLeaving = true;
        return;
      case "JOB": {
        const token = tokenOf(message, outer.welcome?.runnerId ?? "");
        const mayWait = outer.attempts.size >= (outer.told?.capacity ?? 0);
        const unfit = new Map<InnerLink, number>();
        const state = { mayWait, cancelledAt: Number.POSITIVE_INFINITY, passed: undefined, unfit };
        const given = { token, message, outer, at, ...state };
        outer.attempts.set(message.attemptId, given);
        relay.open.set(token, given);
        return;
      }
      case "CANCEL": {
        const given = outer.attempts.get(message.attemptId);
        if (given !== undefined && message.reason !== "recalled") this.#giveUp(relay, given, at);
        return;
      }
      default:
    }
  }
}

/** Names an attempt in the whole world. */
export function attemptToken(jobId: string, attempt: number): string {
  return `${jobId}#${attempt}`;
}

/** The route of a job that came with none: what the runner left out. */
export function routeOf(message: JobMessage, runnerId: string): JobRoute {
  const none = { origin: runnerId, deadline: Number.POSITIVE_INFINITY, priority: 0, labels: [], avoid: [] };
  return message.route ?? none;
}

function tokenOf(message: JobMessage, runnerId: string): string {
  return attemptToken(formatJobId(message.route?.origin ?? runnerId, message.jobId), message.attempt);
}

function newLife(machine: string, life: number): RelayLife {
  const links = { outer: new Map<number, OuterLink>(), inner: new Map<number, InnerLink>() };
  const attempts = { open: new Map<string, GivenAttempt>(), orphans: new Set<GivenAttempt>() };
  return { machine, life, ...links, ...attempts, isStalled: false, wokeAt: Number.NEGATIVE_INFINITY };
}

/** What came in the same turn may have found other slots than were told of until then. */
function tellSlots(outer: OuterLink, offer: NonNullable<OuterLink["told"]>, at: number): void {
  // How many relays are stacked is told as a label, and is none of the fleet's.
  outer.told = { capacity: offer.capacity, labels: offer.labels.filter((label) => stackOf(label) === undefined) };
  for (const given of outer.attempts.values()) if (given.at === at) given.mayWait = true;
}

function isAnswer(message: Message): message is RelayAnswer {
  switch (message.type) {
    case "JOBRES":
    case "JOBERR":
    case "FAILED":
    case "REJECT":
    case "CANCELLED":
      return true;
    default:
      return false;
  }
}

function cameFromInside(inner: InnerLink, message: Message): void {
  if (message.type === "HELLO") {
    inner.identity = message.identity;
    inner.isRelay = message.isRelay;
  }
  if (message.type === "HELLO" || message.type === "CAPACITY") inner.offers++;
  if (!isAnswer(message)) return;
  const passed = inner.attempts.get(message.attemptId);
  if (passed === undefined) return;
  inner.attempts.delete(message.attemptId);
  if (message.type === "REJECT" && message.reason === "unfit") passed.given.unfit.set(inner, inner.offers);
  passed.answer = message;
  passed.state = message.type === "REJECT" ? "returned" : "answered";
}
