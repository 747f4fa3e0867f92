/**
 * The token the page shows its listener: from the fragment of its address, which never leaves the browser, or from a form;
 * kept as long as the tab. It is never part of a request's address.
 */

const KEY = "powerhose.token";
const IN_FRAGMENT = /^#token=(.+)$/;

/** A browser may be told to keep nothing: then the token lasts as long as the page. */
function kept(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

function keep(token: string | undefined): void {
  try {
    if (token === undefined) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // it is kept by the page alone
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
  #value: string | undefined = kept();

  /** @param changed - Called when another one has come with the address: that of an open page can be changed, too. */
  constructor(changed: () => void) {
    this.#take();
    window.addEventListener("hashchange", () => {
      if (this.#take()) changed();
    });
  }

  /** The token; nothing when there is none. */
  get value(): string | undefined {
    return this.#value;
  }

  /** Another one, or none any more. */
  set value(token: string | undefined) {
    this.#value = token;
    keep(token);
  }

  /** Takes it out of the address, where it would be copied and bookmarked along, if it is there. */
  #take(): boolean {
    const found = IN_FRAGMENT.exec(location.hash)?.[1];
    if (found === undefined) return false;
    history.replaceState(null, "", location.pathname + location.search);
    this.value = decoded(found);
    return true;
  }
}
