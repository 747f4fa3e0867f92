/** The floor below all floors: no queue, no transport, no worker; an async function and its promise. */

/** @param {{ handler?: string }} options - `handler`: the module whose default export is called; default an echo. */
export async function open({ handler }) {
  const { default: run } =
    handler === undefined ? { default: (/** @type {{ data: unknown }} */ job) => job.data } : await import(handler);
  return { echo: async (payload) => run({ data: payload }), close: async () => undefined };
}
