/** The handler of every benchmark: hands back what it was given. */

/** @type {import("powerhose").Handler} */
const echo = (job) => job.data;
export default echo;
