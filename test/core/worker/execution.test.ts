/** One task by itself: what a handler is told, and what its caller is told of whatever it returns or throws. */
import { describe, expect, it } from "vitest";
import { AbortError, ExecutionError } from "../../../src/core/errors.ts";
import { VirtualClock } from "../../../src/testing/time/virtual-clock.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { JobMessage } from "../../../src/core/protocol/message.ts";
import {
  type Handler,
  type JobContext,
  Execution,
  type ExecutionOwner,
  type ExecutionResult,
  resultTooLarge,
  unreadable,
} from "../../../src/core/worker/execution.ts";

const MESSAGE: JobMessage = { type: "JOB", attemptId: 3, attempt: 2, jobId: 17, ttl: 1_000, job: new Job("x") };

class Owner implements ExecutionOwner {
  readonly identity = "w";
  readonly runnerId = "r";
  readonly shuttingDown: AbortSignal = new AbortController().signal;
  readonly clock = new VirtualClock();
  readonly attachments = undefined;
  readonly maxPayload = 1_000_000;
  readonly hasBacklog = false;
  readonly inputWindow = 65_536;
  resumeLater(): void {}
  onAsked(): void {}
  readonly results: ExecutionResult[] = [];
  onGiven(): void {}
  onFinished(_task: Execution, result: ExecutionResult): void {
    this.results.push(result);
  }
}

async function run(handler: Handler): Promise<ExecutionResult> {
  const owner = new Owner();
  new Execution(MESSAGE, owner).run(handler);
  for (let tick = 0; tick < 5; tick++) await null;
  const [result] = owner.results;
  if (result === undefined || owner.results.length > 1) throw new Error(`finished ${owner.results.length} times`);
  return result;
}

/** What the caller is told when a handler throws this. */
async function told(thrown: unknown): Promise<ExecutionResult> {
  const now = await run(() => {
    throw thrown;
  });
  const later = await run(() => Promise.reject(thrown));
  expect(later, "thrown or rejected").toEqual(now);
  return now;
}

describe("what a handler is told", () => {
  it("is who runs which attempt at which job", () => {
    const owner = new Owner();
    const task: JobContext = new Execution(MESSAGE, owner);
    const { attempt, jobId, identity, shuttingDown } = task;
    expect({ attempt, jobId, identity }).toEqual({ attempt: 2, jobId: "r:17", identity: "w" });
    expect(shuttingDown).toBe(owner.shuttingDown);
  });

  it("is the job id of the outermost runner, when a relay sends the job", () => {
    const route = { origin: "outermost", deadline: Number.POSITIVE_INFINITY, priority: 0, labels: [], avoid: [] };
    expect(new Execution({ ...MESSAGE, route }, new Owner()).jobId).toBe("outermost:17");
  });

  it("is one signal, whenever it is asked for, which aborts once", () => {
    const task = new Execution(MESSAGE, new Owner());
    expect(task.signal).toBe(task.signal);
    expect(task.signal.aborted).toBe(false);
    task.abort("timeout");
    task.abort("stopped");
    expect(task.isWanted).toBe(false);
    expect(task.signal.reason).toBeInstanceOf(AbortError);
    expect(task.signal.reason).toMatchObject({ reason: "timeout" });
  });

  it("is an aborted signal when it is asked for too late", () => {
    const task = new Execution(MESSAGE, new Owner());
    task.abort("cancelled");
    task.abort("stopped");
    expect(task.signal.aborted).toBe(true);
    expect(task.signal.reason).toMatchObject({ reason: "cancelled" });
  });
});

describe("a result", () => {
  it.each(["text", "", new Uint8Array([1, 2]), new Uint8Array()])("may be %j, at once or later", async (value) => {
    expect(await run(() => value)).toEqual({ ok: true, value });
    expect(await run(() => Promise.resolve(value))).toEqual({ ok: true, value });
  });

  it.each<string | Uint8Array>(["text", new Uint8Array(1)])(
    "of %j that is there at once is handed over at once",
    (value) => {
      const owner = new Owner();
      new Execution(MESSAGE, owner).run(() => value);
      expect(owner.results).toEqual([{ ok: true, value }]);
    },
  );

  it.each([
    [null, "null"],
    [undefined, "undefined"],
    [12, "number"],
    [{}, "object"],
  ])("may not be %j", async (value, name) => {
    expect(await run(() => value as never)).toEqual({
      ok: false,
      error: {
        name: "TypeError",
        message: `a handler must return a string or a Uint8Array, not ${name}`,
        code: "RESULT_TYPE",
        stack: "",
      },
      retryable: false,
      retryAfter: 0,
    });
  });

  it.each([
    ["not well-formed", run(() => "\ud800"), "TypeError", "RESULT_TYPE"],
    ["too large", resultTooLarge(101, 100), "RangeError", "RESULT_TOO_LARGE"],
    ["transferred away", unreadable(), "TypeError", "RESULT_TYPE"],
  ])("that is %s says so", async (_name, result, name, code) => {
    expect(await result).toMatchObject({
      ok: false,
      error: { name, code, stack: "" },
      retryable: false,
      retryAfter: 0,
    });
  });
});

describe("a result that throws when it is looked at", () => {
  function trap(): object {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  }

  function hidden(): object {
    return new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error("hidden");
        },
      },
    );
  }

  function brokenPromise(): Promise<string> {
    return Object.defineProperty(Promise.resolve("x"), "constructor", {
      get: () => {
        throw new Error("broken");
      },
    });
  }

  it.each<[string, () => unknown]>([
    ["a revoked proxy", trap],
    ["a promise without a constructor", brokenPromise],
    ["an object that hides what it is", hidden],
    ["the same, later", async () => hidden()],
  ])("fails the job and nothing else: %s", async (_name, handler) => {
    expect(await run(handler as Handler)).toMatchObject({ ok: false, retryable: false });
  });
});

describe("what is thrown", () => {
  it("is told by name, message, code and stack when it is an error", async () => {
    const error = Object.assign(new RangeError("no such thing"), { code: "E_THING" });
    expect(await told(error)).toEqual({
      ok: false,
      error: { name: "RangeError", message: "no such thing", code: "E_THING", stack: error.stack },
      retryable: false,
      retryAfter: 0,
    });
  });

  it.each([
    [{}, ""],
    [{ code: "E" }, "E"],
    [{ code: 42 }, "42"],
    [{ code: Symbol("no") }, ""],
    [{ code: undefined }, ""],
  ])("has a code when it is a string or a number: %j", async (extra, code) => {
    expect(await told(Object.assign(new Error("m"), extra))).toMatchObject({ error: { code } });
  });

  it("has no stack when that is no string", async () => {
    expect(await told(Object.assign(new Error("m"), { stack: 7 }))).toMatchObject({ error: { stack: "" } });
  });

  it.each([
    ["text", "text"],
    [undefined, "undefined"],
    [null, "null"],
  ])("is told as text when it is no error: %j", async (thrown, message) => {
    expect(await told(thrown)).toEqual({
      ok: false,
      error: {
        name: "Error",
        message,
        code: "",
        stack: "",
      },
      retryable: false,
      retryAfter: 0,
    });
  });

  it("need not be readable", async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(await told(proxy)).toEqual({
      ok: false,
      error: { name: "Error", message: "the handler threw something that cannot be read", code: "", stack: "" },
      retryable: false,
      retryAfter: 0,
    });
  });

  it("is what a worker further on said, when the job was handed on", async () => {
    const remote = { name: "Far", message: "away", code: "E", stack: "there" };
    expect(await told(new ExecutionError(remote))).toMatchObject({ error: remote });
  });
});

describe("the wish to be tried again", () => {
  it.each([
    [{}, false, 0],
    [{ retryAfter: 5 }, false, 0],
    [{ retryable: true }, true, 0],
    [{ retryable: "yes" }, false, 0],
    [{ retryable: true, retryAfter: 0 }, true, 0],
    [{ retryable: true, retryAfter: -1 }, true, 0],
    [{ retryable: true, retryAfter: 0.5 }, true, 1],
    [{ retryable: true, retryAfter: "70" }, true, 70],
    [{ retryable: true, retryAfter: 2_147_483_647 }, true, 2_147_483_647],
    [{ retryable: true, retryAfter: 2_147_483_648 }, true, 2_147_483_647],
    [{ retryable: true, retryAfter: Number.POSITIVE_INFINITY }, true, 2_147_483_647],
    [{ retryable: true, retryAfter: Number.NaN }, true, 0],
  ])("is read from the error: %j", async (wish, retryable, retryAfter) => {
    expect(await told(Object.assign(new Error("m"), wish))).toMatchObject({ ok: false, retryable, retryAfter });
  });

  it.each(["text", undefined, null])("is not looked for in %j", async (thrown) => {
    expect(await told(thrown)).toMatchObject({ retryable: false, retryAfter: 0 });
  });
});
