/** The options of `serveFromTab`, with their defaults and checks. */
import {
  isFunction,
  checkOptions,
  defineOptions,
  duration,
  type WithDefaults,
  finiteDuration,
  isBoolean,
  integer,
  integerOrInfinity,
  payloadLimit,
  type Validator,
  isReporter,
  isString,
  withDefaults,
} from "../core/options.ts";
import { identityName } from "../core/identifiers.ts";
import { systemRandom, type WarningReporter, WORKER_DEFAULTS, type WorkerOptions } from "../index.ts";
import type { RestartOptions } from "../supervisor/restart-policy.ts";
import { checkDial, type Secret } from "../transports/websocket/dial-options.ts";
import { absoluteUrl, isAddress } from "../web-workers/page-url.ts";
import type { WebWorkerLike } from "../web-workers/web-thread.ts";
import { browserFamily } from "./user-agent.ts";

/** The scripts of the Web Workers, for a page that brings them itself: URLs, `blob:` ones included. Module scripts. */
export interface TabScripts {
  /** Holds the connection: `powerhose/browser/socket-entry`, bundled or not. */
  readonly socket: string | URL;
  /** Runs the handlers: `powerhose/web-workers/entry`, bundled or not. */
  readonly handler: string | URL;
}

/** Options of {@link serveFromTab}. All durations in ms. */
export interface ServeFromTabOptions
  extends RestartOptions, Pick<WorkerOptions, "maxPayload" | "reconnectMin" | "reconnectMax" | "drainTimeout"> {
  /**
   * The handler: a function that returns a new Web Worker, whose script calls `serve` of `powerhose/web-workers/serve`, which is
   * what bundlers understand. Or the URL of an ES module whose export is the handler, which each Web Worker imports as the browser
   * loads it; a text is relative to the page.
   */
  readonly module: string | URL | (() => WebWorkerLike);
  /** The name of the module's export that is the handler; default `default`. */
  readonly export?: string | undefined;
  /** How many Web Workers run handlers, 1 to 64; default `navigator.hardwareConcurrency`. */
  readonly size?: number | undefined;
  /** The credential shown to the runner. A function is called in the page before each dial. */
  readonly token?: Secret | undefined;
  /** Returns a fresh one-time ticket. Asked in the page before each dial. */
  readonly ticket?: (() => string | Promise<string>) | undefined;
  /** What the tab can do, besides `browser` and the browser's family: at most 30, each `[A-Za-z0-9._:-]{1,128}`. */
  readonly labels?: readonly string[] | undefined;
  /** The tab's stable name, `[A-Za-z0-9._:-]{1,128}`; default `tab-` and a random name. */
  readonly identity?: string | undefined;
  /** Allows `ws:` to another machine, where jobs and token can be read on the way; default false. */
  readonly allowInsecure?: boolean | undefined;
  /**
   * Called with an `Error` that says what keeps the tab from its runner, once per cause until it is registered again. Default: a
   * line on the page's console; `false`: nothing.
   */
  readonly onWarning?: WarningReporter | undefined;
  /** The scripts of the Web Workers, for a page that is one file; default those of this package, beside its own. */
  readonly scripts?: TabScripts | undefined;
}

/** The options that have a default of their own; `size` and `identity` are found out. */
export type TabDefaults = WithDefaults<
  Omit<ServeFromTabOptions, "module" | "size" | "token" | "ticket" | "identity" | "onWarning" | "scripts">
>;

/** The most Web Workers one tab lends. */
const MAX_SIZE = 64;

/** The options with everything filled in, as they cross to the Web Worker. */
export interface TabSettings extends Omit<TabDefaults, "labels"> {
  readonly url: string;
  /** Its URL; empty where the page starts the Web Workers. */
  readonly module: string;
  readonly size: number;
  readonly labels: readonly string[];
  readonly identity: string;
  /** The URL of the script that runs handlers; absent: this package's. */
  readonly handlerScript: string | undefined;
  /** Whether the page starts the Web Workers that run handlers. */
  readonly startedByPage: boolean;
}

/** What stays in the page. */
export interface TabSetup {
  readonly settings: TabSettings;
  readonly token: Secret | undefined;
  readonly ticket: (() => string | Promise<string>) | undefined;
  readonly onWarning: WarningReporter | undefined;
  /** Starts a Web Worker that runs handlers, where the page does. */
  readonly start: (() => WebWorkerLike) | undefined;
  /** The URL of the script that holds the connection; absent: this package's. */
  readonly socketScript: string | undefined;
}

const labelNames: Validator = (value) =>
  Array.isArray(value) && value.length <= 30 && value.every((one) => identityName(one) === undefined)
    ? undefined
    : "at most 30 labels of A-Z a-z 0-9 . _ : -";
const scriptUrls: Validator = (value) =>
  typeof value === "object" &&
  value !== null &&
  isAddress(Reflect.get(value, "socket")) === undefined &&
  isAddress(Reflect.get(value, "handler")) === undefined
    ? undefined
    : "the URLs `socket` and `handler`";

const OPTIONS = defineOptions<ServeFromTabOptions, keyof TabDefaults>({
  module: [(value) => (typeof value === "function" ? undefined : isAddress(value))],
  export: [isString, "default"],
  size: [integer(1, MAX_SIZE)],
  token: [() => undefined], // as dialWebSocket says
  ticket: [isFunction],
  labels: [labelNames, Object.freeze([])],
  identity: [identityName],
  allowInsecure: [isBoolean, false],
  maxPayload: [payloadLimit, WORKER_DEFAULTS.maxPayload],
  reconnectMin: [finiteDuration, WORKER_DEFAULTS.reconnectMin],
  reconnectMax: [finiteDuration, WORKER_DEFAULTS.reconnectMax],
  drainTimeout: [duration, WORKER_DEFAULTS.drainTimeout],
  startTimeout: [finiteDuration, 30_000],
  maxCrashes: [integerOrInfinity(1), 10],
  restartMin: [finiteDuration, 100],
  restartMax: [finiteDuration, 30_000],
  onWarning: [isReporter],
  scripts: [scriptUrls],
});

/** The defaults of {@link ServeFromTabOptions}. */
export const TAB_DEFAULTS: TabDefaults = OPTIONS.defaults;

/** Checks everything and fills in what was left out. Throws what {@link serveFromTab} throws. */
export function tabSettings(url: string | URL, options: ServeFromTabOptions): TabSetup {
  checkOptions("serveFromTab", options, OPTIONS.rules);
  if (options.module === undefined) throw new TypeError("serveFromTab: `module` is missing");
  const { scripts, token, ticket, module, labels, onWarning, ...rest } = withDefaults(TAB_DEFAULTS, options);
  // Whatever is wrong with these is said here, and not by a Web Worker later.
  checkDial(url, { token, ticket, allowInsecure: rest.allowInsecure });
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number; userAgent?: string } };
  const cores = Math.min(MAX_SIZE, Math.max(1, navigator?.hardwareConcurrency ?? 1));
  return {
    settings: {
      ...rest,
      size: rest.size ?? cores,
      identity: rest.identity ?? `tab-${systemRandom.id().slice(0, 12)}`,
      url: String(url),
      module: typeof module === "function" ? "" : absoluteUrl("serveFromTab", module, "module"),
      labels: [...new Set(["browser", browserFamily(navigator?.userAgent ?? ""), ...labels])],
      handlerScript:
        scripts === undefined ? undefined : absoluteUrl("serveFromTab", scripts.handler, "scripts.handler"),
      startedByPage: typeof module === "function",
    },
    start: typeof module === "function" ? module : undefined,
    token,
    ticket,
    onWarning,
    socketScript: scripts === undefined ? undefined : absoluteUrl("serveFromTab", scripts.socket, "scripts.socket"),
  };
}
