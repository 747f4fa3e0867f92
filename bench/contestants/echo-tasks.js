/** The echo as a typed task. */
import { tasks } from "powerhose/tasks";

const handler = tasks({ echo: (/** @type {unknown} */ input) => input });
export default handler;
