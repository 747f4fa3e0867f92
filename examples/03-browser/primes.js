/** Counts the primes from the first number up to, but not including, the second. */
export default (job) => {
  const [from, to] = job.data.split(" ").map(Number);
  let count = 0;
  for (let n = Math.max(from, 2); n < to; n++) {
    let prime = true;
    for (let d = 2; prime && d * d <= n; d++) prime = n % d !== 0;
    if (prime) count++;
  }
  return String(count);
};
