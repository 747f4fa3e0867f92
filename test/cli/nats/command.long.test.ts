/** `run --listen nats://…` and `work --connect nats://…` as processes, at a real server with the permissions of docs/nats.md. */
import { expect, test } from "vitest";
import { describeWithNats, describeWithNatsProgram } from "../../support/nats-server.ts";
import { NatsServer } from "../../support/nats-program.ts";
import { read } from "../../support/package-files.ts";
import { Command, jobs, linesOf, powerhose, seq } from "../child.ts";

const block = /```text\n(authorization \{\n[\s\S]*?)```/.exec(read("docs/nats.md"))?.[1] ?? "";
const passwords = { RUNNER_PASSWORD: "r-secret", ALICE_PASSWORD: "a-secret", BOB_PASSWORD: "b-secret" };
const asRunner = { POWERHOSE_USER: "runner", POWERHOSE_PASSWORD: "r-secret" };
const asAlice = { POWERHOSE_USER: "alice", POWERHOSE_PASSWORD: "a-secret" };

describeWithNats(
  "the command",
  (server) => {
    test("workers join a run by a server, as their users, and print what it asked for", async () => {
      const url = `nats://${server().address}/jobs`;
      await using run = new Command(["run", "-w", "0", "--listen", url, "-o", "jsonl", jobs()], { env: asRunner });
      await run.says(
        new RegExp(`listening at ${url}; add workers with\\n {4}POWERHOSE_USER=… POWERHOSE_PASSWORD=… powerhose work `),
      );
      await using work = new Command(["work", "-w", "2", "--identity", "helper", "--connect", url, "--once", jobs()], {
        env: asAlice,
      });
      await work.says(/registered at nats:/);
      await run.says(/worker helper joined from alice\/[0-9a-f]{8}\.1 \(\d jobs? at a time\)/);
      run.child.stdin.end(seq(50));
      const { code, stdout } = await run.ended;
      expect([code, linesOf(stdout).length]).toEqual([0, 50]);
      expect(stdout).toContain('"worker":"helper/thread-');
      expect(await work.ended).toMatchObject({ code: 0 });
    });

    test("a wrong password, and a principal that is another's, end a worker with exit code 1", async () => {
      const url = `nats://${server().address}/jobs`;
      await using run = new Command(["run", "-w", "0", "--listen", url, jobs()], { env: asRunner });
      await run.says(/listening at/);
      const wrong = await powerhose(["work", "-w", "1", "--connect", url, jobs()], {
        env: { ...asAlice, POWERHOSE_PASSWORD: "guess" },
      });
      expect([wrong.code, wrong.stderr]).toEqual([
        1,
        expect.stringMatching(/could not connect to nats:.*Authorization/i),
      ]);
      const other = await powerhose(["work", "-w", "1", "--connect", url, "--principal", "bob", jobs()], {
        env: asAlice,
      });
      expect([other.code, other.stderr]).toEqual([
        1,
        expect.stringContaining("the NATS server does not allow to be bob"),
      ]);
      run.child.stdin.end();
      expect(await run.ended).toMatchObject({ code: 0 });
    });

    test("a run that may not listen ends with exit code 1", async () => {
      const url = `nats://${server().address}/jobs`;
      const run = await powerhose(["run", "-w", "0", "--listen", url, jobs()], { env: asAlice });
      expect([run.code, run.stderr]).toEqual([1, expect.stringContaining("the server does not allow listening")]);
    });
  },
  block,
  { env: passwords },
);

describeWithNatsProgram("the command and a server that is not there", (program) => {
  test("a run says so and ends; a worker waits for the server, and comes back when it is killed", async () => {
    const first = await NatsServer.start(program);
    const url = `nats://${first.address}/jobs`;
    await first[Symbol.asyncDispose]();
    const run = await powerhose(["run", "--listen", url, "-w", "1", jobs()]);
    expect([run.code, run.stderr]).toEqual([1, expect.stringContaining(`could not connect to ${url}: `)]);

    await using work = new Command(["work", "-w", "1", "--connect", url, jobs()]);
    await work.says(/could not connect to .*; trying again in /);
    const port = Number(first.address.split(":")[1]);
    const second = await NatsServer.start(program, "", { port });
    await using later = new Command(["run", "-w", "0", "--listen", url, jobs()]);
    await work.says(/registered at/);
    await second[Symbol.asyncDispose]();
    await work.says(/disconnected: .*the connection to the NATS server was lost/);
    await using third = await NatsServer.start(program, "", { port });
    await work.until(() => (work.stderr.match(/registered at/g) ?? []).length === 2);
    later.child.stdin.end(seq(10));
    expect(await later.ended).toMatchObject({ code: 0 });
    work.child.kill("SIGTERM");
    expect(await work.ended).toMatchObject({ code: 0 });
    expect(third.version).not.toBe("");
  });
});
