/** "Lend this tab": how many cores, how they do, and how to stop. The work itself is done by powerhose/browser. */
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
  readonly #trouble = make("p", "soft small");
  #module: string | null | undefined;
  #share: TabWorker | undefined;

  /** @param token - What to show the listener, if anything. */
  constructor(place: HTMLElement, token: () => string | undefined) {
    this.#place = place;
    this.#token = token;
    this.#start.type = "button";
    this.#start.addEventListener("click", () => void this.#lend());
    this.#stop.type = "button";
    this.#stop.addEventListener("click", () => void this.#share?.drain());
  }

  /** Offers to lend the tab to a module, or says how to get there without one. What is lent already stays so. */
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
    // One is left to whoever sits before it.
    this.#size.value = String(Math.max(1, all - 1));
    this.#size.id = "lend-size";
    const label = make("label", "", "Cores to lend");
    label.htmlFor = this.#size.id;
    const words = "Runs jobs of this run here, in the background of this tab, for as long as it is open.";
    return [
      make("p", "soft", words),
      make("div", "row", label, this.#size, this.#start, this.#stop, this.#state, this.#numbers),
      this.#trouble,
    ];
  }

  async #lend(): Promise<void> {
    if (this.#share !== undefined || typeof this.#module !== "string") return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#start.disabled = true;
    write(this.#trouble, "");
    const module = new URL(this.#module, location.origin + location.pathname);
    const script = new URL("tab.js", module).href;
    try {
      const share = await serveFromTab(`${scheme}//${location.host}${location.pathname}`, {
        module,
        size: Number(this.#size.value),
        scripts: { socket: `${script}#socket`, handler: `${script}#handler` },
        token: this.#token(),
        // Whoever loaded the page from there trusts the way to it already.
        allowInsecure: true,
      });
      this.#watch(share);
    } catch (error) {
      write(this.#trouble, `That did not work: ${describeError(error)}`);
      this.#start.disabled = false;
    }
  }

  #watch(share: TabWorker): void {
    this.#share = share;
    share.on((event) => {
      if (event.type === "trouble") write(this.#trouble, event.message);
      this.#show();
    });
    void share.closed.then(() => {
      this.#share = undefined;
      this.#start.disabled = false;
      this.#show();
    });
    this.#show();
  }

  #show(): void {
    const share = this.#share;
    this.#stop.hidden = share === undefined;
    this.#start.hidden = share !== undefined;
    this.#size.disabled = share !== undefined;
    if (share === undefined) return;
    const { state, running, size, done, failed, rate: perSecond } = share.stats;
    const [words, tone] = STATES[state];
    write(this.#state, words);
    this.#state.dataset["tone"] = tone;
    this.#stop.disabled = state === "draining";
    const lost = failed > 0 ? `, ${grouped(failed)} failed` : "";
    write(
      this.#numbers,
      `${share.identity}: ${grouped(running)} of ${grouped(size)} busy, ${grouped(done)} done${lost}, ${threeDigits(perSecond)} a second`,
    );
  }
}
