/** `powerhose run` with a module of typed tasks: which task it is, and on which machine. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Command, powerhose } from "../child.ts";

const MODULE = fileURLToPath(new URL("../fixtures/tasks.js", import.meta.url));

test("prefers an export to the task of its name", async () => {
  expect((await powerhose(["run", "-q", "-w", "1", `${MODULE}#nothing`], { input: "x\n" })).stdout).toBe("export x\n");
});

test("wants to know which task, and names them", async () => {
  const { code, stderr } = await powerhose(["run", "-w", "1", MODULE], { input: "1\n" });
  expect([code, stderr]).toEqual([2, expect.stringContaining(`name one, as in ${MODULE}#echo`)]);
});

test("serves from other machines, whose tasks say what a line is", async () => {
  await using run = new Command(["run", "--listen", "0", "-w", "0", `${MODULE}#echo`], { input: "[1]\n[2]\n" });
  const [, url = ""] = await run.says(/listening on (ws:\S+);/);
  await using _work = new Command(["work", "-w", "1", "--connect", url, MODULE]);
  expect(await run.ended).toMatchObject({ code: 0, stdout: "[1]\n[2]\n" });
});
