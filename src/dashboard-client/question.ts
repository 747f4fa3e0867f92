/** A question that has to be answered before something is done that cannot be undone. */
import { find, write } from "./element.ts";

/** The page's one dialog. */
export class Question {
  readonly #dialog: HTMLDialogElement = find("question", HTMLDialogElement);
  readonly #words: HTMLElement = find("question-words", HTMLElement);

  /** Asks; resolves to whether the answer was yes. Escape means no. */
  ask(words: string): Promise<boolean> {
    write(this.#words, words);
    this.#dialog.returnValue = "no";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      this.#dialog.addEventListener("close", () => resolve(this.#dialog.returnValue === "yes"), { once: true });
    });
  }
}
