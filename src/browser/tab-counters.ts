/** Keeps a tab's numbers and reports them to the page, at most five times a second. */
import { AbortError, type RunnerEvent, systemClock } from "../index.ts";
import { SlidingRate } from "../core/time/sliding-rate.ts";
import type { TabState, TabStats } from "./tab-events.ts";

/** The longest delay of a report. */
const REPORT_DELAY_MS = 200;
/** The interval of reports while a rate falls. */
const FADING_INTERVAL_MS = 1_000;
const RATE_WINDOW_MS = 10_000;

/** The numbers of one tab. */
export class TabCounters {
  readonly #size: number;
  readonly #running: () => number;
  readonly #onChange: () => void;
  readonly #rate = new SlidingRate(RATE_WINDOW_MS, systemClock.now());
  #done = 0;
  #failed = 0;
  #timer: unknown;
  #stopped = false;

  /**
   * @param running - How many jobs run now.
   * @param onChange - Called when the numbers have changed, at most every 200 ms.
   */
  constructor(size: number, running: () => number, onChange: () => void) {
    this.#size = size;
    this.#running = running;
    this.#onChange = onChange;
  }

  /** The numbers now. */
  stats(state: TabState): TabStats {
    const rate = Math.round(this.#jobsPerSecond() * 10) / 10;
    return { state, size: this.#size, running: this.#running(), done: this.#done, failed: this.#failed, rate };
  }

  /** Counts an event of the runner over the Web Workers. What was cancelled or handed back has not failed. */
  onEvent(event: RunnerEvent): void {
    if (event.type !== "job-started" && event.type !== "job-settled") return;
    if (event.type === "job-settled") {
      if (event.ok) this.#done++;
      else if (!(event.error instanceof AbortError)) this.#failed++;
    }
    this.#reportIn(REPORT_DELAY_MS);
  }

  /** Ends the reports. */
  stop(): void {
    this.#stopped = true;
    systemClock.clear(this.#timer);
  }

  #jobsPerSecond(): number {
    return this.#rate.sample(systemClock.now(), this.#done + this.#failed);
  }

  #reportIn(delay: number): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = systemClock.set(
      delay,
      () => {
        this.#timer = undefined;
        this.#onChange();
        if (this.#jobsPerSecond() > 0) this.#reportIn(FADING_INTERVAL_MS);
      },
      false,
    );
  }
}
