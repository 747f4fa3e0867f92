/** The first thing a Web Worker says: that its script listens, and how its end can be seen. */

const SERVE_NOTE = "powerhose:serve";

/** What it says. */
export interface ServeNote {
  /** A lock that is held as long as it lives; absent where there are no locks, as in a page that is not secure. */
  readonly lock: string | undefined;
}

/** Returns a note as it is posted. */
export function wrapServeNote({ lock }: ServeNote): unknown {
  return { [SERVE_NOTE]: lock ?? "" };
}

/** Returns the note in what a Web Worker has posted; `undefined` when it is something else. */
export function serveNoteIn(posted: unknown): ServeNote | undefined {
  if (typeof posted !== "object" || posted === null) return undefined;
  const lock: unknown = Reflect.get(posted, SERVE_NOTE);
  if (typeof lock !== "string") return undefined;
  return { lock: lock === "" ? undefined : lock };
}
