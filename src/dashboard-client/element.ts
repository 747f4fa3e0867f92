/** Finds and makes elements of the document. Text goes in as text only: no function here takes markup. */

/**
 * The element of an id.
 * @throws Error when the document has none of that kind: it and its script are one file.
 */
export function find<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`the document has no ${id}`);
}

/** Makes an element with a class, if any, and children: elements, or strings, which become text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string = "",
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  element.append(...children);
  return element;
}

/** Sets an element's text if it differs: text that is unchanged is neither drawn nor read out again. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
