/** The page in the browser: puts its parts together. Each part owns a piece of the document; messages come from connection.ts. */
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

const STATE_TONES: Readonly<Record<string, string>> = { draining: "warn", stopped: "bad" };
/** What a started runner is at, in a word, and its tone. */
const AT_WORK: Readonly<Record<Explanation["severity"], readonly [string, string]>> = {
  idle: ["idle", "quiet"],
  busy: ["running", "good"],
  stuck: ["held up", "warn"],
  ending: ["ending", "warn"],
};
/** How long an answer to a request stays. */
const ANSWER_STAYS = 6_000;

/** The whole page. */
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
  /** What was last read out: only changes are. */
  #said = "";
  #answered: number | undefined;
  /** What was shown when the page was let in last. */
  #opened: { readonly token: string | undefined } | undefined;
  /** Whether the form stays when the page opens, as what was typed there was refused. */
  #asks = false;

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

  standing(standing: FeedState, retryIn: number): void {
    const again = `Trying again in ${Math.round(retryIn / 1_000)} s.`;
    switch (standing) {
      case "open":
        this.#opened = { token: this.token };
        find("token-section", HTMLElement).hidden = !this.#asks;
        this.#asks = false;
        return this.#banner("");
      case "refused":
        return this.#refused();
      case "gone":
        this.#state("over", "bad");
        return this.#banner(`The listener has stopped; this is how it was at ${clock()}. ${again}`);
      case "unreachable":
        this.#state("no connection", "bad");
        return this.#banner(`No connection since ${clock()}. ${again}`);
    }
  }

  /** Asks for another token; one that has opened the page before stays good for watching. */
  #refused(): void {
    const opened = this.#opened;
    const isNew = opened !== undefined && opened.token !== this.token;
    const why =
      this.token === undefined
        ? "This runner shows its numbers to those who have its token"
        : "That token does not open this page";
    this.#banner("");
    this.#askForToken(`${why}, or too many pages are open already.`, isNew);
    if (!isNew) return;
    this.#asks = true;
    this.#token.value = opened.token;
    this.#connection.open();
  }

  heard(message: DashboardMessage): void {
    if (message.type === "welcome") this.#begin(message);
    else if (message.type === "snapshot") this.#show(message);
    else this.#answer(message.text);
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

  #show(moment: Snapshot): void {
    const { state, why, note, registered, workers, failures } = moment;
    if (state === "started") this.#state(...AT_WORK[why.severity]);
    else this.#state(state, STATE_TONES[state] ?? "quiet");
    const place = find("why", HTMLElement);
    write(place, why.text);
    place.dataset["tone"] = why.severity;
    this.#announce(why.severity, why.text);
    const words = find("note", HTMLElement);
    words.hidden = note === "";
    write(words, note);
    this.#tiles.show(moment);
    this.#charts.add(moment.sample);
    write(find("workers-count", HTMLElement), grouped(registered));
    this.#workers.show(moment);
    const more = find("workers-more", HTMLElement);
    more.hidden = registered <= workers.length;
    write(more, `and ${grouped(registered - workers.length)} more, which are not listed`);
    if (failures !== undefined) this.#failures.show(failures, (at) => this.#charts.timeOf(at));
  }

  /** Numbers change every second; whoever listens wants to hear when it goes otherwise than before. */
  #announce(tone: string, words: string): void {
    if (tone === this.#said) return;
    this.#said = tone;
    write(find("announcer", HTMLElement), words);
  }

  #state(words: string, tone: string): void {
    const badge = find("state", HTMLElement);
    write(badge, words);
    badge.dataset["tone"] = tone;
  }

  #banner(words: string): void {
    window.clearTimeout(this.#answered);
    const banner = find("banner", HTMLElement);
    banner.hidden = words === "";
    write(banner, words);
  }

  #answer(words: string): void {
    this.#banner(words);
    this.#answered = window.setTimeout(() => this.#banner(""), ANSWER_STAYS);
  }

  #askForToken(words: string, keepWatching: boolean): void {
    const section = find("token-section", HTMLElement);
    const wasHidden = section.hidden;
    section.hidden = false;
    find("live", HTMLElement).hidden = !keepWatching;
    if (!keepWatching) find("token-button", HTMLElement).hidden = true;
    if (!keepWatching) this.#state("locked", "warn");
    write(
      find("token-words", HTMLElement),
      words === "" ? "The token of an admin lets you send workers away and drain the runner." : words,
    );
    // Once: it is asked again and again, and whoever reads on is not to be called back.
    if (wasHidden || keepWatching) find("token", HTMLInputElement).focus();
  }

  async #removeWorker(identity: string, drain: boolean): Promise<void> {
    const words = drain
      ? `Let ${identity} go? It finishes what it has and stays away for a minute.`
      : `Cut ${identity} off? What it has in hand is lost and tried elsewhere.`;
    if (await this.#question.ask(words)) this.#connection.ask({ type: "remove-worker", identity, drain });
  }

  async #drain(): Promise<void> {
    const words = "Drain the runner? It takes no new jobs, finishes those it has, and stops.";
    if (await this.#question.ask(words)) this.#connection.ask({ type: "drain" });
  }
}

function clock(): string {
  return new Date().toLocaleTimeString();
}

new Dashboard().start();
