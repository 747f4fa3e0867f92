// Runs in a thread: it may keep the processor busy for as long as it likes.
export default function square(job) {
  const number = Number(job.data);
  let sum = 0;
  for (let i = 0; i < number; i++) sum += number;
  return String(sum);
}
