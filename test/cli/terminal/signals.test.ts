import { expect, onTestFinished, test } from "vitest";
import { SignalHandler } from "../../../src/cli/terminal/signals.ts";

test("a second signal within half a second is the first once more", () => {
  const heard: string[] = [];
  let now = 1_000;
  const interrupts = new SignalHandler(
    () => void heard.push("first"),
    () => void heard.push("second"),
    () => now,
  );
  onTestFinished(() => interrupts.release());
  const signal = (at: number): void => {
    now = at;
    process.emit("SIGTERM");
  };
  signal(1_000);
  signal(1_001);
  signal(1_499);
  expect(heard).toEqual(["first"]);
  signal(1_500);
  signal(1_501);
  expect(heard).toEqual(["first", "second", "second"]);
  interrupts.release();
  expect(process.listeners("SIGTERM")).toEqual([]);
});
