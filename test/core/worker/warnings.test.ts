/** What keeps a worker from its runner is told: once per cause, to the console unless said otherwise. */
import { describe, expect, it, vi } from "vitest";
import { AuthError, WorkerStartError } from "../../../src/core/errors.ts";
import type { WorkerOptions } from "../../../src/core/worker/worker-options.ts";
import { watch } from "../../support/stage.ts";
import { Scene, Switchboard } from "./worker-scene.ts";

function unreachable(why: string): Switchboard {
  const board = new Switchboard();
  board.refusal = new Error(why);
  return board;
}

function scene(board: Switchboard, options: Partial<WorkerOptions> = {}): { scene: Scene; warnings: string[] } {
  const warnings: string[] = [];
  const onWarning = ({ message }: Error): void => void warnings.push(message);
  return { scene: new Scene(() => "", { identity: "w", onWarning, ...options }, board), warnings };
}

describe("a worker that cannot connect", () => {
  it("tells each cause once, and tries on", async () => {
    const board = unreachable("connection refused");
    const set = scene(board);
    await using world = set.scene;
    void world.worker.start().catch(() => undefined);
    await world.clock.advance(60_000);
    expect(board.dials).toBeGreaterThan(3);
    expect(set.warnings).toEqual(["worker w: connection refused; it tries on"]);
    board.refusal = new Error("not found (HTTP 404)");
    await world.clock.advance(60_000);
    board.refusal = new Error("connection refused");
    await world.clock.advance(60_000);
    expect(set.warnings.slice(1)).toEqual(["worker w: not found (HTTP 404); it tries on"]);
  });

  it("tells the same cause again after it was registered", async () => {
    const board = unreachable("down");
    const set = scene(board);
    await using world = set.scene;
    void world.worker.start().catch(() => undefined);
    await world.clock.advance(1_000);
    board.refusal = undefined;
    while (board.calls.length === 0) await world.clock.advance(100);
    board.call.send({
      type: "WELCOME",
      version: 1,
      sessionId: "s",
      runnerId: "r",
      heartbeat: 5_000,
      maxPayload: 1_000,
      features: 0,
    });
    await world.clock.settle();
    board.refusal = new Error("down");
    board.call.close();
    await world.clock.advance(60_000);
    expect(set.warnings).toEqual(Array(2).fill("worker w: down; it tries on"));
  });

  it("tells of a runner that takes the connection and lets it in no further", async () => {
    const set = scene(new Switchboard());
    await using world = set.scene;
    void world.worker.start().catch(() => undefined);
    await world.clock.settle();
    world.board.call.send({ type: "ERROR", code: "BUSY", text: "too many workers", retryAfter: 0 });
    await world.clock.settle();
    expect(set.warnings).toEqual(["worker w: the runner says BUSY: too many workers; it tries on"]);
  });

  it("is silent with `false`, and with a clock of its own by default", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    for (const onWarning of [false, undefined] as const) {
      const board = unreachable("down");
      await using world = new Scene(() => "", { onWarning }, board);
      void world.worker.start().catch(() => undefined);
      await world.clock.advance(10_000);
    }
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});

describe("failFast", () => {
  it("rejects with what the dialer says, and does not try again", async () => {
    const board = unreachable("connection refused");
    const set = scene(board, { failFast: true });
    await using world = set.scene;
    const started = watch(world.worker.start());
    await world.clock.advance(60_000);
    expect([started.error, board.dials, world.worker.state]).toEqual([board.refusal, 1, "stopped"]);
    expect(set.warnings).toEqual([]);
  });

  it("rejects with a WorkerStartError when the runner does not let it in, and with an AuthError when refused", async () => {
    const busy = scene(new Switchboard(), { failFast: true });
    await using world = busy.scene;
    const started = watch(world.worker.start());
    await world.clock.settle();
    world.board.call.send({ type: "ERROR", code: "BUSY", text: "too many workers", retryAfter: 0 });
    await world.clock.settle();
    expect(started.error).toBeInstanceOf(WorkerStartError);
    expect(started.error).toMatchObject({ message: "the runner says BUSY: too many workers" });
    const board = new Switchboard();
    board.refusal = new AuthError("no");
    const refused = scene(board, { failFast: true });
    await using other = refused.scene;
    const second = watch(other.worker.start());
    await other.clock.settle();
    expect(second.error).toBe(board.refusal);
  });

  it("is about the start: a worker that was registered tries on", async () => {
    const set = scene(new Switchboard(), { failFast: true });
    await using world = set.scene;
    void world.worker.start().catch(() => undefined);
    await world.clock.settle();
    world.board.call.send({
      type: "WELCOME",
      version: 1,
      sessionId: "s",
      runnerId: "r",
      heartbeat: 5_000,
      maxPayload: 1_000,
      features: 0,
    });
    await world.clock.settle();
    world.board.refusal = new Error("down");
    world.board.call.close();
    await world.clock.advance(60_000);
    expect(world.board.dials).toBeGreaterThan(3);
    expect(world.worker.state).toBe("disconnected");
  });
});
