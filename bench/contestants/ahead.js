/** Tells a runner how many jobs to send ahead, where it has that option; before it had, it sent none ahead. */
import { JobRunner } from "powerhose";

/**
 * @param {number | undefined} ahead
 * @returns {object} options of a JobRunner
 */
export function sendAhead(ahead) {
  if (ahead === undefined) return {};
  try {
    const options = /** @type {object} */ ({ prefetch: ahead });
    void new JobRunner(options);
    return options;
  } catch (error) {
    if (ahead === 0 && error instanceof TypeError) return {};
    throw error;
  }
}
