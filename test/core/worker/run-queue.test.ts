import { describe, expect, it } from "vitest";
import { Job } from "../../../src/core/job/job.ts";
import { RunQueue } from "../../../src/core/worker/run-queue.ts";
import { Execution } from "../../../src/core/worker/execution.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";

/** A starter with so many slots, whose handlers end when they are told, or at once after so many ms. */
class Desk {
  readonly clock = new VirtualClock();
  readonly starter: RunQueue = new RunQueue(this.clock, this);
  readonly begun: number[] = [];
  readonly took_: number[] = [];
  slots: number;
  /** What handlers take that return at once; others are ended by hand. */
  takes = new Map<number, number>();
  #running = new Map<number, Execution>();

  constructor(slots: number) {
    this.slots = slots;
  }

  hasSlot(): boolean {
    return this.#running.size < this.slots;
  }

  onSlotTaken(task: Execution): void {
    this.took_.push(task.attemptId);
  }

  onResumed(): void {
    this.starter.next();
  }

  start(task: Execution): void {
    this.begun.push(task.attemptId);
    this.#running.set(task.attemptId, task);
    const ms = this.takes.get(task.attemptId);
    if (ms === undefined) return;
    this.clock.jump(ms);
    this.end(task.attemptId);
  }

  end(id: number): Execution {
    const task = this.#running.get(id);
    if (task === undefined) throw new Error(`${id} does not run`);
    this.starter.ended(task, this.clock.now());
    this.#running.delete(id);
    this.starter.next();
    return task;
  }

  wait(...ids: readonly number[]): Execution[] {
    const tasks = ids.map((id) => made(id));
    for (const task of tasks) this.starter.add(task, 0);
    return tasks;
  }
}

const owner = {
  identity: "w",
  runnerId: "r",
  shuttingDown: new AbortController().signal,
  clock: new VirtualClock(),
  maxPayload: 1_000,
  attachments: undefined,
  inputWindow: 65_536,
  hasBacklog: false,
  onAsked: (): void => undefined,
  resumeLater: (): void => undefined,
  onGiven: (): void => undefined,
  onFinished: (): void => undefined,
};

function made(attemptId: number): Execution {
  return new Execution({ type: "JOB", attemptId, attempt: 1, jobId: attemptId, ttl: 1_000, job: new Job("") }, owner);
}

describe("a starter", () => {
  it("starts those that have a slot, then those that wait, as slots become free", () => {
    const desk = new Desk(2);
    desk.wait(3, 4, 5);
    desk.starter.run([made(1), made(2)], 0);
    expect([desk.begun, desk.took_, desk.starter.waiting]).toEqual([[1, 2], [], 3]);
    desk.end(2);
    expect([desk.begun, desk.took_, desk.starter.waiting]).toEqual([[1, 2, 3], [3], 2]);
    desk.end(1);
    desk.end(3);
    expect([desk.begun, desk.took_, desk.starter.waiting]).toEqual([[1, 2, 3, 4, 5], [3, 4, 5], 0]);
  });

  it("goes through any number of handlers that return at once, without recursion", () => {
    const desk = new Desk(1);
    const ids = Array.from({ length: 20_000 }, (_, n) => n + 1);
    for (const id of ids) desk.takes.set(id, 0);
    desk.wait(...ids.slice(1));
    desk.starter.run([made(1)], 0);
    expect(desk.begun).toEqual(ids);
  });

  it("says what each took, one after the other", () => {
    const desk = new Desk(1);
    for (const id of [1, 2, 3]) desk.takes.set(id, id / 4);
    const waiting = desk.wait(2, 3);
    const first = made(1);
    desk.starter.run([first], desk.clock.now());
    expect([first, ...waiting].map(({ durationMs: ran }) => ran)).toEqual([0.25, 0.5, 0.75]);
    expect([first, ...waiting].map(({ startedAt }) => startedAt)).toEqual([0, 0.25, 0.75]);
  });

  it("starts one that waited at the time of the clock when a handler ended by itself", () => {
    const desk = new Desk(1);
    const [second] = desk.wait(2);
    desk.starter.run([made(1)], 0);
    desk.clock.jump(40);
    expect(desk.end(1).durationMs).toBe(40);
    expect(second?.startedAt).toBe(40);
  });

  it("lets frames in after one that took over a millisecond, and no sooner", async () => {
    const desk = new Desk(1);
    for (const [id, ms] of [1, 1.001, 0.5].entries()) desk.takes.set(id + 1, ms);
    desk.wait(2, 3);
    desk.starter.run([made(1)], 0);
    expect(desk.begun).toEqual([1, 2]);
    desk.starter.next();
    expect(desk.begun, "the pause is not over").toEqual([1, 2]);
    await desk.clock.settle();
    expect(desk.begun).toEqual([1, 2, 3]);
  });

  it("starts those that have a slot without a pause between them", async () => {
    const desk = new Desk(2);
    for (const id of [1, 2, 3]) desk.takes.set(id, 5);
    desk.wait(3);
    desk.starter.run([made(1), made(2)], 0);
    expect(desk.begun).toEqual([1, 2]);
    await desk.clock.settle();
    expect(desk.begun).toEqual([1, 2, 3]);
  });

  it("does not pause for nobody", () => {
    const desk = new Desk(1);
    desk.takes.set(1, 50);
    desk.starter.run([made(1)], 0);
    expect(desk.clock.busy).toBe(false);
  });

  it("starts nobody in the pause who has left", async () => {
    const desk = new Desk(1);
    desk.takes.set(1, 5);
    const [second] = desk.wait(2, 3);
    desk.starter.run([made(1)], 0);
    const left = [1, 2].map(() => second !== undefined && desk.starter.delete(second));
    expect(left).toEqual([true, false]);
    await desk.clock.settle();
    expect(desk.begun).toEqual([1, 3]);
  });

  it("names those that wait, the latest first, each as it is asked for", () => {
    const desk = new Desk(0);
    desk.wait(1, 2, 3);
    const named: number[] = [];
    for (const task of desk.starter.latestFirst()) {
      named.push(task.attemptId);
      desk.starter.delete(task);
    }
    expect([named, desk.starter.waiting]).toEqual([[3, 2, 1], 0]);
  });
});
