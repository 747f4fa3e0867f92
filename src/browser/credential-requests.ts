/** Asks the page for what only the page can come by: tokens and tickets that are good for one dial. */
import type { Asked, TabCommand, TabReport } from "./worker-protocol.ts";

/** What the page has been asked and has not answered yet. */
export class CredentialRequests {
  readonly #ask: (report: TabReport) => void;
  readonly #asked = new Map<number, { resolve(text: string): void; reject(error: Error): void }>();
  #last = 0;

  constructor(ask: (report: TabReport) => void) {
    this.#ask = ask;
  }

  /** Resolves with what the page answers. */
  ask(what: Asked): Promise<string> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#ask({ report: "ask", id, what });
    });
  }

  /** The page has answered. */
  answered({ id, text, why }: TabCommand & { readonly command: "answer" }): void {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (text === undefined) asked?.reject(new Error(why));
    else asked?.resolve(text);
  }
}
