import { expect, test } from "vitest";
import { RunOutcome } from "../../../src/cli/run/run-outcome.ts";

test("nothing has happened: only failed jobs count", () => {
  const ending = new RunOutcome();
  expect([ending.isOpen, ending.exitCode(0), ending.exitCode(2)]).toEqual([true, 0, 1]);
});

test("a signal outranks whatever comes before or after it", () => {
  for (const why of ["fail-fast", "unread", "fault"] as const) {
    const [before, after] = [new RunOutcome(), new RunOutcome()];
    before.interrupt();
    before.cut(why, new Error("broken"));
    after.cut(why, new Error("broken"));
    after.interrupt();
    expect([before.exitCode(1), after.exitCode(1)]).toEqual([130, 130]);
  }
});

test("a reader that had enough outranks failed jobs", () => {
  const ending = new RunOutcome();
  expect([ending.cut("unread"), ending.isUnread, ending.exitCode(3)]).toEqual([true, true, 0]);
});

test("the first reason stays, and so does the first fault", () => {
  const ending = new RunOutcome();
  const [first, second] = [new Error("first"), new Error("second")];
  expect([ending.cut("fault", first), ending.cut("fault", second), ending.cut("unread")]).toEqual([true, false, false]);
  expect([ending.fault, ending.isUnread]).toEqual([first, false]);
});

test("what could not be written is told, whatever ended the run before", () => {
  for (const why of ["fail-fast", "unread"] as const) {
    const ending = new RunOutcome();
    const [first, second] = [new Error("disk full"), new Error("log full")];
    ending.cut(why);
    ending.writeFailed(first);
    ending.cut("fault", first);
    ending.writeFailed(second);
    expect(ending.fault).toBe(first);
  }
});
