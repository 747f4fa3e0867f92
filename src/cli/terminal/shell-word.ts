/** Text as one word of a POSIX shell, for lines that are printed to be copied. */

/** The text itself where it is harmless, else in single quotes. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@%+=,#-]+$/.test(text) && !text.startsWith("#") ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
