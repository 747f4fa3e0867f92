/** The floor below all floors: no queue, no transport, no worker; an async function and its promise. */

/** @type {import("../measure.js").Contestant} */
export const directCall = {
  name: "direct async call",
  open: async () => ({ echo: async (text) => text, close: async () => undefined }),
};
