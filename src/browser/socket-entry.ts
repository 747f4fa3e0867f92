/** What the Web Worker that holds a tab's connection runs: takes its errand and does what the page tells it. */
import type { TabCommand, TabReport } from "./worker-protocol.ts";
import { TabWorkerHost } from "./tab-worker-host.ts";

/** The part of a dedicated worker's global scope that is used. */
interface WorkerScope {
  postMessage(report: TabReport): void;
  addEventListener(type: "message", listener: (event: MessageEvent<TabCommand>) => void): void;
}

const scope = globalThis as WorkerScope;
const service = new TabWorkerHost((report) => scope.postMessage(report));
scope.addEventListener("message", ({ data }) => service.handle(data));
