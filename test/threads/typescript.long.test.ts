/** Handlers in TypeScript, in processes that read it by tsx, and in those that do not. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Run, runNode } from "../support/fenced-code.ts";
import { root } from "../support/package-files.ts";

const LIMIT = 100_000;
const TSX = join(root, "node_modules/tsx/dist/cli.mjs");
const POWERHOSE = join(root, "dist/cli/main.js");

const program = (options: string, module = "./square.ts"): string => `
  import { JobRunner } from "powerhose";
  import { threads } from "powerhose/threads";
  const runner: JobRunner = new JobRunner({ listen: threads(new URL("${module}", import.meta.url), { size: 1, ${options} }) });
  runner.start().then(async () => {
    console.log(await runner.execute("12"));
    await runner.stop();
  }, (error) => console.log(error.message));
`;
const FILES = {
  "package.json": `{ "type": "module" }`,
  "jobs.txt": "12\n",
  "app.ts": program(""),
  "script.ts": program("", "./plain.js"),
  "bare.ts": program("execArgv: []"),
  "given.ts": program(`execArgv: ["--import", "tsx"]`),
  "registered.js": `import { register } from "tsx/esm/api"; register(); await import(process.argv[2]);`,
  // An enum is no type to be stripped, and the import names no file.
  "square.ts": `import { times } from "./times"; enum Power { Two = 2 }
    export default (job: { data: string }): string => String(times(Number(job.data) * Number(job.data), Power.Two / 2));`,
  "times.ts": `export const times = (a: number, b: number): number => a * b;`,
  "plain.js": `import { times } from "./times.ts"; export default (job) => String(times(Number(job.data), Number(job.data)));`,
  "common/package.json": `{ "type": "commonjs" }`,
  "common/app.mts": program("", "./square.ts"),
  "common/square.ts": `import { times } from "./times"; export default (job: { data: string }) => String(times(Number(job.data), Number(job.data)));`,
  "common/times.ts": `export const times = (a: number, b: number): number => a * b;`,
};

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "powerhose-typescript-"));
  await mkdir(join(folder, "node_modules"));
  await mkdir(join(folder, "common"));
  await symlink(root, join(folder, "node_modules/powerhose"));
  await symlink(join(root, "node_modules/tsx"), join(folder, "node_modules/tsx"));
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(folder, name), text);
});

afterAll(() => rm(folder, { recursive: true }));

function run(args: readonly string[]): Promise<Run> {
  return runNode(args, folder, LIMIT);
}

describe("under tsx the threads read TypeScript", () => {
  test.each([
    ["by its command", [TSX, "app.ts"]],
    ["by --import", ["--import", "tsx", "app.ts"]],
    ["by --import=", ["--import=tsx", "app.ts"]],
    ["by the threads' own execArgv", ["registered.js", "./given.ts"]],
    ["a module that is JavaScript and imports it", [TSX, "script.ts"]],
    ["compiled to CommonJS", [TSX, "common/app.mts"]],
  ])("%s", async (_how, args) => {
    expect(await run(args)).toMatchObject({ code: 0, stdout: "144\n", stderr: "" });
  });

  test.each([
    ["powerhose run", [TSX, POWERHOSE, "run", "square.ts", "jobs.txt"]],
    ["powerhose run, compiled to CommonJS", ["--import", "tsx", POWERHOSE, "run", "common/square.ts", "jobs.txt"]],
  ])("%s", async (_how, args) => {
    expect(await run(args)).toMatchObject({ code: 0, stdout: "144\n" });
  });
});

const ADVICE =
  'start the process with `node --import tsx`, give the threads `execArgv: ["--import", "tsx"]`, or compile it first';

describe("where no thread has tsx, the error says what to do", () => {
  test.each([
    ["registered by the program", ["registered.js", "./app.ts"]],
    ["threads without options", [TSX, "bare.ts"]],
    ["powerhose run", [POWERHOSE, "run", "square.ts", "jobs.txt"]],
  ])("%s", async (_how, args) => {
    const { stdout, stderr } = await run(args);
    expect(stdout + stderr).toMatch(/square\.ts could not be loaded: \w+: .*(?:"\.ts"|enum)/);
    expect(stdout + stderr).toContain(`; ${ADVICE}`);
  });
});
