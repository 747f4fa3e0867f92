/**
 * Plain requests on an HTTP server that may be somebody else's: the first look at each, the rest to whoever had them before.
 * What is answered is not decided here.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";

/** Answers a request, or says that it is not its own to answer. */
export type Answering = (request: IncomingMessage, response: ServerResponse) => boolean;

function requestListeners(server: Server): RequestListener[] {
  return server.listeners("request") as RequestListener[];
}

/**
 * Lets `answering` see each request first; the returned function ends that. Node calls every listener of a server: only
 * by standing before the others can one of them keep a request from them. Those who come later see all requests.
 */
export function answerFirst(server: Server, answering: Answering): () => void {
  const before = requestListeners(server);
  let active = true;
  const first: RequestListener = (request, response) => {
    if (active && answering(request, response)) return;
    for (const other of before) other.call(server, request, response);
  };
  server.removeAllListeners("request");
  server.on("request", first);
  return () => {
    active = false;
    const now = requestListeners(server);
    // Inside somebody else's by now: it stays, and passes everything on.
    if (!now.includes(first)) return;
    server.removeAllListeners("request");
    for (const listener of now.flatMap((one) => (one === first ? before : [one]))) server.on("request", listener);
  };
}
