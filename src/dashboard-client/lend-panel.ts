/** "Lend this tab": how many cores, their state, and how to stop. powerhose/browser does the work itself. */
import { serveFromTab, type TabWorker, type TabState } from "../browser/index.ts";
import { describeError } from "../core/describe-error.ts";
import { grouped, threeDigits } from "../dashboard/format.ts";
import { make, write } from "./element.ts";

const STATES: Readonly<Record<TabState, readonly [string, string]>> = {
  connecting: ["connecting", "quiet"],
  registered: ["at work", "good"],
  disconnected: ["disconnected; it comes back by itself", "warn"],
  draining: ["finishing what it has", "warn"],
  stopped: ["stopped", "quiet"],
  offline: ["waiting for the network", "warn"],
  away: ["paused while the page is away", "warn"],
};

function cores(): number {
  return Math.max(1, Math.min(64, navigator.hardwareConcurrency || 1));
}

/** The panel. */
export class LendPanel {
  readonly #place: HTMLElement;
  readonly #token: () => string | undefined;
  readonly #size = make("select");
  readonly #start = make("button", "", "Lend this tab");
  readonly #stop = make("button", "quiet", "Stop politely");
  readonly #state = make("span", "badge");
  readonly #numbers = make("span", "soft");
  readonly #problem = make("p", "soft small");
  #module: string | null | undefined;
  #tabWorker: TabWorker | undefined;

  /** @param token - What to show the listener, if anything. */
  constructor(place: HTMLElement, token: () => string | undefined) {
    this.#place = place;
    this.#token = token;
    this.#start.type = "button";
    this.#start.addEventListener("click", () => void this.#lend());
    this.#stop.type = "button";
    this.#stop.addEventListener("click", () => void this.#tabWorker?.drain());
  }

  /** Offers to lend the tab to a module, or without one explains the option. A tab that is lent stays lent. */
  offer(module: string | null): void {
    if (module === this.#module) return;
    this.#module = module;
    if (module === null) {
      const option = make("code", "", "--lend module.js");
      this.#place.replaceChildren(
        make(
          "p",
          "soft",
          "Nothing to run in a tab: start the listener with ",
          option,
          " or its option ",
          make("code", "", "lend"),
          ".",
        ),
      );
      return;
    }
    this.#place.replaceChildren(...this.#controls());
    this.#show();
  }

  #controls(): HTMLElement[] {
    const all = cores();
    for (let size = 1; size <= all; size++) {
      const option = make("option", "", `${size}${size === all ? ", all of them" : ""}`);
      option.value = String(size);
      this.#size.append(option);
    }
    // One core is left for the user.
    this.#size.value = String(Math.max(1, all - 1));
    this.#size.id = "lend-size";
    const label = make("label", "", "Cores to lend");
    label.htmlFor = this.#size.id;
    const words = "Runs jobs of this run here, in the background of this tab, for as long as it is open.";
    return [
      make("p", "soft", words),
      make("div", "row", label, this.#size, this.#start, this.#stop, this.#state, this.#numbers),
      this.#problem,
    ];
  }

  async #lend(): Promise<void> {
    if (this.#tabWorker !== undefined || typeof this.#module !== "string") return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#start.disabled = true;
    write(this.#problem, "");
    const module = new URL(this.#module, location.origin + location.pathname);
    const script = new URL("tab.js", module).href;
    try {
      const tabWorker = await serveFromTab(`${scheme}//${location.host}${location.pathname}`, {
        module,
        size: Number(this.#size.value),
        scripts: { socket: `${script}#socket`, handler: `${script}#handler` },
        token: this.#token(),
        // The dashboard itself came the same way.
        allowInsecure: true,
      });
      this.#watch(tabWorker);
    } catch (error) {
      write(this.#problem, `That did not work: ${describeError(error)}`);
      this.#start.disabled = false;
    }
  }

  #watch(tabWorker: TabWorker): void {
    this.#tabWorker = tabWorker;
    tabWorker.on((event) => {
      if (event.type === "trouble") write(this.#problem, event.message);
      this.#show();
    });
    void tabWorker.closed.then(() => {
      this.#tabWorker = undefined;
      this.#start.disabled = false;
      this.#show();
    });
    this.#show();
  }

  #show(): void {
    const tabWorker = this.#tabWorker;
    this.#stop.hidden = tabWorker === undefined;
    this.#start.hidden = tabWorker !== undefined;
    this.#size.disabled = tabWorker !== undefined;
    if (tabWorker === undefined) return;
    const { state, running, size, done, failed, rate: perSecond } = tabWorker.stats;
    const [text, severity] = STATES[state];
    write(this.#state, text);
    this.#state.dataset["severity"] = severity;
    this.#stop.disabled = state === "draining";
    const lost = failed > 0 ? `, ${grouped(failed)} failed` : "";
    write(
      this.#numbers,
      `${tabWorker.identity}: ${grouped(running)} of ${grouped(size)} busy, ${grouped(done)} done${lost}, ${threeDigits(perSecond)} a second`,
    );
  }
}
