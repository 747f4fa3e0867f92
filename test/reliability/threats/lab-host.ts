/**
 * The process in which runners are attacked: it opens them on request, tells what they cost, and lets jobs run on them. A
 * process of its own because memory is measured, and the attackers' own must not count. Started by lab.ts.
 */
import { JobRunner } from "../../../src/core/runner/runner.ts";
import { listenWebSocket } from "../../../src/transports/websocket/node/index.ts";
import type { Figures, LabAnswer, LabRequest } from "./lab-talk.ts";

const open = new Map<number, { readonly runner: JobRunner; readonly gone: Record<string, number> }>();

async function start({ id, options }: Extract<LabRequest, { do: "open" }>): Promise<number> {
  const listener = listenWebSocket(options.listen);
  const runner = new JobRunner({ ...options.runner, listen: listener });
  const gone: Record<string, number> = {};
  runner.on((event) => {
    if (event.type === "worker-gone") gone[event.reason] = (gone[event.reason] ?? 0) + 1;
  });
  open.set(id, { runner, gone });
  await runner.start();
  return Number(new URL(listener.address).port);
}

function figures(id: number): Figures {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const { runner, gone } = found(id);
  const { workers, pending, registered, refused, failed } = runner.stats();
  return {
    heap: heapUsed + external,
    rss,
    cpu: (user + system) / 1_000,
    connections: process.getActiveResourcesInfo().filter((type) => type === "TCPSocketWrap").length,
    workers: workers.length,
    pending,
    registered,
    refused,
    failed,
    gone,
  };
}

function found(id: number): { readonly runner: JobRunner; readonly gone: Record<string, number> } {
  const one = open.get(id);
  if (one === undefined) throw new Error(`no runner ${id}`);
  return one;
}

async function run(id: number, count: number): Promise<number> {
  const { runner } = found(id);
  const jobs = Array.from({ length: count }, (_, i) =>
    runner.execute(`job ${i}`).then((value) => value === `job ${i}`),
  );
  return (await Promise.all(jobs)).filter((right) => right).length;
}

async function stop(id: number): Promise<void> {
  await found(id).runner.stop();
  open.delete(id);
}

async function answer(request: LabRequest): Promise<unknown> {
  switch (request.do) {
    case "open":
      return start(request);
    case "figures":
      return figures(request.id);
    case "run":
      return run(request.id, request.count);
    default:
      return stop(request.id);
  }
}

process.on("message", (message) => {
  // From lab.ts, which is the same program.
  const { number, request } = message as { number: number; request: LabRequest };
  answer(request).then(
    (value) => process.send?.({ number, value } satisfies LabAnswer),
    (error: unknown) => process.send?.({ number, error: String(error) } satisfies LabAnswer),
  );
});
process.on("disconnect", () => process.exit());
process.send?.({ number: 0, value: "ready" } satisfies LabAnswer);
