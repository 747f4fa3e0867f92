/**
 * Plain requests on an HTTP server that may be somebody else's: the first look at each, the rest to whoever listens there.
 * What is answered is not decided here.
 */
import { IncomingMessage, type Server, ServerResponse } from "node:http";

/** Answers a request, or says that it is not its own to answer. */
export type Answering = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Where a server keeps its hook, also for another copy of this module. */
const HOOK = Symbol.for("powerhose.requests");

/** Who is asked before a server's own listeners, and how it stops asking. */
class Hook {
  readonly #server: Server;
  readonly #answerings = new Set<Answering>();
  /** What the server had of its own in place of ours; nothing when it was its class's. */
  readonly #before: PropertyDescriptor | undefined;
  readonly #emit: (...args: unknown[]) => boolean;

  constructor(server: Server) {
    this.#server = server;
    this.#before = Object.getOwnPropertyDescriptor(server, "emit");
    const emit: (...args: never[]) => boolean = server.emit.bind(server);
    this.#emit = (...args) => this.#isAnswered(args) || Boolean(Reflect.apply(emit, undefined, args));
    Object.defineProperty(server, "emit", { value: this.#emit, configurable: true, writable: true });
    Object.defineProperty(server, HOOK, { value: this, configurable: true });
  }

  add(answering: Answering): void {
    this.#answerings.add(answering);
  }

  delete(answering: Answering): void {
    this.#answerings.delete(answering);
    // Inside somebody else's by now: it stays, and passes everything on.
    if (this.#answerings.size > 0 || Reflect.get(this.#server, "emit") !== this.#emit) return;
    Reflect.deleteProperty(this.#server, HOOK);
    Reflect.deleteProperty(this.#server, "emit");
    if (this.#before !== undefined) Object.defineProperty(this.#server, "emit", this.#before);
  }

  #isAnswered([event, request, response]: readonly unknown[]): boolean {
    if (event !== "request" || !(request instanceof IncomingMessage && response instanceof ServerResponse))
      return false;
    for (const answering of this.#answerings) if (answering(request, response)) return true;
    return false;
  }
}

/** Whether a hook is one, of whichever copy of this module. */
function isHook(hook: unknown): hook is Pick<Hook, "add" | "delete"> {
  return typeof hook === "object" && hook !== null && "add" in hook && "delete" in hook;
}

/**
 * Lets `answering` see each request first; the returned function ends that. Node calls every listener of a server, those
 * included that come later: only before they are called can a request be kept from them all, and their list left alone.
 */
export function answerFirst(server: Server, answering: Answering): () => void {
  const known: unknown = Reflect.get(server, HOOK);
  const hook = isHook(known) ? known : new Hook(server);
  hook.add(answering);
  return () => hook.delete(answering);
}
