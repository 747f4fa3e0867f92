/** The dashboard in the browser. Each part owns a piece of the document; messages come from connection.ts. */
import type { Explanation, Snapshot, DashboardMessage, Welcome } from "../dashboard/protocol.ts";
import { grouped } from "../dashboard/format.ts";
import { Charts } from "./charts.ts";
import { FeedConnection, type FeedConnectionOwner, type FeedState } from "./connection.ts";
import { find, write } from "./element.ts";
import { FailuresList } from "./failures-list.ts";
import { LendPanel } from "./lend-panel.ts";
import { Question } from "./question.ts";
import { Tiles } from "./tiles.ts";
import { Token } from "./token.ts";
import { WorkersTable } from "./workers-table.ts";

const STATE_SEVERITIES: Readonly<Record<string, string>> = { draining: "warn", stopped: "bad" };
/** What a started runner does, in a word, and its severity. */
const ACTIVITIES: Readonly<Record<Explanation["severity"], readonly [string, string]>> = {
  idle: ["idle", "quiet"],
  busy: ["running", "good"],
  stuck: ["held up", "warn"],
  ending: ["ending", "warn"],
};
/** How long an answer to a request is shown. */
const ANSWER_MS = 6_000;

/** All of the dashboard. */
class Dashboard implements FeedConnectionOwner {
  readonly #connection = new FeedConnection(this);
  readonly #token = new Token(() => this.#connection.open());
  readonly #question = new Question();
  readonly #charts = new Charts(find("charts", HTMLElement));
  readonly #tiles = new Tiles(find("tiles", HTMLElement));
  readonly #failures = new FailuresList(find("failures", HTMLElement));
  readonly #lend = new LendPanel(find("lend", HTMLElement), () => this.token);
  readonly #workers = new WorkersTable(find("workers", HTMLElement), {
    removeWorker: (identity, drain) => void this.#removeWorker(identity, drain),
  });
  /** The severity that was last read out. */
  #announced = "";
  #answerTimer: number | undefined;
  /** The token of the last connection that opened. */
  #opened: { readonly token: string | undefined } | undefined;
  /** Whether the form stays once the connection opens, as the token typed there was refused. */
  #keepForm = false;

  get token(): string | undefined {
    return this.#token.value;
  }

  /** Begins. */
  start(): void {
    const form = find("token-form", HTMLFormElement);
    const input = find("token", HTMLInputElement);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#token.value = input.value;
      input.value = "";
      this.#connection.open();
    });
    find("token-button", HTMLButtonElement).addEventListener("click", () => this.#askForToken("", true));
    find("drain-button", HTMLButtonElement).addEventListener("click", () => void this.#drain());
    this.#connection.open();
  }

  onState(state: FeedState, retryIn: number): void {
    const again = `Trying again in ${Math.round(retryIn / 1_000)} s.`;
    switch (state) {
      case "open":
        this.#opened = { token: this.token };
        find("token-section", HTMLElement).hidden = !this.#keepForm;
        this.#keepForm = false;
        return this.#banner("");
      case "refused":
        return this.#refused();
      case "gone":
        this.#showState("over", "bad");
        return this.#banner(`The listener has stopped; this is how it was at ${clock()}. ${again}`);
      case "unreachable":
        this.#showState("no connection", "bad");
        return this.#banner(`No connection since ${clock()}. ${again}`);
    }
  }

  /** Asks for another token. One that has opened the dashboard before is kept for watching. */
  #refused(): void {
    const opened = this.#opened;
    const isNew = opened !== undefined && opened.token !== this.token;
    const why =
      this.token === undefined
        ? "This runner shows its numbers to those who have its token"
        : "That token does not open this dashboard";
    this.#banner("");
    this.#askForToken(`${why}, or too many dashboards are open already.`, isNew);
    if (!isNew) return;
    this.#keepForm = true;
    this.#token.value = opened.token;
    this.#connection.open();
  }

  onMessage(message: DashboardMessage): void {
    if (message.type === "welcome") this.#begin(message);
    else if (message.type === "snapshot") this.#show(message);
    else this.#showAnswer(message.text);
  }

  #begin(welcome: Welcome): void {
    document.title = welcome.title;
    write(find("title", HTMLElement), welcome.title);
    find("live", HTMLElement).hidden = false;
    find("drain-button", HTMLElement).hidden = !welcome.admin;
    find("token-button", HTMLElement).hidden = welcome.admin || !welcome.admins;
    this.#workers.admin = welcome.admin;
    this.#lend.offer(welcome.lend);
    this.#charts.begin(welcome);
  }

  #show(snapshot: Snapshot): void {
    const { state, why, note, registered, workers, failures } = snapshot;
    if (state === "started") this.#showState(...ACTIVITIES[why.severity]);
    else this.#showState(state, STATE_SEVERITIES[state] ?? "quiet");
    const place = find("why", HTMLElement);
    write(place, why.text);
    place.dataset["severity"] = why.severity;
    this.#announce(why.severity, why.text);
    const noteElement = find("note", HTMLElement);
    noteElement.hidden = note === "";
    write(noteElement, note);
    this.#tiles.show(snapshot);
    this.#charts.add(snapshot.sample);
    write(find("workers-count", HTMLElement), grouped(registered));
    this.#workers.show(snapshot);
    const more = find("workers-more", HTMLElement);
    more.hidden = registered <= workers.length;
    write(more, `and ${grouped(registered - workers.length)} more, which are not listed`);
    if (failures !== undefined) this.#failures.show(failures, (at) => this.#charts.timeOf(at));
  }

  /** Reads the text out to a screen reader when the severity changes: numbers change every second. */
  #announce(severity: string, text: string): void {
    if (severity === this.#announced) return;
    this.#announced = severity;
    write(find("announcer", HTMLElement), text);
  }

  #showState(text: string, severity: string): void {
    const badge = find("state", HTMLElement);
    write(badge, text);
    badge.dataset["severity"] = severity;
  }

  #banner(text: string): void {
    window.clearTimeout(this.#answerTimer);
    const banner = find("banner", HTMLElement);
    banner.hidden = text === "";
    write(banner, text);
  }

  #showAnswer(text: string): void {
    this.#banner(text);
    this.#answerTimer = window.setTimeout(() => this.#banner(""), ANSWER_MS);
  }

  #askForToken(text: string, keepWatching: boolean): void {
    const section = find("token-section", HTMLElement);
    const wasHidden = section.hidden;
    section.hidden = false;
    find("live", HTMLElement).hidden = !keepWatching;
    if (!keepWatching) find("token-button", HTMLElement).hidden = true;
    if (!keepWatching) this.#showState("locked", "warn");
    write(
      find("token-words", HTMLElement),
      text === "" ? "The token of an admin lets you send workers away and drain the runner." : text,
    );
    // Once only: each further refusal would take the focus from what is read.
    if (wasHidden || keepWatching) find("token", HTMLInputElement).focus();
  }

  async #removeWorker(identity: string, drain: boolean): Promise<void> {
    const question = drain
      ? `Let ${identity} go? It finishes what it has and stays away for a minute.`
      : `Cut ${identity} off? What it has in hand is lost and tried elsewhere.`;
    if (await this.#question.ask(question)) this.#connection.sendRequest({ type: "remove-worker", identity, drain });
  }

  async #drain(): Promise<void> {
    const question = "Drain the runner? It takes no new jobs, finishes those it has, and stops.";
    if (await this.#question.ask(question)) this.#connection.sendRequest({ type: "drain" });
  }
}

function clock(): string {
  return new Date().toLocaleTimeString();
}

new Dashboard().start();
