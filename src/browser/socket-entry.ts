/** What the Web Worker that holds a tab's connection runs: takes its errand and does what the page tells it. */
import type { Order, Report } from "./worker-protocol.ts";
import { TabService } from "./tab-worker-host.ts";

/** The part of a dedicated worker's global scope that is used. */
interface WorkerScope {
  postMessage(report: Report): void;
  addEventListener(type: "message", listener: (event: MessageEvent<Order>) => void): void;
}

const scope = globalThis as WorkerScope;
const service = new TabService((report) => scope.postMessage(report));
scope.addEventListener("message", ({ data }) => service.obey(data));
