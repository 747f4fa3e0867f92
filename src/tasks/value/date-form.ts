/** The two forms of a point in time: seconds since 1970, as written here, and a text of RFC 3339, as other libraries write it. */

const RFC_3339 = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;

/** Returns the date to the millisecond, or undefined when it is none. */
export function dateOfSeconds(seconds: unknown): Date | undefined {
  if (typeof seconds !== "number") return undefined;
  // The seconds and their fraction apart: as one product the last of all years would be a millisecond off.
  const whole = Math.trunc(seconds);
  return validDate(whole * 1_000 + Math.round((seconds - whole) * 1_000));
}

/** Returns the date, or undefined for what RFC 3339 does not allow. A leap second is no date of JavaScript. */
export function dateOfText(text: unknown): Date | undefined {
  if (typeof text !== "string") return undefined;
  const [, day] = RFC_3339.exec(text) ?? [];
  // The 30th of February is the 2nd of March to a Date.
  if (day === undefined || validDate(`${day}T00:00:00Z`)?.toISOString().slice(0, 10) !== day) return undefined;
  return validDate(text.toUpperCase());
}

function validDate(time: number | string): Date | undefined {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
