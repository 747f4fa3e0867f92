/** The table of workers. Rows stay the same elements from second to second, so that a focused button stays focused. */
import type { Snapshot, WorkerRow } from "../dashboard/protocol.ts";
import { grouped, showDuration, threeDigits } from "../dashboard/format.ts";
import { make, write } from "./element.ts";

/** What an admin may do with a worker. */
export interface WorkerActions {
  /** Sends it away: gently, or at once. */
  removeWorker(identity: string, drain: boolean): void;
}

/** A column: its heading, and what it says of a worker. */
type Column = readonly [string, (row: WorkerRow) => string];

const WORDS: readonly Column[] = [
  ["Where", ({ address }) => address],
  ["Transport", ({ transport }) => transport],
];
const NUMBERS: readonly Column[] = [
  ["In flight", ({ inFlight, capacity }) => `${grouped(inFlight)} / ${grouped(capacity)}`],
  ["Prefetched", ({ waiting }) => grouped(waiting)],
  ["Done", ({ done }) => grouped(done)],
  ["Failed", ({ failed }) => grouped(failed)],
  ["Jobs/s", (row) => threeDigits(row.rate)],
  ["Age", ({ age }) => showDuration(age)],
];

/** A state in a person's words, and how it is to be taken. */
const STATES: Readonly<Record<string, readonly [string, string]>> = {
  idle: ["idle", "quiet"],
  busy: ["busy", "good"],
  suspect: ["suspect", "warn"],
  draining: ["leaving", "warn"],
};

interface Row {
  readonly element: HTMLTableRowElement;
  readonly update: (row: WorkerRow) => void;
}

function heading(text: string, className: string): HTMLElement {
  const cell = make("th", className, text);
  cell.scope = "col";
  return cell;
}

/** The table, or what to do without workers. */
export class WorkersTable {
  readonly #place: HTMLElement;
  readonly #actions: WorkerActions;
  readonly #body: HTMLElement = make("tbody");
  readonly #rows = new Map<string, Row>();
  readonly #empty: HTMLElement;
  #admin = false;
  #table: HTMLElement | undefined;

  constructor(place: HTMLElement, actions: WorkerActions) {
    this.#place = place;
    this.#actions = actions;
    this.#empty = make(
      "p",
      "empty",
      "No worker is registered. Start one that dials this listener: ",
      make(
        "code",
        "",
        `powerhose work <module> --connect ${location.origin.replace(/^http/, "ws")}${location.pathname}`,
      ),
    );
  }

  /** Whether there are buttons to send workers away. */
  set admin(admin: boolean) {
    if (admin !== this.#admin) this.#forget();
    this.#admin = admin;
  }

  /** Shows the workers of a moment. */
  show({ workers }: Snapshot): void {
    if (workers.length === 0) {
      this.#forget();
      this.#place.replaceChildren(this.#empty);
      return;
    }
    const gone = new Set(this.#rows.keys());
    for (const worker of workers) {
      gone.delete(worker.identity);
      this.#row(worker.identity).update(worker);
    }
    for (const identity of gone) this.#drop(identity);
    if (this.#table === undefined) {
      this.#table = this.#frame();
      this.#place.replaceChildren(this.#table);
    }
  }

  #forget(): void {
    for (const identity of this.#rows.keys()) this.#drop(identity);
    this.#table = undefined;
  }

  #drop(identity: string): void {
    this.#rows.get(identity)?.element.remove();
    this.#rows.delete(identity);
  }

  #frame(): HTMLElement {
    const head = make("tr", "", heading("Worker", ""), heading("State", ""));
    for (const [name] of WORDS) head.append(heading(name, ""));
    for (const [name] of NUMBERS) head.append(heading(name, "number"));
    if (this.#admin) head.append(heading("Send away", ""));
    return make("table", "", make("thead", "", head), this.#body);
  }

  #row(identity: string): Row {
    const known = this.#rows.get(identity);
    if (known !== undefined) return known;
    const row = this.#made(identity);
    this.#rows.set(identity, row);
    this.#body.append(row.element);
    return row;
  }

  #made(identity: string): Row {
    const name = make("th", "", identity);
    name.scope = "row";
    name.title = identity;
    const state = make("span", "badge");
    const words = WORDS.map(([, read]) => [make("td"), read] as const);
    const numbers = NUMBERS.map(([, read]) => [make("td", "number"), read] as const);
    const cells = [...words, ...numbers];
    const element = make("tr", "", name, make("td", "", state), ...cells.map(([cell]) => cell));
    if (this.#admin) element.append(this.#buttons(identity));
    const labels = make("span");
    name.append(labels);
    let known = "";
    const update = (row: WorkerRow): void => {
      const said = row.labels.join(" ");
      // Whoever comes back under a name may have others.
      if (said !== known) labels.replaceChildren(...row.labels.map((label) => make("span", "label", label)));
      known = said;
      const [word, tone] = STATES[row.state] ?? [row.state, "quiet"];
      write(state, word);
      state.dataset["tone"] = tone;
      for (const [cell, read] of cells) write(cell, read(row));
    };
    return { element, update };
  }

  #buttons(identity: string): HTMLElement {
    const later = make("button", "quiet", "Let go");
    const now = make("button", "danger", "Cut off");
    for (const [button, drain] of [[later, true] as const, [now, false] as const]) {
      button.type = "button";
      button.setAttribute("aria-label", `${button.textContent} ${identity}`);
      button.addEventListener("click", () => this.#actions.removeWorker(identity, drain));
    }
    return make("td", "", later, now);
  }
}
