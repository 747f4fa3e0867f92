/**
 * A runner on virtual time among workers that lie: answers that are forged, repeated, late or another's, in any order and
 * any number. An oracle that only looks at the wire says whose answer may count: that of the attempt handed over last.
 */
import { decodeFrame } from "../../../src/core/protocol/codec.ts";
import type { JobMessage, Message } from "../../../src/core/protocol/message.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { Socket } from "../../../src/core/transport/socket.ts";
import { SeededRandom } from "../../../src/testing/time/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { encode } from "../../support/frames.ts";
import { hello } from "../../support/scripted-peer.ts";

const LIARS = 5;
const CAPACITY = 4;
const JOBS_AT_ONCE = 30;

/** Which attempt, on the wire: session and id. */
type Place = `${number}/${number}`;

/** What has been seen on the wire of one job. */
interface Seen {
  last: Place;
  readonly cancelled: Set<Place>;
}

/** Counts of what was done and what came of it. */
export interface LieCounts {
  /** Messages sent by liars. */
  sent: number;
  /** Jobs that settled with a value. */
  accepted: number;
  /** Jobs that settled without. */
  failed: number;
  /** Values accepted from an attempt that was not the current one, or of another job. */
  wrong: number;
  /** Jobs that settled more than once or never. */
  unsettled: number;
  /** Sessions that were ended for what they sent, or left. */
  sessions: number;
  strikes: number;
}

/** One session of a worker that lies. */
class Liar {
  /** What it was given: attempts are numbered 1, 2, 3 … */
  readonly jobs: JobMessage[] = [];
  /** Which session this is, counted over all liars. */
  readonly number: number;
  closed = false;
  readonly #socket: Socket;

  constructor(socket: Socket, number: number, oracle: Map<string, Seen>) {
    this.#socket = socket;
    this.number = number;
    socket.open({
      frame: (bytes) =>
        decodeFrame(bytes, (message) => {
          if (message.type === "JOB") this.#note(message, oracle);
          if (message.type === "CANCEL") this.#noteCancel(message.attemptId, oracle);
        }),
      closed: () => {
        this.closed = true;
      },
    });
  }

  send(...messages: Message[]): void {
    this.#socket.send(encode(...messages));
  }

  sendBytes(bytes: Uint8Array<ArrayBuffer>): void {
    this.#socket.send(bytes);
  }

  close(): void {
    this.#socket.close();
  }

  #note(message: JobMessage, oracle: Map<string, Seen>): void {
    this.jobs.push(message);
    const data = String(message.job.data);
    const seen = oracle.get(data) ?? { last: "0/0", cancelled: new Set() };
    seen.last = `${this.number}/${message.attemptId}`;
    oracle.set(data, seen);
  }

  #noteCancel(attemptId: number, oracle: Map<string, Seen>): void {
    const job = this.jobs[attemptId - 1]?.job;
    if (job !== undefined) oracle.get(String(job.data))?.cancelled.add(`${this.number}/${attemptId}`);
  }
}

/** The runner, its liars and the oracle, by seed. */
export class Slander {
  readonly counts: LieCounts = { sent: 0, accepted: 0, failed: 0, wrong: 0, unsettled: 0, sessions: 0, strikes: 0 };
  readonly #clock = new VirtualClock();
  readonly #chance: SeededRandom;
  readonly #runner: JobRunner;
  readonly #liars: Liar[] = [];
  readonly #oracle = new Map<string, Seen>();
  readonly #ends = new Map<string, number>();
  #submitted = 0;
  #open = 0;

  constructor(seed: number) {
    this.#chance = new SeededRandom(seed);
    this.#runner = new JobRunner({
      clock: this.#clock,
      random: this.#chance.stream("runner"),
      // Some forgive much, so that lies go on for long; some nothing.
      maxStrikes: this.#chance.pick([0, 5, 100, Number.POSITIVE_INFINITY]),
      cancelGrace: this.#chance.pick([1, 20, 500]),
    });
    this.#runner.on((event) => {
      if (event.type === "job-settled") this.#ends.set(event.jobId, (this.#ends.get(event.jobId) ?? 0) + 1);
    });
  }

  /** Lets so many messages be sent, and then everything settle. */
  async run(messages: number): Promise<void> {
    const started = this.#runner.start();
    await this.#clock.settle();
    await started;
    while (this.counts.sent < messages) await this.#step();
    await this.#end();
  }

  async #step(): Promise<void> {
    while (this.#open < JOBS_AT_ONCE) this.#submit();
    for (let i = 0; i < LIARS; i++) {
      const liar = this.#liars[i];
      if (liar === undefined || liar.closed) await this.#join(i);
      else for (let left = this.#chance.below(12); left > 0; left--) this.#lie(liar);
    }
    await this.#clock.advance(this.#chance.below(15));
  }

  #submit(): void {
    const data = `job ${this.#submitted++}`;
    const controller = new AbortController();
    this.#open++;
    this.#runner
      .execute(data, {
        timeout: 5 + this.#chance.below(80),
        attempts: 1 + this.#chance.below(4),
        signal: controller.signal,
      })
      .then(
        (value) => this.#accepted(data, String(value)),
        () => void this.counts.failed++,
      )
      .finally(() => void this.#open--);
    if (this.#chance.below(10) === 0) this.#clock.set(this.#chance.below(60), () => controller.abort());
  }

  /** Values say which attempt of which job they are sent for. */
  #accepted(data: string, value: string): void {
    this.counts.accepted++;
    const seen = this.#oracle.get(data);
    const [place, job] = value.split(" of ");
    const right = seen !== undefined && place === seen.last && job === data && !seen.cancelled.has(seen.last);
    if (!right) this.counts.wrong++;
    this.#oracle.delete(data);
  }

  async #join(index: number): Promise<void> {
    const dialled = this.#runner.dial(new AbortController().signal);
    await this.#clock.settle();
    const liar = new Liar(await dialled, ++this.counts.sessions, this.#oracle);
    // Now and then under the name of another, who is thrown out with all it has.
    const name = this.#chance.below(20) === 0 ? this.#chance.below(LIARS) : index;
    const identity = `liar-${name}-${this.#chance.below(50)}`;
    liar.send(hello({ identity, capacity: CAPACITY }));
    this.#liars[index] = liar;
  }

  #lie(liar: Liar): void {
    const chance = this.#chance;
    if (chance.below(500) === 0) return this.#breakProtocol(liar);
    const messages = Array.from({ length: 1 + chance.below(3) }, () => this.#message(liar));
    // The same twice, in one frame or in two.
    if (chance.below(5) === 0) messages.push(...messages);
    this.counts.sent += messages.length;
    liar.send(...messages);
  }

  /**
   * Any answer to any attempt: its own, one answered long ago, one of another session. Not to one that is on its way to
   * this very liar: that would be a lucky guess at its own attempt, which may count.
   */
  #message(liar: Liar): Message {
    const chance = this.#chance;
    const theirs = chance.below(4) === 0 ? chance.pick(this.#liars) : liar;
    const recent = theirs.jobs.slice(-2 * CAPACITY).filter(({ attemptId }) => attemptId <= liar.jobs.length);
    if (recent.length === 0) return { type: "PONG", nonce: chance.u32() };
    const { attemptId } = chance.pick(recent);
    const value = `${liar.number}/${attemptId} of ${String(liar.jobs[attemptId - 1]?.job.data)}`;
    switch (chance.below(12)) {
      case 0:
        return { type: "REJECT", attemptId, reason: chance.pick(["draining", "overloaded"]) };
      case 1:
        return {
          type: "JOBERR",
          attemptId,
          error: { name: "Lie", message: value, code: "", stack: "" },
          retryable: chance.below(2) === 0,
          retryAfter: chance.below(5),
        };
      case 2:
        return { type: "PONG", nonce: chance.u32() };
      default:
        return { type: "JOBRES", attemptId, value };
    }
  }

  /** Something that ends the session. */
  #breakProtocol(liar: Liar): void {
    this.counts.sent++;
    switch (this.#chance.below(6)) {
      case 0:
        return liar.send({ type: "JOBRES", attemptId: 1_000_000, value: "of the future" });
      case 1:
        return liar.send(hello({ identity: "second-hello" }));
      case 2:
        return liar.send({ type: "REMOVE" });
      case 3:
        return liar.sendBytes(Uint8Array.of(0x11, 0, 0, 0, 200, 1));
      case 4:
        return liar.send({ type: "CANCELLED", attemptId: 1 + this.#chance.below(20) });
      default:
        return liar.close();
    }
  }

  async #end(): Promise<void> {
    this.counts.strikes = this.#runner.stats().strikes;
    const stopped = this.#runner.stop();
    await this.#clock.advance(1_000);
    await stopped;
    const twice = [...this.#ends.values()].filter((times) => times !== 1).length;
    this.counts.unsettled = this.#open + twice + Math.abs(this.#submitted - this.#ends.size);
  }
}
