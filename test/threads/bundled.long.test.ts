/** Programs with threads, bundled: as docs/bundlers.md shows it, and as one does who has not read it. */
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { blocksOf, type Run, runCommand, runNode } from "../support/fenced-code.ts";
import { read, root } from "../support/package-files.ts";

const LIMIT = 100_000;
const PAGE = "docs/bundlers.md";

type Bundler = "esbuild" | "rolldown" | "vite";

/** The files the page shows, by name. What has none is of a page. */
const shown = new Map(
  blocksOf(PAGE, read(PAGE)).flatMap(({ file, code }) => (file === undefined ? [] : [[file, code]])),
);

/** The arguments of the command the page shows. */
const [, esbuildArguments = ""] = /^npx esbuild (.*)$/m.exec(read(PAGE)) ?? [];

/** A folder with a program in it, and this package installed. */
class Program implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async write(files: Readonly<Record<string, string>>): Promise<Program> {
    const program = new Program(await mkdtemp(join(tmpdir(), "powerhose-bundled-")));
    await mkdir(join(program.#folder, "node_modules"));
    await symlink(root, join(program.#folder, "node_modules/powerhose"));
    await program.add("package.json", `{ "type": "module" }`);
    for (const [name, text] of [...shown, ...Object.entries(files)]) await program.add(name, text);
    return program;
  }

  async add(name: string, text: string): Promise<void> {
    await mkdir(dirname(join(this.#folder, name)), { recursive: true });
    await writeFile(join(this.#folder, name), text);
  }

  /** Builds it to `built`, which nothing else of it is needed for from then on. */
  async bundle(bundler: Bundler, args: readonly string[]): Promise<void> {
    const { code, stderr } = await this.runBundler(bundler, args);
    expect({ bundler, code, stderr: code === 0 ? "" : stderr }).toEqual({ bundler, code: 0, stderr: "" });
    await cp(join(this.#folder, "built"), join(this.#folder, "away/from/it"), { recursive: true });
    for (const gone of ["built", "node_modules", "app.js", "square.js"])
      await rm(join(this.#folder, gone), { recursive: true });
  }

  /** By its command: what that is, a script or a binary, depends on how it was installed. */
  runBundler(bundler: Bundler, args: readonly string[]): Promise<Run> {
    return runCommand(join(root, "node_modules/.bin", bundler), args, this.#folder, LIMIT);
  }

  /** Runs Node in the folder. */
  run(args: readonly string[]): Promise<Run> {
    return runNode(args, this.#folder, LIMIT);
  }

  /** Runs what was built. */
  start(name: string): Promise<Run> {
    return this.run([join("away/from/it", name)]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}

const works = { code: 0, stdout: "144\n", stderr: "" };

describe("as the page shows it, without the package beside it", () => {
  test.each([
    ["esbuild", esbuildArguments.split(" ")],
    ["esbuild", [...esbuildArguments.split(" "), "--splitting", "--minify"]],
    ["rolldown", ["-c", "rolldown.config.js"]],
    ["vite", ["build"]],
  ] as const)("%s %s", async (bundler, args) => {
    await using program = await Program.write({});
    await program.bundle(bundler, args);
    expect(await program.start("app.js")).toEqual(works);
  });

  const COMMON = `
    const { JobRunner } = require("powerhose");
    const { threads } = require("powerhose/threads");
    const built = (name) => require("node:path").join(__dirname, name);
    const listen = threads(built("square.cjs"), { script: built("powerhose-thread.cjs"), size: 1 });
    const runner = new JobRunner({ listen });
    runner.start().then(async () => {
      console.log(await runner.execute("12"));
      await runner.stop();
    });
  `;
  const ENTRIES = ["app=common.cjs", "square=square.js", "powerhose-thread=powerhose/threads/entry"];
  const CONFIG = `export default {
    input: { app: "common.cjs", square: "square.js", "powerhose-thread": "powerhose/threads/entry" },
    platform: "node",
    output: { dir: "built", format: "cjs", entryFileNames: "[name].cjs", chunkFileNames: "[name].cjs" },
  };`;

  test.each([
    [
      "esbuild",
      [...ENTRIES, "--bundle", "--platform=node", "--format=cjs", "--out-extension:.js=.cjs", "--outdir=built"],
    ],
    ["rolldown", ["-c", "common.config.js"]],
  ] as const)("%s, to CommonJS", async (bundler, args) => {
    await using program = await Program.write({ "common.cjs": COMMON, "common.config.js": CONFIG });
    await program.bundle(bundler, args);
    expect(await program.start("app.cjs")).toEqual(works);
  });
});

describe("as one file", () => {
  const failing = (options: string): string => `
    import { JobRunner } from "powerhose";
    import { threads } from "powerhose/threads";
    import { listenWebSocket } from "powerhose/websocket/node";
    const ws = (options) => listenWebSocket({ host: "127.0.0.1", ...options });
    const runner = new JobRunner({ listen: ${options} });
    runner.start().then(() => runner.stop(), (error) => console.log(error.message));
  `;
  const own = `threads("away/from/it/square.js", { size: 1 })`;
  const ONE = ["app.js", "--bundle", "--platform=node", "--log-level=error"];

  test.each([
    ["esbuild", [...ONE, "--format=esm", "--outdir=built"], "app.js", /not beside file:\S+\/away\/from\/it\/app\.js: /],
    ["esbuild", [...ONE, "--format=cjs", "--outfile=built/app.cjs"], "app.cjs", /not beside its program: /],
    ["rolldown", ["app.js", "--platform=node", "-d", "built"], "app.js", /not beside file:\S+\/it\/app\.js: /],
    [
      "rolldown",
      ["app.js", "--platform=node", "-f", "cjs", "-o", "built/app.cjs"],
      "app.cjs",
      /not beside file:\S+\.cjs: /,
    ],
  ] as const)(
    "%s %s: the start says what to do, and runs no file of the same name",
    async (bundler, args, app, place) => {
      await using program = await Program.write({ "app.js": failing(own) });
      await program.bundle(bundler, args);
      await program.add("away/from/it/entry.js", `console.log("not the script");`);
      const { stdout } = await program.start(app);
      expect(stdout).toMatch(place);
      expect(stdout).toContain(
        'this program was bundled; leave the package out of the bundle (external: "powerhose"), or build',
      );
      expect(stdout).toContain("`powerhose/threads/entry`");
      expect(stdout).toContain("`script`: docs/bundlers.md");
      expect(stdout).not.toContain("not the script");
    },
  );

  test.each([
    [
      "a script that is not there",
      `threads("app.js", { script: "away/thread.js", size: 1 })`,
      /`script`: \S+\/away\/thread\.js does not exist; build `powerhose\/threads\/entry` to it/,
    ],
    ["a dashboard", `ws({ dashboard: true })`, /dashboard cannot be read: .* see docs\/bundlers\.md/],
  ])("%s: the start says what to do", async (_what, options, message) => {
    await using program = await Program.write({ "app.js": failing(options) });
    await program.bundle("esbuild", [...ONE, "--format=cjs", "--outfile=built/app.cjs"]);
    expect((await program.start("app.cjs")).stdout).toMatch(message);
  });

  test("a handler that was left out: the start says what to do", async () => {
    await using program = await Program.write({});
    await program.bundle("esbuild", esbuildArguments.replace("square=square.js ", "").split(" "));
    expect((await program.start("app.js")).stderr).toMatch(
      /square\.js does not exist; in a bundled program the handler is built as an entry of its own: docs\/bundlers\.md/,
    );
  });
});

test("the package out of the bundle: it runs as it is", async () => {
  const files = { "app.js": (shown.get("app.js") ?? "").replace(/script: [^,]+, /, "") };
  await using program = await Program.write(files);
  const args = [
    "app.js",
    "square.js",
    "--bundle",
    "--external:powerhose",
    "--format=esm",
    "--platform=node",
    "--outdir=out",
  ];
  await program.runBundler("esbuild", args);
  expect(await program.run(["out/app.js"])).toEqual(works);
});
