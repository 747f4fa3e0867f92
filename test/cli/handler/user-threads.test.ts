import { expect, test } from "vitest";
import { CommandError, EXIT } from "../../../src/cli/terminal/errors.ts";
import { MODULE_FAULT } from "../../../src/cli/handler/handler-timer.ts";
import { isLastThreadLost, startError } from "../../../src/cli/handler/user-threads.ts";
import { WorkerStartError } from "../../../src/index.ts";

const scarce = (message: string): Error => Object.assign(new Error(message), { code: "EMFILE" });

test.each([
  [
    "a module that is wrong",
    new WorkerStartError("x", { cause: new Error(`${MODULE_FAULT}no export`) }),
    "no export",
    EXIT.usage,
  ],
  [
    "a thread that cannot be made",
    new WorkerStartError("x", { cause: new Error("odd") }),
    "cannot load m.js: x",
    EXIT.usage,
  ],
  [
    "a module without a descriptor",
    new WorkerStartError("x", { cause: scarce(`${MODULE_FAULT}m.js: EMFILE`) }),
    "m.js: EMFILE",
    EXIT.failed,
  ],
  [
    "a thread without one",
    new WorkerStartError("EMFILE", { cause: scarce("EMFILE") }),
    "cannot load m.js: EMFILE",
    EXIT.failed,
  ],
])("%s ends the command with its words and its code", (_what, error, message, exitCode) => {
  const fault = startError(error, "m.js");
  expect(fault).toBeInstanceOf(CommandError);
  expect(fault).toMatchObject({ message, exitCode });
});

test("the command ends when all threads are given up, and for nothing else", () => {
  expect(isLastThreadLost(new WorkerStartError("given up", { retryIn: 5, givenUp: "all" }))).toBe(true);
  expect(isLastThreadLost(new WorkerStartError("given up", { retryIn: 5, givenUp: "place" }))).toBe(false);
  expect(isLastThreadLost(new WorkerStartError("later", { retryIn: 5 }))).toBe(false);
  expect(isLastThreadLost(new Error("a client erred"))).toBe(false);
});
