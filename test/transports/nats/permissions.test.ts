/** A real server with exactly the permissions that docs/nats.md gives to copy. */
import type { NatsConnection } from "@nats-io/nats-core";
import { expect, test } from "vitest";
import { AuthError, JobRunner, Worker } from "../../../src/index.ts";
import { dialNats, listenNats } from "../../../src/transports/nats/index.ts";
import { encodePacket, PACKET } from "../../../src/transports/nats/packet.ts";
import { realTime } from "../../../src/testing/conformance/test-time.ts";
import { connectTo, describeWithNats } from "../../support/nats-server.ts";
import { read } from "../../support/package-files.ts";

const block = /```text\n(authorization \{\n[\s\S]*?)```/.exec(read("docs/nats.md"))?.[1] ?? "";
const env = { RUNNER_PASSWORD: "r-secret", ALICE_PASSWORD: "a-secret", BOB_PASSWORD: "b-secret" };
const time = realTime();

test("docs/nats.md has the block", () => {
  expect(block).toContain("ph.jobs.dial.alice");
});

describeWithNats(
  "the permissions of docs/nats.md",
  (server) => {
    const connect = (user: string): Promise<NatsConnection> =>
      connectTo(server(), { user, pass: `${user.charAt(0)}-secret` });

    test("a runner and a worker need no more than these, and the worker is its user", async () => {
      await using runnerNc = await connect("runner");
      await using aliceNc = await connect("alice");
      const runner = new JobRunner({ listen: listenNats(runnerNc, { fleet: "jobs" }) });
      await runner.start();
      const worker = new Worker({
        dial: dialNats(aliceNc, { fleet: "jobs", principal: "alice" }),
        handler: ({ data }) => `${String(data)}!`,
      });
      await worker.start();
      expect(await runner.execute("x".repeat(600_000))).toHaveLength(600_001);
      expect(runner.stats().workers.map(({ peer }) => [peer.transport, peer.principal])).toEqual([["nats", "alice"]]);
      await worker.stop();
      await runner.stop();
    });

    test("dialling as another, and listening, are AuthErrors", async () => {
      await using runnerNc = await connect("runner");
      await using aliceNc = await connect("alice");
      const runner = new JobRunner({ listen: listenNats(runnerNc, { fleet: "jobs" }) });
      await runner.start();
      const signal = new AbortController().signal;
      const dial = dialNats(aliceNc, { fleet: "jobs", principal: "bob" }).dial(signal, { maxFrameBytes: 1_000 });
      await expect(dial).rejects.toThrow(AuthError);
      const listening = listenNats(aliceNc, { fleet: "jobs" });
      await expect(listening.start(() => undefined, { maxFrameBytes: 1, report: () => undefined })).rejects.toThrow(
        AuthError,
      );
      await runner.stop();
    });

    test("the subjects of another can neither be listened to nor published to", async () => {
      await using runnerNc = await connect("runner");
      await using bobNc = await connect("bob");
      await using aliceNc = await connect("alice");
      const runner = new JobRunner({ listen: listenNats(runnerNc, { fleet: "jobs" }) });
      await runner.start();
      const subjects: string[] = [];
      const publish = bobNc.publish.bind(bobNc);
      const seeing = Object.assign(Object.create(bobNc) as NatsConnection, {
        publish: (...given: Parameters<typeof publish>) => {
          subjects.push(given[0]);
          publish(...given);
        },
      });
      const worker = new Worker({
        dial: dialNats(seeing, { fleet: "jobs", principal: "bob" }),
        handler: () => "from bob",
      });
      await worker.start();
      const target = subjects.find((subject) => subject.startsWith("ph.jobs.in.bob.")) ?? "";
      expect(target).not.toBe("");
      aliceNc.publish(target, encodePacket(PACKET.reset, 0, 0));
      const ended = aliceNc.subscribe("ph.jobs.out.bob.>", { callback: () => undefined }).closed;
      expect(String(await ended)).toContain("ph.jobs.out.bob.>");
      await aliceNc.flush();
      await time.quiet();
      // Still there: what alice published was not let through.
      expect(await runner.execute("")).toBe("from bob");
      expect(worker.state).toBe("registered");
      await worker.stop();
      await runner.stop();
    });
  },
  block,
  { env },
);
