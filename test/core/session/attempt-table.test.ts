/** The jobs of one session beside a list, whatever is sent, cancelled, called back and answered. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnswerMessage, AttemptTable, type JobLink } from "../../../src/core/session/attempt-table.ts";
import type { Attempt, AttemptOwner } from "../../../src/core/session/attempt.ts";
import { TimerQueue } from "../../../src/core/time/timer-queue.ts";
import { Job } from "../../../src/core/job/job.ts";
import { CLAIM_BYTES, SharedClaims } from "../../../src/core/transport/shared-claims.ts";
import type { RunnerMessage } from "../../../src/core/protocol/message.ts";
import { HandClock } from "../../properties/hand-clock.ts";

/** One attempt as the list has it. */
interface Listed {
  readonly id: number;
  readonly frame: number;
  readonly bytes: number;
  begun: boolean;
  cancelled: boolean;
  recalled: boolean;
  /** Whether the worker, the runner or neither has claimed it in shared memory; `none`: it has no word there. */
  claim: "none" | "parked" | "begun" | "back";
}

const HIGH_WATER = 40;
/** What a JOB has beside its data. */
const HEADER_BYTES = 5;

const number = fc.nat(99);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant("assign" as const), bytes: fc.nat(9), open: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("cancel" as const), n: number }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("recall" as const), count: fc.nat(3), useful: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant("flush" as const) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("begin" as const), n: number }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("answer" as const),
      type: fc.constantFrom(
        "JOBRES" as const,
        "JOBRES" as const,
        "JOBERR" as const,
        "REJECT" as const,
        "CANCELLED" as const,
      ),
      reason: fc.constantFrom("recalled" as const, "overloaded" as const),
      n: number,
      /** One in flight, one that is over, or one that was never made. */
      of: fc.constantFrom("flight" as const, "flight" as const, "flight" as const, "past" as const, "future" as const),
    }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
type Answer = Extract<Step, { op: "answer" }>;

class Link implements JobLink {
  readonly jobContexts = undefined;
  framesSent = 0;
  bytesSent = 0;
  open = true;
  readonly log: string[];
  readonly claims: SharedClaims | undefined;

  constructor(log: string[], claims: SharedClaims | undefined) {
    this.log = log;
    this.claims = claims;
  }

  send(message: RunnerMessage): boolean {
    if (!this.open) return false;
    if (message.type === "JOB") {
      this.log.push(`JOB ${message.attemptId}`);
      this.bytesSent += HEADER_BYTES + message.job.data.length;
    }
    if (message.type === "CANCEL") this.log.push(`CANCEL ${message.attemptId} ${message.reason}`);
    return true;
  }
}

class Beside {
  readonly log: string[] = [];
  readonly expected: string[] = [];
  readonly timers: TimerQueue = new TimerQueue(new HandClock(), true);
  readonly link: Link;
  readonly real: AttemptTable<string>;
  readonly attempts: Map<number, Attempt<string>> = new Map();
  readonly #owner: AttemptOwner<string>;
  readonly #capacity: number;
  readonly #most: number;
  list: Listed[] = [];
  #ids = 0;
  #served = 0;
  #isStuck = false;

  constructor(capacity: number, most: number, claims: SharedClaims | undefined) {
    this.link = new Link(this.log, claims);
    this.#capacity = capacity;
    this.#most = most;
    const say =
      (what: string) =>
      ({ id }: { id: number }): void =>
        void this.log.push(`${what} ${id}`);
    this.#owner = {
      onSucceeded: say("succeeded"),
      onFailed: say("failed"),
      onFleetFailed: say("failed behind"),
      onRejected: say("rejected"),
      onLost: say("lost"),
      onNotSent: say("not sent"),
      onParked: say("parked"),
      onStarted: say("began"),
      onSlotFreed: say("freed"),
    };
    const rules = { cancelGrace: 1_000, prefetch: most, highWater: HIGH_WATER };
    const session = {
      self: "session",
      sendPing: () => 1,
      nextPing: () => 1,
      hasPong: () => false,
      onCancelTimeout: () => this.log.push("unconfirmed"),
      onSlotHeld: () => this.log.push("held"),
      hasBacklog: () => false,
      onAdmitted: () => undefined,
      onViolation: () => this.log.push("violation"),
      onTurns: () => this.log.push("turns"),
      onPrefetchLimit: () => this.log.push("turns"),
      onStrike: () => this.log.push("strike"),
      onAttemptClosed: () => this.log.push("answered"),
    };
    this.real = new AttemptTable<string>(this.link, { timers: this.timers, rules }, session);
    this.real.onHello(
      {
        type: "HELLO",
        version: 1,
        identity: "w",
        instance: "i",
        capacity,
        prefetchLimit: 100,
        served: 0,
        blocking: false,
        labels: [],
        features: 0,
        maxPayload: 1,
        isRelay: false,
      },
      0,
    );
  }

  do(each: Step): void {
    if (each.op === "assign") this.#assign(each.bytes, each.open > 0);
    else if (each.op === "cancel") this.#cancel(each.n);
    else if (each.op === "recall") this.#recall(each.count, each.useful);
    else if (each.op === "answer") this.#answer(each);
    else if (each.op === "begin") this.#begin(each.n);
    else this.link.framesSent++;
  }

  #assign(bytes: number, isOpen: boolean): void {
    this.link.open = isOpen;
    const attempt = this.real.assign(this.#owner, new Job(new Uint8Array(bytes)), 7, 1, 0, 0);
    this.link.open = true;
    assert.equal(attempt === undefined, !isOpen);
    if (attempt === undefined) return;
    const listed = {
      id: ++this.#ids,
      frame: this.link.framesSent,
      bytes: bytes + HEADER_BYTES,
      cancelled: false,
      recalled: false,
    };
    this.expected.push(`JOB ${listed.id}`);
    this.attempts.set(attempt.id, attempt);
    const begun = this.#running < this.#capacity;
    this.list.push({ ...listed, begun, claim: begun || this.link.claims === undefined ? "none" : "parked" });
  }

  /** The worker comes to a job. */
  #begin(n: number): void {
    const one = this.list[n % Math.max(1, this.list.length)];
    if (one === undefined || this.link.claims === undefined) return;
    assert.equal(this.link.claims.begin(one.id), one.claim !== "back");
    if (one.claim === "parked") one.claim = "begun";
  }

  get #running(): number {
    return this.list.filter(({ begun }) => begun).length;
  }

  #cancel(n: number): void {
    const attempt = this.attempts.get(1 + (n % Math.max(1, this.#ids)));
    const one = this.list.find(({ id }) => id === attempt?.id);
    if (attempt !== undefined) this.real.cancel(attempt, "cancelled");
    if (one === undefined || one.cancelled) return;
    one.cancelled = true;
    this.expected.push(`CANCEL ${one.id} cancelled`);
    takeBack(one);
  }

  #recall(count: number, isUseful: boolean): void {
    const waiting = isUseful ? this.list.filter(({ begun, cancelled }) => !begun && !cancelled).toReversed() : [];
    const returned: Attempt<string>[] = [];
    assert.equal(
      this.real.recall(count, () => isUseful, returned),
      Math.max(0, waiting.length - count),
    );
    if (waiting.length > 0) this.#isStuck = true;
    const back: number[] = [];
    for (const one of waiting.slice(0, count)) {
      if (one.recalled) continue;
      this.expected.push(`CANCEL ${one.id} recalled`);
      one.recalled = true;
      if (!takeBack(one)) continue;
      // Its outcome does not count any more: the owner is told here and now.
      one.cancelled = true;
      back.push(one.id);
    }
    assert.deepEqual(
      returned.map(({ id }) => id),
      back,
    );
    assert.equal(
      returned.every(({ cancelled }) => cancelled === "recalled"),
      true,
    );
    // An owner that gives it up before it is told so is not told.
    for (const attempt of returned) this.real.cancel(attempt, "timeout");
    assert.equal(
      returned.every(({ cancelled }) => cancelled === "timeout"),
      true,
    );
  }

  #answer(answer: Answer): void {
    const { n } = answer;
    const past = this.#ids === 0 ? 1 : 1 + (n % this.#ids);
    const id = { flight: this.list[n % Math.max(1, this.list.length)]?.id ?? past, past, future: this.#ids + 1 + n }[
      answer.of
    ];
    this.real.onAnswer(messageOf(answer, id), 0);
    const one = this.list.find((other) => other.id === id);
    if (one === undefined) return void this.expected.push(id > this.#ids ? "violation" : "strike");
    if (one.frame === this.link.framesSent || isWrong(answer, one)) return void this.expected.push("violation");
    this.#close(one);
    const outcome = { JOBRES: "succeeded", JOBERR: "failed", REJECT: "rejected", CANCELLED: undefined }[answer.type];
    if (answer.type === "JOBRES" || answer.type === "JOBERR") this.#served++;
    if (!one.cancelled && outcome !== undefined) this.expected.push(`${outcome} ${id}`);
    this.expected.push(`freed ${id}`, "answered");
  }

  #close(one: Listed): void {
    this.list = this.list.filter((other) => other !== one);
    if (one.begun) this.#isStuck = false;
    else if (!one.cancelled) this.#isStuck = true;
    const next = one.begun ? this.list.find(({ begun }) => !begun) : undefined;
    if (next === undefined) return;
    next.begun = true;
    if (!next.cancelled) this.expected.push(`began ${next.id}`);
  }

  check(): void {
    const { list, real } = this;
    const waiting = list.filter(({ begun }) => !begun);
    assert.deepEqual(this.log.splice(0), this.expected.splice(0));
    expect([real.counts.size, real.counts.running, real.counts.waiting, real.served]).toEqual([
      list.length,
      list.length - waiting.length,
      waiting.length,
      this.#served,
    ]);
    const bytes = waiting.reduce((sum, one) => sum + one.bytes, 0);
    const most = bytes > HIGH_WATER ? Math.min(this.#most, waiting.length) : this.#most;
    assert.equal(real.prefetchLimit, this.#isStuck ? 0 : most);
    expect(this.timers.size, "those that have to be confirmed").toBe(
      list.filter(({ begun, cancelled }) => begun && cancelled).length,
    );
  }

  end(unsent: number): void {
    this.real.failAll(unsent, "closed", "over", 0);
    for (const { id, frame, cancelled, claim } of this.list.toReversed()) {
      const neverBegan = frame === unsent || claim === "parked";
      if (!cancelled) this.expected.push(`${neverBegan ? "not sent" : "lost"} ${id}`);
      this.expected.push(`freed ${id}`);
    }
    assert.deepEqual(this.log, this.expected);
    assert.deepEqual([this.real.counts.size, this.timers.size], [0, 0]);
  }
}

/** Whether the runner has it back: it never begins. */
function takeBack(one: Listed): boolean {
  if (one.claim !== "parked") return false;
  one.claim = "back";
  one.recalled = true;
  return true;
}

function messageOf({ type, reason }: Answer, attemptId: number): AnswerMessage {
  if (type === "JOBRES") return { type, attemptId, value: "", durationMs: 1 };
  if (type === "JOBERR")
    return {
      type,
      attemptId,
      error: { name: "Error", message: "", code: "", stack: "" },
      retryable: false,
      retryAfter: 0,
      durationMs: 1,
    };
  return type === "REJECT" ? { type, attemptId, reason } : { type, attemptId };
}

function isWrong({ type, reason }: Answer, one: Listed): boolean {
  if (type === "CANCELLED") return !one.cancelled;
  if (type === "REJECT") return reason === "recalled" && !one.recalled;
  return !one.begun;
}

describe("the jobs of one session", () => {
  it(
    "are a list of which the first have the slots, whatever is sent, cancelled and answered",
    { timeout: 120_000 },
    () => {
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 120, size: "max" }),
          fc.integer({ min: 1, max: 4 }),
          fc.nat(8),
          fc.boolean(),
          (steps, capacity, most, shared) => {
            const claims = shared ? new SharedClaims(new ArrayBuffer(CLAIM_BYTES)) : undefined;
            const beside = new Beside(capacity, most, claims);
            for (const each of steps) {
              beside.do(each);
              beside.check();
            }
            beside.end(beside.link.framesSent);
          },
        ),
        { numRuns: 500 },
      );
    },
  );
});
