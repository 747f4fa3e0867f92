/**
 * Whether a thread ended because the process or the machine has run out of descriptors, memory or threads (EMFILE and the like).
 * Its module is not at fault then.
 */

const CODES: ReadonlySet<string> = new Set([
  "EMFILE",
  "ENFILE",
  "EAGAIN",
  "ENOMEM",
  "ERR_WORKER_INIT_FAILED",
  "ERR_WORKER_OUT_OF_MEMORY",
]);

/** How the system's errors begin. An error that was cloned on its way between threads has lost its code. */
const MESSAGE = /^(EMFILE|ENFILE|EAGAIN|ENOMEM): /;

/** Causes that are followed: an error may be its own cause. */
const MAX_CAUSES = 8;

function findCode(error: unknown): string | undefined {
  let next = error;
  for (let depth = 0; depth < MAX_CAUSES && next instanceof Error; depth++) {
    const code = "code" in next && typeof next.code === "string" && CODES.has(next.code) ? next.code : undefined;
    const found = code ?? MESSAGE.exec(next.message)?.[1];
    if (found !== undefined) return found;
    next = next.cause;
  }
  return undefined;
}

/**
 * Returns the code of scarcity that an error, or one underneath it, speaks of; nothing when it speaks of something else. Never
 * throws: a getter or a proxy may.
 */
export function scarcityOf(error: unknown): string | undefined {
  try {
    return findCode(error);
  } catch {
    return undefined;
  }
}

/** Returns an error from a thread with the code that cloning has dropped. */
export function withCode(error: unknown, message: string, code: string | undefined): unknown {
  if (code === undefined) return error;
  return Object.assign(error instanceof Error ? error : new Error(message), { code });
}
