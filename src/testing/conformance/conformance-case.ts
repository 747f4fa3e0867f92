/** What a law is to whoever runs it. Knows no test runner, so that any can: `for (const law of laws) it(law.name, law.run)`. */

/** One thing that must hold, as a check that can be run any number of times, by itself. */
export interface Law {
  /** What must hold, in words; unique within its suite. */
  readonly name: string;
  /** Sets up what the law is about, checks it, and takes it down. Rejects with an `Error` that says what was expected and what was seen. */
  readonly run: () => Promise<void>;
}
