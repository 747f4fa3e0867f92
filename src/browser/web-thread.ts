/** A Web Worker as a thread of supervisor/thread-instance.ts. */
import type { HostedEvents, HostedThread } from "../supervisor/thread-instance.ts";
import { systemClock } from "../index.ts";

function start(script: string | undefined): Worker {
  // Bundlers look for exactly this form, its options included.
  if (script === undefined) return new Worker(new URL("./handler-entry.js", import.meta.url), { type: "module" });
  return new Worker(script, { type: "module" });
}

/** The text of a Web Worker's `error` event. One without a message means that its script did not load. */
export function errorText(event: Event): string {
  if (!(event instanceof ErrorEvent)) return "its script could not be loaded";
  const { message, filename, lineno } = event;
  return filename === "" ? message : `${message} (${filename}:${lineno})`;
}

/** Starts a Web Worker; `script` is the URL of what it runs. Throws what the browser throws. */
export function spawnWebThread(script: string | undefined, events: HostedEvents): HostedThread {
  const worker = start(script);
  let ended = false;
  const end = (reason: string): void => {
    if (ended) return;
    ended = true;
    worker.terminate();
    // A browser has no event for the end of a Web Worker.
    systemClock.nextTurn(() => events.onExit(reason));
  };
  worker.addEventListener("message", ({ data }) => events.onMessage(data));
  // After an uncaught error a Web Worker would go on in an unknown state.
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    events.onError(errorText(event));
    end("crashed");
  });
  return {
    portCloses: false,
    post: (boot, port) => worker.postMessage(boot, [port as MessagePort]),
    terminate: () => end("was terminated"),
  };
}
