/** Work that keeps a processor busy: so many HMACs, each of the one before. A job says how many: `200:its own name`. */
import { createHmac } from "node:crypto";

/** @param {string} job */
export function hashChain(job) {
  let value = job;
  for (let left = Number.parseInt(job, 10); left > 0; left--)
    value = createHmac("sha256", "key").update(value).digest("hex");
  return value;
}

/** @type {import("powerhose").Handler} */
const handler = (job) => hashChain(String(job.data));
export default handler;
