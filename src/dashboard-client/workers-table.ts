/** The table of workers. Rows stay the same elements from second to second, so that a focused button stays focused. */
import type { Snapshot, WorkerRow } from "../dashboard/protocol.ts";
import { grouped, showDuration, threeDigits } from "../dashboard/format.ts";
import { make, write } from "./element.ts";

/** What an admin may do with a worker. */
export interface WorkerActions {
  /** Removes a worker: after its jobs when `drain`, else at once. */
  removeWorker(identity: string, drain: boolean): void;
}

/** A column: its heading, and its text for a worker. */
type Column = readonly [string, (row: WorkerRow) => string];

const TEXTS: readonly Column[] = [
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

/** A worker's state as text, and its severity. */
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

  /** Whether there are buttons to remove workers. */
  set admin(admin: boolean) {
    if (admin !== this.#admin) this.#clear();
    this.#admin = admin;
  }

  /** Shows the workers of a snapshot. */
  show({ workers }: Snapshot): void {
    if (workers.length === 0) {
      this.#clear();
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
      this.#table = this.#makeTable();
      this.#place.replaceChildren(this.#table);
    }
  }

  #clear(): void {
    for (const identity of this.#rows.keys()) this.#drop(identity);
    this.#table = undefined;
  }

  #drop(identity: string): void {
    this.#rows.get(identity)?.element.remove();
    this.#rows.delete(identity);
  }

  #makeTable(): HTMLElement {
    const head = make("tr", "", heading("Worker", ""), heading("State", ""));
    for (const [name] of TEXTS) head.append(heading(name, ""));
    for (const [name] of NUMBERS) head.append(heading(name, "number"));
    if (this.#admin) head.append(heading("Send away", ""));
    return make("table", "", make("thead", "", head), this.#body);
  }

  #row(identity: string): Row {
    const known = this.#rows.get(identity);
    if (known !== undefined) return known;
    const row = this.#makeRow(identity);
    this.#rows.set(identity, row);
    this.#body.append(row.element);
    return row;
  }

  #makeRow(identity: string): Row {
    const name = make("th", "", identity);
    name.scope = "row";
    name.title = identity;
    const state = make("span", "badge");
    const texts = TEXTS.map(([, read]) => [make("td"), read] as const);
    const numbers = NUMBERS.map(([, read]) => [make("td", "number"), read] as const);
    const cells = [...texts, ...numbers];
    const element = make("tr", "", name, make("td", "", state), ...cells.map(([cell]) => cell));
    if (this.#admin) element.append(this.#buttons(identity));
    const labels = make("span");
    name.append(labels);
    let shownLabels = "";
    const update = (row: WorkerRow): void => {
      const newLabels = row.labels.join(" ");
      // A worker that comes back under its name may have other labels.
      if (newLabels !== shownLabels) labels.replaceChildren(...row.labels.map((label) => make("span", "label", label)));
      shownLabels = newLabels;
      const [text, severity] = STATES[row.state] ?? [row.state, "quiet"];
      write(state, text);
      state.dataset["severity"] = severity;
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
