/** The script of the Web Worker that holds a tab's connection. */
import type { TabCommand, TabReport } from "./worker-protocol.ts";
import { TabWorkerHost } from "./tab-worker-host.ts";

/** The part of a dedicated worker's global scope that is used. */
interface WorkerScope {
  postMessage(report: TabReport, transfer: object[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent<TabCommand>) => void): void;
}

const scope = globalThis as WorkerScope;
const host = new TabWorkerHost((report, transfer = []) => scope.postMessage(report, transfer));
scope.addEventListener("message", ({ data }) => host.handle(data));
