/** The options of `webWorkers`, with their defaults and checks. */
import { checkOptions, defineOptions, integer, type WithDefaults, withDefaults } from "../core/options.ts";
import { type PoolDefaults, type PoolOptions, poolOptions } from "../supervisor/pool-options.ts";
import { absoluteUrl, isAddress } from "./page-url.ts";

/** Options of {@link webWorkers}. All durations in ms. */
export interface WebWorkersOptions extends PoolOptions {
  /** How many Web Workers, 1 to 512; default one less than `navigator.hardwareConcurrency`, for the page, and at least 1. */
  readonly size?: number | undefined;
  /**
   * What each Web Worker of a module runs, for a page whose bundler does not find it: the URL of `powerhose/web-workers/entry`
   * built as an entry of its own. Default: that script in this package. See docs/bundlers.md.
   */
  readonly script?: string | URL | undefined;
}

/** What holds when nothing is said. */
export type WebWorkersDefaults = WithDefaults<Omit<WebWorkersOptions, "size" | "script" | "maxAgeJitter">>;

/** The options with everything filled in. */
export type WebWorkersSettings = WebWorkersOptions & PoolDefaults & { readonly size: number };

const OPTIONS = defineOptions<WebWorkersOptions, keyof WebWorkersDefaults>({
  ...poolOptions("web-worker"),
  size: [integer(1, 512)],
  script: [isAddress],
});

/** The defaults of {@link WebWorkersOptions}; `size` is the machine's and not listed. */
export const WEB_WORKERS_DEFAULTS: WebWorkersDefaults = OPTIONS.defaults;

/** Checks the options and fills in the defaults. Throws a TypeError or RangeError. */
export function webWorkersSettings(options: WebWorkersOptions): WebWorkersSettings {
  checkOptions("webWorkers", options, OPTIONS.rules);
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  const size = Math.min(512, Math.max(1, (navigator?.hardwareConcurrency ?? 2) - 1));
  return withDefaults({ size, ...WEB_WORKERS_DEFAULTS }, options);
}

/** What a Web Worker imports as its module. Throws a TypeError. */
export function pageModuleUrl(module: unknown): string {
  if (!(module instanceof URL) && (typeof module !== "string" || module === ""))
    throw new TypeError("webWorkers: expected the URL of a module, or a function that returns a new Web Worker");
  return absoluteUrl("webWorkers", module, "module");
}
