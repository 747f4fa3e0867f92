/** The way to a part of a value, as an expression that a developer can follow: `input.rows[3]["first name"]`. */

/** One step: a property by its name, an element by its index, or what {@link entryStep} gives. */
export type PathStep = string | number;

const ROLES = ["key", "value", "item"] as const;
/** A name that can stand behind a dot; a longer one is cut. */
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]{0,63}$/u;
const MAX_KEY_LENGTH = 64;

/** Returns the step to the key or the value of a map's entry, or to the item of a set. A number, as it is made for each of them. */
export function entryStep(index: number, role: (typeof ROLES)[number]): number {
  return -1 - (index * ROLES.length + ROLES.indexOf(role));
}

/** Returns the path from `root`; a step that is undefined leads to what stands for an instance, and is not shown. */
export function pathText(root: string, steps: readonly (PathStep | undefined)[]): string {
  return root + steps.map(stepText).join("");
}

function stepText(step: PathStep | undefined): string {
  if (step === undefined) return "";
  if (typeof step === "string") return IDENTIFIER.test(step) ? `.${step}` : `[${JSON.stringify(shortKey(step))}]`;
  if (step >= 0) return `[${step}]`;
  const entry = -1 - step;
  return `(${ROLES[entry % ROLES.length] ?? ""} ${Math.floor(entry / ROLES.length)})`;
}

function shortKey(key: string): string {
  return key.length > MAX_KEY_LENGTH ? `${key.slice(0, MAX_KEY_LENGTH)}…` : key;
}
