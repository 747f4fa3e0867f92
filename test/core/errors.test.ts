import { describe, expect, expectTypeOf, it } from "vitest";
import {
  AbortError,
  type AnyPowerhoseError,
  type AttemptRecord,
  AuthError,
  EncodingError,
  type ErrorCode,
  ExecutionError,
  NoWorkerError,
  PowerhoseError,
  type PowerhoseErrorOptions,
  ProtocolError,
  type QueueFill,
  QueueFullError,
  RunnerStoppedError,
  TimeoutError,
  VerificationError,
  WorkerLostError,
  WorkerStartError,
  WorkerStoppedError,
} from "../../src/core/errors.ts";

type Make = (options?: PowerhoseErrorOptions) => AnyPowerhoseError;
const fill: QueueFill = { limit: "maxQueueBytes", max: 100, queued: 3, queuedBytes: 90 };
const remote = { name: "RangeError", message: "too big", code: "E1", stack: "at x" };

const all: Record<ErrorCode, readonly [name: string, make: Make]> = {
  TIMEOUT: ["TimeoutError", (options) => new TimeoutError("message", "queue", 5, options)],
  EXECUTION: ["ExecutionError", (options) => new ExecutionError(remote, options)],
  WORKER_LOST: ["WorkerLostError", (options) => new WorkerLostError("message", options)],
  NO_WORKER: ["NoWorkerError", (options) => new NoWorkerError("message", options)],
  VERIFICATION: ["VerificationError", (options) => new VerificationError("message", [], options)],
  QUEUE_FULL: ["QueueFullError", (options) => new QueueFullError("message", fill, options)],
  ABORTED: ["AbortError", (options) => new AbortError("message", "draining", options)],
  RUNNER_STOPPED: ["RunnerStoppedError", (options) => new RunnerStoppedError("message", options)],
  WORKER_STOPPED: ["WorkerStoppedError", (options) => new WorkerStoppedError("message", options)],
  WORKER_START: ["WorkerStartError", (options) => new WorkerStartError("message", options)],
  PROTOCOL: ["ProtocolError", (options) => new ProtocolError("message", options)],
  AUTH: ["AuthError", (options) => new AuthError("message", options)],
  ENCODING: ["EncodingError", (options) => new EncodingError("message", -1, options)],
};

describe.each(Object.entries(all))("the error of code %s", (code, [name, make]) => {
  it("is an Error, of the base class and of its own, by its name in logs", () => {
    const error = make();
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(PowerhoseError);
    expect([error.code, error.name, error.constructor.name]).toEqual([code, name, name]);
    expect(String(error)).toBe(`${name}: ${error.message}`);
    expect(error.stack).toContain("errors.test.ts");
  });

  it("has no cause and no attempts unless told", () => {
    for (const error of [make(), make({}), make({ cause: undefined })]) {
      expect(error.attempts).toEqual([]);
      expect(Object.hasOwn(error, "cause")).toBe(false);
    }
  });

  it("keeps its cause, falsy or not, and its attempts", () => {
    const attempts: AttemptRecord[] = [{ identity: "w", outcome: "lost", ms: 3 }];
    for (const cause of [new Error("below"), null, 0, ""]) {
      const error = make({ cause, attempts });
      expect(error.cause).toBe(cause);
      expect(error.attempts).toEqual(attempts);
    }
  });
});

describe("errors with more to say", () => {
  it("name the limit", () => {
    expect(new TimeoutError("m", "queue", 30_000)).toMatchObject({ kind: "queue", ms: 30_000, message: "m" });
  });

  it("name the limit of the queue, and what waits in it", () => {
    expect(new QueueFullError("m", fill)).toMatchObject({ ...fill, message: "m" });
  });

  it("carry what the handler threw", () => {
    expect(new ExecutionError(remote)).toMatchObject({
      message: "RangeError: too big",
      remoteName: "RangeError",
      remoteMessage: "too big",
      remoteCode: "E1",
      remoteStack: "at x",
    });
  });

  it("say why work was aborted", () => {
    expect(new AbortError("m", "disconnected").reason).toBe("disconnected");
  });

  it("say where a text is at fault, when it is about a place", () => {
    expect(new EncodingError("bad", 0)).toMatchObject({ offset: 0, message: "offset 0: bad" });
    expect(new EncodingError("bad")).toMatchObject({ offset: -1, message: "bad" });
  });
});

describe("the union of all errors", () => {
  it("can be switched over by code, to the last one", () => {
    expectTypeOf<AnyPowerhoseError["code"]>().toEqualTypeOf<ErrorCode>();
    const meant = (error: AnyPowerhoseError): string => {
      switch (error.code) {
        case "TIMEOUT":
          return `${error.kind} ${error.ms}`;
        case "EXECUTION":
          return error.remoteName;
        case "ABORTED":
          return error.reason;
        case "ENCODING":
          return String(error.offset);
        case "WORKER_LOST":
        case "NO_WORKER":
        case "VERIFICATION":
        case "QUEUE_FULL":
        case "RUNNER_STOPPED":
        case "WORKER_STOPPED":
        case "WORKER_START":
        case "PROTOCOL":
        case "AUTH":
          return error.message;
      }
    };
    expect(Object.values(all).map(([, make]) => meant(make()))).toEqual([
      "queue 5",
      "RangeError",
      ...Array<string>(4).fill("message"),
      "draining",
      ...Array<string>(5).fill("message"),
      "-1",
    ]);
  });
});
