/** What a thread does with a large buffer: hands it back, copied or given away, or reads a byte of shared memory. */
import { tasks, transfer } from "powerhose/tasks";

/** @typedef {{ data: Uint8Array }} Input */

const handler = tasks({
  copy: (/** @type {Input} */ input) => input,
  give: (/** @type {Input} */ input) => transfer(input),
  look: (/** @type {Input} */ { data }) => data[0],
});
export default handler;
