/**
 * A relay is a hop and no owner: what it passes on is what it was given, what it answers is what its fleet answered, and what it
 * announces is what its fleet has. Judged by the frames on both sides of each relay. See relay-model.ts for the model.
 */
import type { JobErrorMessage, JobFailedMessage, JobMessage } from "../../core/protocol/message.ts";
import { joinPath, MAX_LABELS, pathsBelow } from "../../core/identifiers.ts";
import { samePayload } from "../../core/dispatch/verification.ts";
import type { RunnerStats } from "../../core/stats.ts";
import type { Checker, ObservedRunner, Violation } from "./checker.ts";
import type { CheckerContext } from "./checker-context.ts";
import type { Observation } from "../history/observation.ts";
import {
  attemptToken,
  type GivenAttempt,
  type InnerLink,
  type OuterLink,
  type PassedAttempt,
  type RelayAnswer,
  type RelayLife,
  RelayModel,
  type RelayModelObserver,
  routeOf,
} from "./relay-model.ts";

/** An attempt that a relay has just handed back as one that no worker of its fleet fits. */
interface HandedBack {
  readonly relay: RelayLife;
  readonly given: GivenAttempt;
  readonly at: number;
}

interface GivenUp {
  readonly relay: RelayLife;
  readonly given: GivenAttempt;
  readonly at: number;
}

type Own = NonNullable<ObservedRunner["relay"]>;

/** What a relay has, what it has told one of its runners, and since when that is so. */
interface Offer {
  readonly has: string;
  readonly says: string;
  readonly since: number;
}

/** Times are rounded to whole milliseconds at each hop. */
const TICK_MS = 1;

/** Limits of a fleet at which a job has not started. */
const NOT_STARTED: ReadonlySet<JobFailedMessage["code"]> = new Set(["maxQueue", "maxQueueBytes", "acquire", "queue"]);

/** Checks starts-once, relay-passes-on, relay-answers and relay-tells-its-fleet. */
export class RelayChecker implements Checker, RelayModelObserver {
  readonly #violation: Violation;
  readonly #context: CheckerContext;
  readonly #model: RelayModel;
  /** Attempts whose handler has started, in a world with relays. */
  readonly #started = new Set<string>();
  /** Jobs of `verify` are run by several workers under one token. */
  #verifies = false;
  #givenUp: GivenUp[] = [];
  #handedBack: HandedBack[] = [];
  /** What each relay comes with itself. */
  readonly #own = new Map<string, Own>();
  readonly #offers = new WeakMap<OuterLink, Offer>();

  /** @param violation - Called for each breach. @param context - Has to be shown each observation first. */
  constructor(violation: Violation, context: CheckerContext) {
    this.#violation = violation;
    this.#context = context;
    this.#model = new RelayModel(this);
  }

  observe(seen: Observation): void {
    this.#model.observe(seen);
    if (seen.kind === "submitted" && seen.options.verify > 1) this.#verifies = true;
    if (seen.kind === "handler-started" && this.#model.relays.size > 0 && !this.#verifies)
      this.#onStarted(attemptToken(seen.jobId, seen.attempt), seen.machine);
  }

  betweenEvents(now: number, views: readonly ObservedRunner[]): void {
    if (this.#model.relays.size === 0) return;
    this.#model.betweenEvents(now, views);
    if (this.#givenUp.length > 0) this.#checkGivenUp(now);
    for (const one of this.#handedBack.splice(0)) this.#checkHandedBack(one, views);
    for (const view of views) {
      const relay = this.#model.relays.get(view.machine);
      const stats = relay === undefined ? undefined : this.#context.sampler.fresh(view);
      if (view.relay !== undefined) this.#own.set(view.machine, view.relay);
      if (relay !== undefined && stats !== undefined) this.#checkTold(relay, stats, now);
    }
  }

  #ownOf({ machine }: RelayLife): Own {
    return this.#own.get(machine) ?? { labels: [], capacity: Number.POSITIVE_INFINITY };
  }

  #onStarted(token: string, machine: string): void {
    if (this.#started.has(token))
      this.#violation("starts-once", `${machine} starts ${token}, which has started before`);
    this.#started.add(token);
  }

  onPassed(relay: RelayLife, inner: InnerLink, message: JobMessage, given: GivenAttempt | undefined, at: number): void {
    const { machine } = relay;
    const what = `${machine} passes job ${message.jobId}, attempt ${message.attempt}, on to ${inner.identity}`;
    if (given === undefined) return this.#violation("relay-passes-on", `${what}, and was not given it`);
    if (given.cancelledAt < at && !unsure(relay, at))
      this.#violation("relay-passes-on", `${what}, and it was given up at ${given.cancelledAt} ms`);
    if (given.unfit.get(inner) === inner.offers)
      this.#violation("relay-passes-on", `${what}, which has handed it back as unfit`);
    if (given.passed !== undefined && given.passed.state !== "returned")
      this.#violation("starts-once", `${what}, and ${given.passed.inner.identity} may have started it`);
    const changed = changedField(given, inner, message, this.#ownOf(relay), at);
    if (changed !== undefined && !unsure(relay, at))
      this.#violation("relay-passes-on", `${what}, with another ${changed}`);
    if (given.cancelledAt === at) this.#givenUp.push({ relay, given, at });
  }

  onAnswered(relay: RelayLife, given: GivenAttempt, answer: RelayAnswer, at: number): void {
    if (answer.type === "REJECT" && answer.reason === "unfit") this.#handedBack.push({ relay, given, at });
    const wrong = wrongAnswer(given, answer);
    if (wrong !== undefined)
      this.#violation("relay-answers", `${relay.machine} answers ${given.token} with ${answer.type}, and ${wrong}`);
  }

  onGivenUp(relay: RelayLife, given: GivenAttempt, at: number): void {
    if (given.passed?.state === "open") this.#givenUp.push({ relay, given, at });
  }

  /** Whether another worker of the fleet fits, though it may be busy. One that has told of no slot may hand back all. */
  #checkHandedBack({ relay, given, at }: HandedBack, views: readonly ObservedRunner[]): void {
    const { machine, inner } = relay;
    const view = views.find((one) => one.machine === machine);
    const stats = view === undefined ? undefined : this.#context.sampler.fresh(view);
    const hasSlots = given.outer.told !== undefined && given.outer.told.capacity > 0;
    if (stats === undefined || !hasSlots || unsure(relay, at) || given.outer.isLeaving) return;
    const own = this.#ownOf(relay).labels;
    const labels = routeOf(given.message, "").labels.filter((label) => !own.includes(label));
    const unfit = new Set(
      [...given.unfit].filter(([link, offer]) => link.offers === offer).map(([link]) => link.identity),
    );
    const fit = stats.workers.find(
      (worker) =>
        (worker.state === "idle" || worker.state === "busy") &&
        worker.capacity > 0 &&
        !unfit.has(worker.identity) &&
        labels.every((label) => worker.labels.includes(label)),
    );
    if (fit === undefined || inner.size === 0) return;
    this.#violation("relay-answers", `${machine} hands ${given.token} back as unfit, and ${fit.identity} fits`);
  }

  /** Once the time has moved: until then the CANCEL may be in the batch of its turn. */
  #checkGivenUp(now: number): void {
    const due = this.#givenUp.filter(({ at, relay }) => at < now && !unsure(relay, now));
    if (due.length === 0) return;
    this.#givenUp = this.#givenUp.filter((one) => !due.includes(one));
    for (const { relay, given, at } of due) {
      const { passed } = given;
      const isUp = this.#model.relays.get(relay.machine) === relay;
      if (!isUp || passed?.state !== "open" || passed.isCancelled) continue;
      const what = `${given.token} was given up at ${at} ms, and ${passed.inner.identity} was not told`;
      this.#violation("relay-passes-on", `${relay.machine}: ${what}`);
    }
  }

  /** Once the time has moved: a change is told at the end of its turn. */
  #checkTold(relay: RelayLife, stats: RunnerStats, now: number): void {
    for (const outer of relay.outer.values()) {
      const { told, welcome, isLeaving } = outer;
      if (told === undefined || welcome === undefined || isLeaving || unsure(relay, now)) {
        this.#offers.delete(outer);
        continue;
      }
      const has = fleetText(relay, outer, stats, this.#ownOf(relay));
      const says = offerText(told.capacity, told.labels);
      const before = this.#offers.get(outer);
      if (before?.has !== has || before.says !== says) this.#offers.set(outer, { has, says, since: now });
      else if (before.since < now && has !== says) {
        const what = `${relay.machine} tells ${outer.to} of ${says}`;
        this.#violation("relay-tells-its-fleet", `${what}, and has ${has} since ${before.since} ms`);
      }
    }
  }
}

/** Whether what it does now may have been meant for an earlier time. */
function unsure({ isStalled, wokeAt }: RelayLife, at: number): boolean {
  return isStalled || wokeAt === at;
}

/** Which field of a job a relay has changed that it has to pass on. */
function changedField(
  given: GivenAttempt,
  inner: InnerLink,
  message: JobMessage,
  own: Own,
  at: number,
): string | undefined {
  const before = routeOf(given.message, "");
  const route = routeOf(message, "");
  const elapsed = at - given.at;
  if (!samePayload(given.message.job.data, message.job.data)) return "data";
  if (given.message.job.head !== message.job.head) return "headers";
  if (route.priority !== before.priority) return "priority";
  if (!fitsLimit(given.message.ttl, message.ttl, given.mayWait ? 0 : elapsed)) return "ttl";
  if (!fitsLimit(before.deadline, route.deadline, elapsed)) return "deadline";
  if (!inner.isRelay) return undefined;
  if (pathsBelow(inner.identity, before.avoid).join() !== route.avoid.join()) return "list of paths to avoid";
  const labels = before.labels.filter((label) => !own.labels.includes(label));
  return labels.join() === route.labels.join() ? undefined : "list of labels";
}

/** Time that has passed is subtracted, by a clock that may have jumped ahead. */
function fitsLimit(before: number, after: number, elapsed: number): boolean {
  if (before === Number.POSITIVE_INFINITY) return after === before;
  return after >= 1 && after <= Math.max(1, before - elapsed) + TICK_MS;
}

/** What is wrong with a relay's answer, by what came of the job in its fleet. */
function wrongAnswer(given: GivenAttempt, answer: RelayAnswer): string | undefined {
  const { passed } = given;
  switch (answer.type) {
    case "REJECT":
      return passed === undefined || passed.state === "returned"
        ? undefined
        : `it may have started: ${stateText(passed)}`;
    case "CANCELLED":
      return passed?.state === "open" ? "its slot is taken" : undefined;
    case "JOBRES": {
      if (passed?.answer?.type !== "JOBRES") return `there is no result: ${stateText(passed)}`;
      if (!samePayload(passed.answer.value, answer.value)) return "its result is another";
      return wrongPath(passed, passed.answer.path, answer.path);
    }
    case "JOBERR":
      return wrongError(passed, answer);
    case "FAILED":
      return wrongFailure(passed, answer);
  }
}

function wrongError(passed: PassedAttempt | undefined, answer: JobErrorMessage): string | undefined {
  const inner = passed?.answer;
  // A result that the runner before it does not take.
  if (inner?.type === "JOBRES" && answer.error.code === "RESULT_TOO_LARGE") return undefined;
  if (passed === undefined || inner?.type !== "JOBERR") return `no handler failed: ${stateText(passed)}`;
  const { name, message, code } = inner.error;
  const isSame = name === answer.error.name && message === answer.error.message && code === answer.error.code;
  if (!isSame || inner.retryable !== answer.retryable || inner.retryAfter !== answer.retryAfter)
    return "its error is another";
  return wrongPath(passed, inner.path, answer.path);
}

function wrongFailure(passed: PassedAttempt | undefined, answer: JobFailedMessage): string | undefined {
  const inner = passed?.answer;
  if (passed !== undefined && inner?.type === "FAILED")
    return inner.code === answer.code ? wrongPath(passed, inner.path, answer.path) : `its failure is ${inner.code}`;
  if (answer.code === "encoding") return passed?.state === "lost" ? "it was lost" : undefined;
  if (NOT_STARTED.has(answer.code))
    return passed === undefined || passed.state === "returned"
      ? undefined
      : `it may have started: ${stateText(passed)}`;
  // A relay that stops does not wait for what runs.
  if (passed?.state === "open" && passed.isCancelled) return undefined;
  if (passed?.state !== "lost") return `it was not lost: ${stateText(passed)}`;
  return wrongPath(passed, undefined, answer.path);
}

function wrongPath({ inner }: PassedAttempt, below: string | undefined, path: string | undefined): string | undefined {
  const right = joinPath(inner.identity, below);
  return path === right ? undefined : `the path is ${right} and not ${path ?? "missing"}`;
}

function stateText(passed: PassedAttempt | undefined): string {
  return passed === undefined
    ? "it was not passed on"
    : `${passed.answer?.type ?? passed.state} of ${passed.inner.identity}`;
}

/** What a relay's fleet has for one of its runners: handlers of lost sessions keep their slots. */
function fleetText({ orphans }: RelayLife, { to }: OuterLink, stats: RunnerStats, own: Own): string {
  const { capacity, workers } = stats;
  let taken = 0;
  for (const { outer } of orphans) if (outer.to === to) taken++;
  const labels = new Set(own.labels);
  for (const worker of workers)
    // A suspect worker keeps its labels: it has but no slots for the moment.
    if (worker.state !== "draining") for (const label of worker.labels) labels.add(label);
  return offerText(Math.max(0, Math.min(own.capacity, capacity) - taken), [...labels]);
}

function offerText(capacity: number, labels: readonly string[]): string {
  return `${capacity} slots (${[...labels].sort().slice(0, MAX_LABELS).join(" ")})`;
}
