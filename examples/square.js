/** Squares a number: `seq 1 10 | npx powerhose run examples/square.js`. Any module whose default export takes a job will do. */
export default function square(job) {
  const number = Number(job.data);
  if (Number.isNaN(number)) throw new TypeError(`not a number: ${String(job.data)}`);
  return String(number * number);
}
