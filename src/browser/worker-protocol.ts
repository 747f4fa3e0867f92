/** The messages between a page and the Web Worker that holds its connection. */
import type { ThreadInit } from "../supervisor/thread-protocol.ts";
import type { TabSettings } from "./options.ts";
import type { TabEvent, TabStats } from "./tab-events.ts";

/** A credential that only the page can get. */
export type CredentialKind = "token" | "ticket";

/** How the tab is to be served. */
export interface TabInit {
  readonly settings: TabSettings;
  /** A token that is always the same. */
  readonly token: string | undefined;
  /** What the page is asked for at each dial. */
  readonly requested: readonly CredentialKind[];
}

/** What the supervisor asks of the page, where the page starts the Web Workers of the handlers. */
export type ThreadRequest =
  | { readonly request: "start"; readonly id: number }
  /** Hands over the init message and the port in it. */
  | { readonly request: "post"; readonly id: number; readonly init: ThreadInit }
  | { readonly request: "terminate"; readonly id: number };

/** page → Web Worker. */
export type TabCommand =
  /** What became of a Web Worker that the page has started: what it posted, why it cannot go on, or how it has ended. */
  | {
      readonly command: "thread";
      readonly id: number;
      readonly event: "message" | "error" | "exit";
      readonly data: unknown;
    }
  | { readonly command: "serve"; readonly init: TabInit }
  /** The page goes away, or is frozen. */
  | { readonly command: "leave" }
  /** It is back. */
  | { readonly command: "return" }
  /** The browser has lost its network, or has one again. */
  | { readonly command: "offline" | "online" }
  | { readonly command: "drain"; readonly timeout: number | undefined }
  | { readonly command: "stop" }
  /** The credential, or the reason why there is none. */
  | { readonly command: "answer"; readonly id: number; readonly text: string | undefined; readonly reason: string };

/** Web Worker → page. */
export type TabReport =
  | ({ readonly report: "thread" } & ThreadRequest)
  /** A handler is loaded: the tab begins to dial. */
  | { readonly report: "ready" }
  /** None ever will be. Nothing is left running. */
  | { readonly report: "failed"; readonly message: string; readonly cause: unknown }
  | { readonly report: "event"; readonly event: TabEvent; readonly stats: TabStats }
  /** What keeps it from its runner. */
  | { readonly report: "warning"; readonly message: string }
  | { readonly report: "ask"; readonly id: number; readonly credential: CredentialKind }
  /** It has left, and nothing is left running. */
  | { readonly report: "stopped" };
