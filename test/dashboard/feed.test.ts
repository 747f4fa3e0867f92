/** The feed of the dashboard, on a real runner and virtual time: what viewers get, and what admins may do. */
import { describe, expect, test } from "vitest";
import { listenerContext } from "../../src/core/runner/listener-context.ts";
import type { RunnerControls } from "../../src/index.ts";
import { DashboardFeed, type Viewer } from "../../src/dashboard/feed.ts";
import type { Answer, Snapshot, DashboardMessage, Welcome } from "../../src/dashboard/protocol.ts";
import { Stage } from "../support/stage.ts";

/** A viewer that keeps its messages. */
class TestViewer implements Viewer {
  readonly admin: boolean;
  readonly heard: DashboardMessage[] = [];
  bufferedBytes = 0;
  ended: string | undefined;

  constructor(admin: boolean = false) {
    this.admin = admin;
  }

  send(text: string): void {
    this.heard.push(JSON.parse(text) as DashboardMessage);
  }

  end(why: string): void {
    this.ended = why;
  }

  of<T extends DashboardMessage["type"]>(type: T): Extract<DashboardMessage, { type: T }>[] {
    return this.heard.filter((message): message is Extract<DashboardMessage, { type: T }> => message.type === type);
  }

  get moment(): Snapshot | undefined {
    return this.of("snapshot").at(-1);
  }
}

class Show extends Stage {
  readonly asked: string[] = [];
  readonly feed: DashboardFeed;
  note: () => string | undefined = () => undefined;

  constructor(payloads: boolean = false, controls: boolean = true) {
    super();
    const { runner } = listenerContext(this.runner, () => []);
    const acting: RunnerControls = {
      removeWorker: (identity, { drain }) => {
        this.asked.push(`${identity} ${drain ? "after its jobs" : "at once"}`);
        return identity !== "nobody";
      },
      drain: () => void this.asked.push("drain"),
    };
    const options = {
      title: "t",
      admins: ["root"],
      note: () => this.note(),
      lend: null,
      history: 60,
      payloads,
      clock: this.clock,
    };
    this.feed = new DashboardFeed(options, runner, controls ? acting : undefined);
    this.feed.start();
  }

  watch(admin?: boolean): TestViewer {
    const viewer = new TestViewer(admin);
    this.feed.add(viewer);
    return viewer;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.feed.stop();
    await super[Symbol.asyncDispose]();
  }
}

describe("a dashboard", () => {
  test("is told what was and what is, once a second", async () => {
    await using show = new Show();
    await show.settle(show.runner.start());
    await show.worker(async (job) => `${String(job.data)}!`, { identity: "w-1", labels: ["gpu"] });
    for (let job = 0; job < 10; job++) await show.settle(show.runner.execute(`${job}`));
    await show.clock.advance(1_000);
    const viewer = show.watch();
    expect(viewer.heard).toHaveLength(1);
    const [{ samples, admin, title } = {} as Welcome] = viewer.of("welcome");
    expect({ count: samples.length, done: samples[0]?.done, admin, title }).toEqual({
      count: 1,
      done: 10,
      admin: false,
      title: "t",
    });
    await show.clock.advance(3_000);
    expect(viewer.of("snapshot")).toHaveLength(3);
    expect(viewer.moment).toMatchObject({
      state: "started",
      succeeded: 10,
      registered: 1,
      sample: { done: 0, p50: null, p99: null },
      why: { severity: "idle" },
      workers: [{ identity: "w-1", labels: ["gpu"], state: "idle", done: 10, failed: 0 }],
    });
  });

  test("hears first that there are no failures: it may still show those of a listener that was here before", async () => {
    await using show = new Show();
    await show.settle(show.runner.start());
    const viewer = show.watch();
    await show.clock.advance(2_000);
    const [first, second] = viewer.of("snapshot");
    expect(first?.failures).toEqual([]);
    expect(second).not.toHaveProperty("failures");
  });

  test("hears of failures once, newest first, in harmless words", async () => {
    await using show = new Show();
    await show.settle(show.runner.start());
    await show.worker(
      (job) => {
        throw new RangeError(`<b>\u202e${String(job.data)}`);
      },
      { identity: "w-1" },
    );
    const viewer = show.watch();
    for (const data of ["one", "two"]) {
      await show.settle(show.runner.execute(data, { attempts: 1 }).catch(() => undefined));
    }
    await show.clock.advance(2_000);
    const [first, second] = viewer.of("snapshot");
    expect(first?.failures?.map(({ number, worker, name, message }) => [number, worker, name, message])).toEqual([
      [2, "w-1", "ExecutionError", "RangeError: <b>\\u202etwo"],
      [1, "w-1", "ExecutionError", "RangeError: <b>\\u202eone"],
    ]);
    expect(JSON.stringify(first?.failures)).not.toContain('"data"');
    expect(second).not.toHaveProperty("failures");
    expect(second).toMatchObject({ failed: 2, workers: [{ failed: 2 }] });
  });

  test("sees the beginning of the data if that was asked for", async () => {
    await using show = new Show(true);
    await show.settle(show.runner.start());
    await show.worker(() => Promise.reject(new Error("no")));
    const viewer = show.watch();
    for (const data of ["x".repeat(1_000), new Uint8Array(7)]) {
      await show.settle(show.runner.execute(data, { attempts: 1 }).catch(() => undefined));
    }
    await show.clock.advance(1_000);
    expect(viewer.moment?.failures?.map(({ data }) => data)).toEqual(["7 bytes", `${"x".repeat(200)}…`]);
  });

  test("is told the owner's words, and is not troubled by their absence", async () => {
    await using show = new Show();
    show.note = () => "halfway\u0007";
    const viewer = show.watch();
    await show.clock.advance(1_000);
    show.note = () => {
      throw new Error("of the owner's");
    };
    await show.clock.advance(1_000);
    expect(viewer.of("snapshot").map(({ note }) => note)).toEqual(["halfway\\x07", ""]);
  });

  test("that does not read is dropped, and the others are not", async () => {
    await using show = new Show();
    const [slow, quick] = [show.watch(), show.watch()];
    slow.bufferedBytes = 2_000_000;
    await show.clock.advance(2_000);
    expect([slow.ended, slow.of("snapshot").length, quick.ended, quick.of("snapshot").length]).toEqual([
      "slow",
      0,
      undefined,
      2,
    ]);
    expect(show.feed.size).toBe(1);
  });

  test("keeps so many seconds and no more", async () => {
    await using show = new Show();
    await show.clock.advance(100_000);
    expect(show.watch().of("welcome")[0]?.samples).toHaveLength(60);
  });
});

describe("an admin", () => {
  const act = async (show: Show, viewer: TestViewer, ...requests: readonly object[]): Promise<Answer[]> => {
    for (const request of requests) show.feed.received(viewer, JSON.stringify(request));
    await show.clock.settle();
    return viewer.of("answer");
  };
  const drain = { type: "drain" };

  test("lets workers go and drains", async () => {
    await using show = new Show();
    const viewer = show.watch(true);
    expect(viewer.of("welcome")[0]?.admin).toBe(true);
    const answers = await act(
      show,
      viewer,
      { type: "remove-worker", identity: "w-1", drain: true },
      { type: "remove-worker", identity: "w-1", drain: false },
      { type: "remove-worker", identity: "nobody", drain: true },
      drain,
    );
    expect(answers.map(({ ok }) => ok)).toEqual([true, true, false, true]);
    expect(show.asked).toEqual(["w-1 after its jobs", "w-1 at once", "nobody after its jobs", "drain"]);
  });

  test("is who has shown the token, nobody else", async () => {
    await using show = new Show();
    const viewer = show.watch(false);
    expect(await act(show, viewer, drain)).toMatchObject([{ ok: false }]);
    expect([show.asked, viewer.ended]).toEqual([[], undefined]);
  });

  test("is nobody where there is nothing to act on", async () => {
    await using show = new Show(false, false);
    const viewer = show.watch(true);
    expect(viewer.of("welcome")[0]?.admin).toBe(false);
    expect(await act(show, viewer, drain)).toMatchObject([{ ok: false }]);
  });

  test("who asks too often, or for nonsense, is shown the door", async () => {
    await using show = new Show();
    const [greedy, odd] = [show.watch(true), show.watch(true)];
    await act(show, greedy, drain, drain, drain, drain, drain);
    await show.clock.advance(1_000);
    expect(greedy.ended).toBeUndefined();
    await act(show, greedy, drain, drain, drain, drain, drain, drain, drain);
    await act(show, odd, { type: "execute", data: "rm" }, drain);
    expect([greedy.ended, odd.ended]).toEqual(["violation", "violation"]);
    expect(show.asked).toHaveLength(10);
    expect(show.feed.size).toBe(0);
  });
});
