/** Serves one handler from the global scope of a dedicated worker: waits for the init message, then runs supervisor/thread-main.ts. */
import { type Handler, systemRandom } from "../index.ts";
import { serveThread } from "../supervisor/thread-main.ts";
import { type ThreadInit, wrapMessage } from "../supervisor/thread-protocol.ts";
import { wrapServeNote } from "./serve-note.ts";

/** The part of a dedicated worker's global scope that is used. */
interface WorkerScope {
  postMessage(message: unknown): void;
  addEventListener(type: "message", listener: (event: MessageEvent<object | null>) => void): void;
  removeEventListener(type: "message", listener: (event: MessageEvent<object | null>) => void): void;
  close(): void;
  reportError(error: unknown): void;
}

const scope = globalThis as WorkerScope;

/** Whether this is the global scope of a dedicated worker: a page has a document, and Node has no `postMessage`. */
export function isWorkerScope(): boolean {
  return typeof scope.postMessage === "function" && !("document" in globalThis);
}

/** What the page posts of its own is not the init message. */
function isInit(data: object | null): data is ThreadInit {
  return (
    typeof data === "object" && data !== null && "nonce" in data && "port" in data && data.port instanceof MessagePort
  );
}

/** Takes a lock that this worker keeps until it ends, and returns its name: the browser has nothing else that tells of every end. */
async function holdLock(): Promise<string | undefined> {
  const { locks } = navigator as { readonly locks?: LockManager };
  if (locks === undefined) return undefined;
  const lock = `powerhose:${systemRandom.id()}`;
  return new Promise((resolve) => {
    const hold = (): Promise<never> => {
      resolve(lock);
      return new Promise(() => undefined);
    };
    locks.request(lock, hold).catch(() => resolve(undefined));
  });
}

/** Serves what `load` returns, once. */
export function serveScope(load: (init: ThreadInit) => Promise<Handler>): void {
  // A Web Worker that closes itself fires no event: its job would hang until it times out.
  scope.close = (): void => scope.reportError(new Error("the handler closed its Web Worker"));
  const onMessage = ({ data }: MessageEvent<object | null>): void => {
    if (!isInit(data)) return;
    // All further messages belong to the user's module.
    scope.removeEventListener("message", onMessage);
    void serveThread(data, (message) => scope.postMessage(wrapMessage(message, data.nonce)), load);
  };
  scope.addEventListener("message", onMessage);
  void holdLock().then((lock) => scope.postMessage(wrapServeNote({ lock })));
}
