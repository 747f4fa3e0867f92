/** A question before an action that cannot be undone. */
import { find, write } from "./element.ts";

/** The dialog of the dashboard. */
export class Question {
  readonly #dialog: HTMLDialogElement = find("question", HTMLDialogElement);
  readonly #text: HTMLElement = find("question-words", HTMLElement);

  /** Asks; resolves to whether the answer was yes. Escape means no. */
  ask(text: string): Promise<boolean> {
    write(this.#text, text);
    this.#dialog.returnValue = "no";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      this.#dialog.addEventListener("close", () => resolve(this.#dialog.returnValue === "yes"), { once: true });
    });
  }
}
