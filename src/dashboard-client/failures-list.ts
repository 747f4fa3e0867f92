/** The list of recent failures. Everything in it comes from peers and callers, and goes in as text. */
import type { FailureRow } from "../dashboard/protocol.ts";
import { make } from "./element.ts";

/** The list, or that there is nothing in it. */
export class FailuresList {
  readonly #place: HTMLElement;

  constructor(place: HTMLElement) {
    this.#place = place;
    this.show([], (at) => at);
  }

  /** Shows failures, newest first. `timeOf` turns a time of the listener into one of the browser's clock. */
  show(failures: readonly FailureRow[], timeOf: (at: number) => number): void {
    if (failures.length === 0) {
      this.#place.replaceChildren(make("p", "empty", "None. Jobs that fail appear here with their errors."));
      return;
    }
    this.#place.replaceChildren(
      make("ul", "failures", ...failures.map((failure) => item(failure, timeOf(failure.at)))),
    );
  }
}

function item({ jobId, worker, attempts, name, message, data }: FailureRow, time: number): HTMLElement {
  const when = make("time", "", new Date(time).toLocaleTimeString());
  when.dateTime = new Date(time).toISOString();
  const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  const where = worker === "" ? "never handed to a worker" : `on ${worker}`;
  const facts = make("div", "soft", when, ` · job ${jobId} · ${where} · ${tries}`);
  const words = make("div", "", make("strong", "", name === "" ? "Error" : name), `: ${message}`);
  return make("li", "", words, facts, ...(data === undefined ? [] : [make("code", "", data)]));
}
