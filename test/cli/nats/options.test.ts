/** How `nats://` addresses and credentials are read from a command line. */
import { expect, test } from "vitest";
import { CommandError } from "../../../src/cli/terminal/errors.ts";
import { Flags } from "../../../src/cli/terminal/flags.ts";
import { flagsOf } from "../../../src/cli/terminal/help.ts";
import { loadNatsClient } from "../../../src/cli/nats/connection.ts";
import { readRunSettings, RUN_COMMAND } from "../../../src/cli/run/options.ts";
import { readWorkSettings, WORK_COMMAND } from "../../../src/cli/work/work.ts";
import { jobs } from "../child.ts";

type Env = Readonly<Record<string, string>>;

function work(args: readonly string[], env: Env = {}): ReturnType<typeof readWorkSettings> {
  return readWorkSettings(new Flags([jobs(), "--connect", ...args], flagsOf(WORK_COMMAND), env));
}

function run(args: readonly string[], env: Env = {}): ReturnType<typeof readRunSettings> {
  return readRunSettings(new Flags([jobs(), "--listen", ...args], flagsOf(RUN_COMMAND), env));
}

test.each([
  ["nats://127.0.0.1", "nats://127.0.0.1:4222/jobs"],
  ["nats://localhost:7000/night", "nats://localhost:7000/night"],
  ["nats://[::1]:7000/night/", "nats://[::1]:7000/night"],
  ["tls://nats.example/night", "tls://nats.example:4222/night"],
])("%s is %s", (typed, shown) => {
  expect(work([typed])).toMatchObject({ url: shown, nats: { address: { shown } } });
  expect(run([typed])).toMatchObject({ listen: undefined, nats: { shown } });
});

test("credentials come from the environment or from options; the principal is the user unless it is named", () => {
  const env = { POWERHOSE_USER: "alice", POWERHOSE_PASSWORD: "secret" };
  expect(work(["nats://127.0.0.1"], env).nats?.address).toMatchObject({ user: "alice", password: "secret" });
  expect(run(["nats://127.0.0.1", "--user", "bob", "--password", "x"]).nats).toMatchObject({ user: "bob" });
  expect(run(["nats://127.0.0.1", "--creds", "package.json"]).nats).toMatchObject({ creds: "package.json" });
  expect(run(["nats://127.0.0.1"], { POWERHOSE_TOKEN: "t" }).nats).toMatchObject({ token: "t" });
  // The environment may hold them for other commands.
  expect(run(["7070"], env)).toMatchObject({ listen: { port: 7070 }, nats: undefined });
});

test.each([
  [["nats://u:p@127.0.0.1/jobs"], "--connect: no name or password in the URL"],
  [["nats://127.0.0.1/a/b"], "--connect: listenNats: expected `fleet` to be 1 to 64 characters"],
  [["nats://127.0.0.1/jobs?x=1"], "--connect: expected nats://host:port/fleet"],
  [["nats:///jobs"], "--connect: expected nats://host:port/fleet"],
  [["nats://10.0.0.1/jobs"], "--connect: nats://10.0.0.1:4222: refusing to send jobs and credentials in the clear"],
  [["nats://127.0.0.1", "--user", "alice"], "--user and --password go together"],
  [["nats://127.0.0.1", "--creds", "/nowhere/at/all"], "--creds: cannot read /nowhere/at/all"],
  [["nats://127.0.0.1", "--creds", "package.json", "--token", "t"], "exclude each other"],
  [["nats://127.0.0.1", "--principal", "local"], "--principal: dialNats: expected `principal` to be a name that"],
  [["nats://127.0.0.1", "--principal", "a.b"], "--principal: dialNats: expected `principal` to be 1 to 64 characters"],
  [["ws://127.0.0.1:1", "--principal", "alice"], "--principal: it is for a NATS server, as in --connect nats://"],
  [["ws://127.0.0.1:1", "--creds", "package.json"], "--creds: it is for a NATS server"],
])("work --connect %j is refused", (args, message) => {
  expect(() => work(args)).toThrow(CommandError);
  expect(() => work(args)).toThrow(message);
});

test.each([
  [["7070", "--user", "alice"], "--user: it is for a NATS server, as in --listen nats://"],
  [["nats://127.0.0.1", "--dashboard"], "--dashboard: it is served at a port"],
  [
    ["nats://127.0.0.1", "--origin", "https://app.example"],
    "--origin: no web page can join without --listen and a port",
  ],
  [["nats://10.0.0.1"], "refusing to send jobs and credentials in the clear"],
])("run --listen %j is refused", (args, message) => {
  expect(() => run(args)).toThrow(CommandError);
  expect(() => run(args)).toThrow(message);
});

test("another machine is reached with --allow-insecure, or by tls:", () => {
  expect(work(["nats://10.0.0.1", "--allow-insecure"]).url).toBe("nats://10.0.0.1:4222/jobs");
  expect(run(["nats://10.0.0.1", "--allow-insecure"]).nats?.isLocal).toBe(false);
});

test("without the client the error says what to install", async () => {
  const asked: string[] = [];
  const absent = (specifier: string): Promise<unknown> => {
    asked.push(specifier);
    return Promise.reject(new Error("not found"));
  };
  await expect(loadNatsClient(absent)).rejects.toThrow("run `npm install @nats-io/transport-node`");
  // Beside this package, then in the directory of the command.
  expect(asked).toEqual(["@nats-io/transport-node", expect.stringMatching(/^file:.*transport-node/) as string]);
  expect(await loadNatsClient()).toHaveProperty("connect");
});
