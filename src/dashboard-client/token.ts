/**
 * The token the dashboard shows its listener: from the fragment of its address, which never leaves the browser, or from a
 * form. Kept as long as the tab. Never part of a request's address.
 */

const KEY = "powerhose.token";
const IN_FRAGMENT = /^#token=(.+)$/;

/** The stored token. A browser may be set to store nothing: then the token lasts until the dashboard is reloaded. */
function readStored(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

function store(token: string | undefined): void {
  try {
    if (token === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // storage is off: see readStored
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The token of this tab. */
export class Token {
  #value: string | undefined = readStored();

  /** @param onChange - Called when the address of the open dashboard gets another token. */
  constructor(onChange: () => void) {
    this.#take();
    window.addEventListener("hashchange", () => {
      if (this.#take()) onChange();
    });
  }

  /** The token; nothing when there is none. */
  get value(): string | undefined {
    return this.#value;
  }

  /** Replaces or drops the token. */
  set value(token: string | undefined) {
    this.#value = token;
    store(token);
  }

  /** Moves the token out of the address, where it would be copied and bookmarked. Whether there was one. */
  #take(): boolean {
    const found = IN_FRAGMENT.exec(location.hash)?.[1];
    if (found === undefined) return false;
    history.replaceState(null, "", location.pathname + location.search);
    this.value = decoded(found);
    return true;
  }
}
