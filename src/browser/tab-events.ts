/** The events of a tab: its state, its numbers, its troubles. Plain data, which is posted by its Web Worker. */
import type { WorkerState } from "../index.ts";

/**
 * Where a tab is: as a worker (`connecting`, `registered`, `disconnected` until the next try, `draining`, `stopped`), or why
 * it does not even try: the browser is `offline`, or the page is `away` (left, or frozen) and may come back.
 */
export type TabState = Exclude<WorkerState, "created"> | "offline" | "away";

/** What a tab has and has done. */
export interface TabStats {
  /** Its state. */
  readonly state: TabState;
  /** How many Web Workers it lends. */
  readonly size: number;
  /** Jobs that run now. */
  readonly running: number;
  /** Jobs whose handler returned. */
  readonly done: number;
  /** Jobs whose handler failed, or was lost with its Web Worker. */
  readonly failed: number;
  /** Jobs a second, done and failed, over the last ten seconds. */
  readonly rate: number;
}

/** The tab's state changed. */
export interface TabStateEvent {
  /** Which event this is. */
  readonly type: "tab-state";
  /** The new state. */
  readonly state: TabState;
}

/** The tab's numbers changed: at most five times a second. */
export interface TabProgressEvent {
  /** Which event this is. */
  readonly type: "progress";
  /** The new numbers. */
  readonly stats: TabStats;
}

/** A connection failed or was refused, or a Web Worker could not be kept alive. */
export interface TabTroubleEvent {
  /** Which event this is. */
  readonly type: "trouble";
  /** For people to read; may quote the runner: treat it as text. */
  readonly message: string;
  /** Whether it is the end: the tab is stopped, as the runner turned it away or no handler is left. */
  readonly final: boolean;
}

/** Any event of a tab. */
export type TabEvent = TabStateEvent | TabProgressEvent | TabTroubleEvent;
