/** "Lend this tab": how many cores, how they do, and how to stop. */
import { make } from "./element.ts";

/** The panel. */
export class LendPanel {
  readonly #place: HTMLElement;
  readonly #token: () => string | undefined;

  /** @param token - What to show the listener, if anything. */
  constructor(place: HTMLElement, token: () => string | undefined) {
    this.#place = place;
    this.#token = token;
  }

  /** Offers to lend the tab to a module, or says how to get there without one. */
  offer(module: string | null): void {
    void this.#token;
    if (module !== null) return;
    this.#place.replaceChildren(
      make("p", "soft", "Nothing to run here: start the listener with ", make("code", "", "--lend module.js"), "."),
    );
  }
}
