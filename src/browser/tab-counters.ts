/** Keeps a tab's numbers and tells them to the page, at most five times a second. */
import { systemClock } from "../index.ts";
import { SlidingRate } from "../core/time/sliding-rate.ts";
import type { RelayOwner } from "./slot-accurate-relay.ts";
import type { TabState, TabStats } from "./tab-events.ts";

/** How long numbers may wait to be told, in ms. */
const REPORT_DELAY_MS = 200;
/** How often a rate that falls is told, in ms. */
const FADING = 1_000;
const RATE_WINDOW_MS = 10_000;

/** The numbers of one tab. */
export class TabCounters implements RelayOwner {
  readonly #size: number;
  readonly #changed: () => void;
  readonly #rate = new SlidingRate(RATE_WINDOW_MS, systemClock.now());
  #running = 0;
  #done = 0;
  #failed = 0;
  #timer: unknown;
  #stopped = false;

  /** @param changed - Called, not too often, when there is something to tell. */
  constructor(size: number, changed: () => void) {
    this.#size = size;
    this.#changed = changed;
  }

  /** The numbers now. */
  stats(state: TabState): TabStats {
    const rate = Math.round(this.#jobsPerSecond() * 10) / 10;
    return { state, size: this.#size, running: this.#running, done: this.#done, failed: this.#failed, rate };
  }

  began(): void {
    this.#running++;
    this.#tellIn(REPORT_DELAY_MS);
  }

  ended(how: "done" | "failed" | "called off"): void {
    this.#running--;
    if (how === "done") this.#done++;
    if (how === "failed") this.#failed++;
    this.#tellIn(REPORT_DELAY_MS);
  }

  /** Tells nothing from here on. */
  stop(): void {
    this.#stopped = true;
    systemClock.clear(this.#timer);
  }

  #jobsPerSecond(): number {
    return this.#rate.sample(systemClock.now(), this.#done + this.#failed);
  }

  #tellIn(delay: number): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = systemClock.set(
      delay,
      () => {
        this.#timer = undefined;
        this.#changed();
        if (this.#jobsPerSecond() > 0) this.#tellIn(FADING);
      },
      false,
    );
  }
}
