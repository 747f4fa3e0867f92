/** Asks the page for what only the page can get: tokens and tickets that are good for one dial. */
import type { CredentialKind, TabCommand, TabReport } from "./worker-protocol.ts";

/** The requests that the page has not answered yet. */
export class CredentialRequests {
  readonly #report: (report: TabReport) => void;
  readonly #pending = new Map<number, { resolve(text: string): void; reject(error: Error): void }>();
  #last = 0;

  constructor(report: (report: TabReport) => void) {
    this.#report = report;
  }

  /** Asks the page. Resolves to its answer, or rejects with its reason. */
  request(credential: CredentialKind): Promise<string> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#report({ report: "ask", id, credential });
    });
  }

  /** Settles the request that the page has answered. */
  onAnswer({ id, text, reason }: TabCommand & { readonly command: "answer" }): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (text === undefined) pending?.reject(new Error(reason));
    else pending?.resolve(text);
  }
}
