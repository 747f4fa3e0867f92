/** How a job is named: one form for handlers, events, errors and logs. */

/** Names a job: unique among all runners, as `runnerId` is random for each of them. `number` counts a runner's jobs, from 1. */
export function formatJobId(runnerId: string, number: number): string {
  return `${runnerId}:${number}`;
}
