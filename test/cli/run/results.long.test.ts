import { expect, test } from "vitest";
import { Command, jobs, linesOf, powerhose } from "../child.ts";

test("--fail-fast ends the run at the first, though the input never ends", async () => {
  await using command = new Command(["run", "-w", "1", "--fail-fast", jobs("odd")]);
  command.child.stdin.write("1\n2\n3\n");
  const { code, stdout } = await command.ended;
  expect(code).toBe(1);
  expect(linesOf(stdout)[0]).toBe("1");
});

test("what can be awaited and is no promise is timed to its end", async () => {
  const { code, stdout, stderr } = await powerhose(["run", "-w", "1", jobs("thenable")], { input: "a\nb\n" });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "a\nb\n" });
  const [, ms = ""] = /a job took (\d+) ms to run/.exec(stderr) ?? [];
  expect(Number(ms)).toBeGreaterThanOrEqual(50); // the timer's own 60, less what hosts round off
});
