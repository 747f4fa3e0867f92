/** How lists of labels are checked: those a worker comes with, and those a job asks for. Who fits whom is in demand.ts. */
import type { Rule } from "./options.ts";
import { IDENTITY_FORM, isIdentity, MAX_LABELS } from "./wire-format.ts";

/** At most 32 labels, of the alphabet of identities. */
export const labelList: Rule = (value) => {
  const fits =
    Array.isArray(value) &&
    value.length <= MAX_LABELS &&
    // Spread: `every` would pass over the holes of a list.
    [...value].every((label) => typeof label === "string" && isIdentity(label));
  return fits ? undefined : `at most ${MAX_LABELS} labels, each ${IDENTITY_FORM}`;
};
