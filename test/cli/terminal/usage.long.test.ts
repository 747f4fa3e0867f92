import { beforeAll, describe, expect, test } from "vitest";
import { fileURLToPath } from "node:url";
import { manifest } from "../../support/package-files.ts";
import { type Ended, jobs, powerhose, powerhoseEach } from "../child.ts";

/** A file that is there and is no module. */
const broken = fileURLToPath(new URL("../../golden/frames.json", import.meta.url));
const missing = "./no-such-module.js";

type Case = readonly [args: readonly string[], words: string];

const WRONG: readonly Case[] = [
  [[], "name a command: run, work, tasks or status; --help says more"],
  [["jump"], 'unknown command "jump"; there are run, work, tasks and status'],
  [["run"], "name the module that holds the handler, such as ./square.js"],
  [["run", missing], `cannot load ${missing}: there is no such file`],
  [["run", broken], `${broken} could not be loaded: TypeError: `],
  [["run", jobs("nothing")], "has no export `nothing`; it exports: bytes, "],
  [["run", jobs("notAFunction")], "is not a function but number"],
  [["run", `${fileURLToPath(import.meta.url)}/x.js`], "a part of the path is not a folder"],
  [["run", "test"], "cannot load test: it is a folder; name the file in it"],
  [["run", "x".repeat(300)], "the name is too long"],
  [["run", "-w", "-1", jobs()], "option -w needs a value, one that does not begin with a dash"],
  [["run", "--buffer", "1048575", jobs()], "--buffer: expected a whole number from 1048576 to 68719476736"],
  [["run", "--buffer", "64MiB", jobs()], '--buffer: expected a whole number from 1048576 to 68719476736, got "64MiB"'],
  [["run", "--max-payload", "268435457", jobs()], "--max-payload: expected a whole number from 1 to 268435456"],
  [["run", "--timeout", "-5", jobs()], "option --timeout needs a value, one that does not begin with a dash"],
  [["help", "jump"], 'unknown command "jump"'],
  [["run", "--wrokers", "2", jobs()], "unknown option --wrokers (did you mean --workers?)"],
  [["run", "--workers"], "option --workers needs a value"],
  [["rnu"], 'unknown command "rnu"; there are run, work, tasks and status (did you mean run?)'],
  [["--versoin"], "unknown option --versoin (did you mean --version?)"],
  [["run", "--work", jobs()], "unknown option --work (did you mean --workers?)"],
  [["run", "-x", jobs()], "unknown option -x\n"],
  [["run", "--quiet=yes", jobs()], 'option --quiet takes no value, got "yes"'],
  [["run", "--constructor", jobs()], "unknown option --constructor\n"],
  [["run", "-w", "two", jobs()], '--workers: expected a whole number from 0 to 1000, got "two"'],
  [["run", "-w", "0", jobs()], "--workers 0 leaves nobody to run the jobs; add --listen"],
  [["run", "--timeout", "5 parsecs", jobs()], "--timeout: expected a duration such as 500ms"],
  [["run", "--output", "xml", jobs()], '--output: expected text or jsonl, got "xml"'],
  [["run", "--jsonl", "--null", jobs()], "--jsonl and --null exclude each other"],
  [["run", "--resume", jobs()], "--resume needs the --joblog"],
  [["run", "--token", "x", jobs()], "--token: nobody is to show it without --listen"],
  [["run", "--dashboard", jobs()], "--dashboard: it is served where workers join; add --listen"],
  [["run", "--linger", "5", jobs()], "--linger: it is the dashboard that lingers; add --dashboard"],
  [["run", "--lend", "x.js", jobs()], "--lend: tabs are lent by the dashboard; add --dashboard"],
  [["run", "--admin-token", "x", jobs()], "--admin-token: it is shown to the dashboard; add --dashboard"],
  [["run", "--listen", "0", "--dashboard", "--lend", "x.js", jobs()], "--lend: there is no file x.js"],
  [["run", "--listen", "0", "--dashboard", "--linger", "a while", jobs()], "--linger: expected a whole number"],
  [["run", "--origin", "https://app.example", jobs()], "--origin: no web page can join without --listen"],
  [["run", "--listen", "0", "--origin", "app.example", jobs()], "--origin: expected the origin of a web page"],
  [["run", "--listen", "0", "--origin", "https://a.example/", jobs()], "--origin: expected the origin of a web page"],
  [["run", "--listen", "nowhere", jobs()], "--listen: expected [host:]port"],
  [["run", "--listen", "0.0.0.0:0", jobs()], "--listen: 0.0.0.0 can be reached from other machines"],
  [["run", jobs(), "no-such-file.txt"], "cannot read no-such-file.txt: there is no such file"],
  [["run", jobs(), "."], "cannot read .: it is a directory"],
  [["run", jobs(), "-", "-"], "stdin (-) can be read only once"],
  [["work", jobs()], "--connect: say where the runner is"],
  [["work", jobs(), "--connect", "nowhere"], "--connect: expected a ws: or wss: URL"],
  [["work", jobs(), "--connect", "ws://jobs.example/"], "--connect: ws://jobs.example/: refusing to send"],
  [["work", missing, "--connect", "ws://127.0.0.1:1/"], `cannot load ${missing}: there is no such file`],
  [["work", jobs("nothing"), "--connect", "ws://127.0.0.1:1/"], "has no export `nothing`"],
  [["work", jobs(), "--connect", "ws://127.0.0.1:1/", "--identity", "a b"], "--identity: expected 1 to 128"],
  [["work", jobs(), "--connect", "ws://127.0.0.1:1/", "--labels", "a,,b"], "--labels: expected at most 32 labels"],
  [["status"], "say whom to ask, such as ws://127.0.0.1:7070/"],
  [["status", "ftp://127.0.0.1/"], "expected a ws: or http: URL, got ftp:"],
  [["status", "http://jobs.example/"], "refusing to send a token in the clear"],
];

const ASKED: readonly Case[] = [
  [["--help"], "powerhose run <module> [files…]"],
  [["help", "work"], "Lends this machine's cores"],
  [["run", "--help"], "--unordered"],
  [["work", "-h"], "--connect <url>"],
  [["status", "--help"], "--json"],
  [["--version"], manifest().version],
  [["-v"], manifest().version],
];

const HELP = [["help"], ["help", "run"], ["help", "work"], ["help", "status"]];

/** How each command ended, by its arguments. */
const ended = new Map<string, Ended>();

beforeAll(async () => {
  const commands = [...[...WRONG, ...ASKED].map(([args]) => args), ...HELP];
  const results = await powerhoseEach(commands);
  for (const [index, result] of results.entries()) ended.set(JSON.stringify(commands[index]), result);
});

function endOf(args: readonly string[]): Ended {
  const found = ended.get(JSON.stringify(args));
  if (found === undefined) throw new Error("it did not end");
  return found;
}

describe("a wrong command line is one clear line and exit code 2", () => {
  test.each(WRONG)("%j", (args, words) => {
    const { code, stdout, stderr } = endOf(args);
    expect(stderr).toContain(words);
    expect(stderr).toMatch(/^powerhose: [^\n]+\n$/);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  test("and so in a process of its own", async () => {
    const args = ["run", "--wrokers", "2", jobs()];
    expect(await powerhose(args)).toEqual(endOf(args));
  });
});

describe("what is asked for goes to stdout", () => {
  test.each(ASKED)("%j", (args, words) => {
    const { code, stdout, stderr } = endOf(args);
    expect(stdout).toContain(words);
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });

  test("no line of help is wider than a terminal", () => {
    for (const args of HELP) {
      const { stdout } = endOf(args);
      expect(stdout).not.toBe("");
      expect(stdout.split("\n").filter((line) => line.length > 110)).toEqual([]);
    }
  });

  test("and so in a process of its own", async () => {
    expect(await powerhose(["run", "--help"])).toEqual(endOf(["run", "--help"]));
  });
});

test("the environment says what the command line does not", async () => {
  const { stdout } = await powerhose(["run", "-o", "jsonl", jobs()], {
    input: "a\nb\nc\nd\n",
    env: { POWERHOSE_WORKERS: "1" },
  });
  expect(new Set(stdout.match(/"worker":"[^"]*"/g))).toEqual(new Set(['"worker":"thread-1"']));
  const wrong = await powerhose(["run", jobs()], { env: { POWERHOSE_WORKERS: "all" } });
  expect(wrong.stderr).toBe('powerhose: POWERHOSE_WORKERS: expected a whole number from 0 to 1000, got "all"\n');
});
