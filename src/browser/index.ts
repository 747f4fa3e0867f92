/**
 * The public door of `powerhose/browser`: a tab that serves jobs. See tab-worker.ts for the page's handle, socket-entry.ts and
 * web-workers/entry.ts for its Web Workers.
 */
import { type ServeFromTabOptions, tabSettings } from "./options.ts";
import { TabWorker } from "./tab-worker.ts";

export type { ServeFromTabOptions, TabDefaults, TabScripts } from "./options.ts";
export type { WebWorkerEvent, WebWorkerLike } from "../web-workers/web-thread.ts";
export { TAB_DEFAULTS } from "./options.ts";
export type { TabWorker } from "./tab-worker.ts";
export type { TabEvent, TabProgressEvent, TabState, TabStateEvent, TabStats, TabTroubleEvent } from "./tab-events.ts";

/**
 * Makes this tab a worker: `await serveFromTab("wss://example.org/", { module: new URL("./square.js", import.meta.url) })`.
 * The connection lives in a Web Worker of its own and the handler in further ones, so that neither a busy page nor a hidden
 * tab's slow timers cost the tab its session. Resolves once a handler is loaded and the tab begins to dial; it goes on
 * dialling for ever.
 * @param url - A `ws:` or `wss:` URL, or the text of one.
 * @param options - See {@link ServeFromTabOptions}.
 * @throws TypeError or RangeError when the address or an option is wrong.
 * @throws AuthError when the address is `ws:` on another machine without `allowInsecure`.
 * @throws WorkerStartError when the module cannot be loaded or served, or the browser refuses the Web Workers.
 */
export async function serveFromTab(url: string | URL, options: ServeFromTabOptions): Promise<TabWorker> {
  const worker = new TabWorker(tabSettings(url, options));
  await worker.ready;
  return worker;
}
