/** A Web Worker, as the supervisor of supervisor/thread-instance.ts wants to see it. */
import type { HostedEvents, HostedThread } from "../supervisor/thread-instance.ts";
import { systemClock } from "../index.ts";

function start(script: string | undefined): Worker {
  // Written so that bundlers see it: they look for this very form, its options included.
  if (script === undefined) return new Worker(new URL("./handler-entry.js", import.meta.url), { type: "module" });
  return new Worker(script, { type: "module" });
}

/** What an `error` event of a Web Worker says. One without words means that its script did not load. */
export function errorText(event: Event): string {
  if (!(event instanceof ErrorEvent)) return "its script could not be loaded";
  const { message, filename, lineno } = event;
  return filename === "" ? message : `${message} (${filename}:${lineno})`;
}

/** Starts a Web Worker; `script` is the URL of what it runs. Throws what the browser throws. */
export function spawnWebThread(script: string | undefined, events: HostedEvents): HostedThread {
  const worker = start(script);
  let over = false;
  const end = (how: string): void => {
    if (over) return;
    over = true;
    worker.terminate();
    // A browser says nothing of the end of a Web Worker.
    systemClock.nextTurn(() => events.exited(how));
  };
  worker.addEventListener("message", ({ data }) => events.message(data));
  // After an error that nobody caught a Web Worker would go on, in a state that nobody knows.
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    events.error(errorText(event));
    end("crashed");
  });
  return {
    portCloses: false,
    post: (boot, port) => worker.postMessage(boot, [port as MessagePort]),
    terminate: () => end("was terminated"),
  };
}
