import { expect, test } from "vitest";
import { runNode } from "../support/fenced-code.ts";
import { root } from "../support/package-files.ts";
import { commands } from "./stage.ts";

const LIMIT = 100_000;

/** Runs a script that has `runner` over threads in a process of its own, to see whether and how that ends. */
function script(text: string): ReturnType<typeof runNode> {
  const source = `
    import { JobRunner } from "powerhose";
    import { threads } from "powerhose/threads";
    const runner = new JobRunner({ listen: threads(new URL(${JSON.stringify(commands.href)}), { size: 2 }) });
    ${text}
  `;
  return runNode(["--input-type=module", "-e", source], root, LIMIT);
}

test("a process that stops its runner ends by itself", async () => {
  const done = await script(`
    await runner.start();
    console.log(await runner.execute("echo:done"));
    await runner.stop();
  `);
  expect(done).toMatchObject({ code: 0, stdout: "done\n", stderr: "" });
});

test("so it does when a handler spins", async () => {
  const done = await script(`
    await runner.start();
    const lost = runner.execute("spin").catch((error) => console.log(error.code));
    await runner.execute("echo:x");
    await runner.stop();
    await lost;
  `);
  expect(done).toMatchObject({ code: 0, stdout: "RUNNER_STOPPED\n", stderr: "" });
});

test("and when the start failed", async () => {
  const done = await script(`
    const broken = new JobRunner({ listen: threads("nowhere.js", { size: 2 }) });
    await broken.start().catch((error) => console.log(error.code));
  `);
  expect(done).toMatchObject({ code: 0, stdout: "WORKER_START\n", stderr: "" });
});

test("what the threads print is printed", async () => {
  const done = await script(`
    await runner.start();
    await Promise.all([runner.execute("print:one"), runner.execute("print:two")]);
    await runner.stop();
  `);
  expect(done.code).toBe(0);
  expect(done.stdout.split("\n").sort()).toEqual(["", "one out", "two out"]);
  expect(done.stderr.split("\n").sort()).toEqual(["", "one err", "two err"]);
});

test("unless it is kept", async () => {
  const done = await script(`
    const quiet = new JobRunner({ listen: threads(new URL(${JSON.stringify(commands.href)}), { size: 1, stdout: true, stderr: true }) });
    await quiet.start();
    await quiet.execute("print:one");
    await quiet.stop();
  `);
  expect(done).toMatchObject({ code: 0, stdout: "", stderr: "" });
});
