/** The options of the dashboard of a WebSocket listener, with their defaults and checks. How it is served is in dashboard-endpoint.ts. */
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  isFunction,
  checkOptions,
  defineOptions,
  isBoolean,
  isNonEmptyString,
  integer,
  listOf,
  oneOrMore,
  type Validator,
  withDefaults,
} from "../core/options.ts";

/** Options of the page; see {@link WebSocketListenerOptions}. */
export interface DashboardOptions {
  /** What the page is headed with; at most 200 characters. Default: `powerhose`. */
  readonly title?: string | undefined;
  /** Words of yours at the top of the page, read once a second while a page is open; a throw counts as none. At most 500 characters are shown. */
  readonly note?: (() => string | undefined) | undefined;
  /** The token whose holder may also let workers go and drain the runner, or several. Default: none. */
  readonly admin?: string | readonly string[] | undefined;
  /**
   * Whether the beginning of a failed job's data is shown with its error. Default: false, and no data ever leaves
   * this process for the page.
   */
  readonly payloads?: boolean | undefined;
  /**
   * An ES module, as a path or `file:` URL, that browsers may run as a worker: the page then offers to lend the tab it is
   * in. One file without imports of its own. It is served to all that can load the page: put no secret in it.
   */
  readonly lend?: string | URL | undefined;
  /** How many seconds back the charts go, 60 to 3,600. Default: 600. */
  readonly history?: number | undefined;
}

/** The options of a page that is on, with their defaults filled in. */
export interface DashboardSettings {
  /** The heading. */
  readonly title: string;
  /** Words of the owner's. */
  readonly note: () => string | undefined;
  /** The tokens of admins; empty when there are none. */
  readonly admins: readonly string[];
  /** Whether data of failed jobs is shown. */
  readonly payloads: boolean;
  /** The path of the module that is lent, if any. */
  readonly lend: string | undefined;
  /** How many seconds back the charts go. */
  readonly history: number;
}

const MAX_TITLE_LENGTH = 200;

/** A token or several. An empty list is refused: it would read as "no token needed". */
export const tokenList: Validator = (value) =>
  Array.isArray(value) && value.length === 0 ? "a token at least" : oneOrMore(isNonEmptyString)(value);
const moduleFile: Validator = (value) => {
  const isFile = value instanceof URL ? value.protocol === "file:" : isNonEmptyString(value) === undefined;
  return isFile ? undefined : "the path or file: URL of an ES module";
};

const title: Validator = (value) =>
  isNonEmptyString(value) === undefined && String(value).length <= MAX_TITLE_LENGTH
    ? undefined
    : `a string of 1 to ${MAX_TITLE_LENGTH} characters`;

const OPTIONS = defineOptions<DashboardOptions, Exclude<keyof DashboardOptions, "admin" | "lend">>({
  title: [title, "powerhose"],
  note: [isFunction, () => undefined],
  admin: [tokenList],
  payloads: [isBoolean, false],
  lend: [moduleFile],
  history: [integer(60, 3_600), 600],
});

/** What the option `dashboard` may be. */
export const dashboardOption: Validator = (value) =>
  typeof value === "boolean" || (typeof value === "object" && value !== null && !Array.isArray(value))
    ? undefined
    : "true, false or the page's options";

function pathOf(module: string | URL): string {
  return module instanceof URL || module.startsWith("file:") ? fileURLToPath(module) : module;
}

/**
 * Checks what was asked for and fills in the defaults; nothing when there is to be no page.
 * @throws TypeError when an option is unknown, of the wrong kind, or names a module that is no file.
 * @throws RangeError when a number is out of range.
 */
export function dashboardSettings(page: boolean | DashboardOptions | undefined): DashboardSettings | undefined {
  if (page === undefined || page === false) return undefined;
  const options: DashboardOptions = page === true ? {} : page;
  checkOptions("dashboard", options, OPTIONS.rules);
  const { admin, lend, ...settings } = withDefaults(OPTIONS.defaults, options);
  const module = lend === undefined ? undefined : pathOf(lend);
  if (module !== undefined && statSync(module, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new TypeError(
      `dashboard: expected \`lend\` to be the path or file: URL of an ES module; there is no file ${module}`,
    );
  }
  return { ...settings, admins: [...listOf(admin)], lend: module };
}
