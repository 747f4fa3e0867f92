/** The way of a job into the fleet behind a relay: what JOB tells there. That of a relayed job is in relayed-call.ts. */
import { pathsBelow } from "../identifiers.ts";
import { MAX_AVOIDED } from "../protocol/constants.ts";
import type { JobRoute } from "../protocol/message.ts";

/** The route of a runner's own job to that relay; none when there is nothing to tell. `failed`: the paths of its attempts. */
export function firstRoute(
  identity: string,
  job: Pick<JobRoute, "origin" | "deadline" | "labels">,
  failed: readonly string[],
): JobRoute | undefined {
  const avoid = [...new Set(pathsBelow(identity, failed))].slice(-MAX_AVOIDED);
  if (job.labels.length === 0 && avoid.length === 0 && job.deadline === Number.POSITIVE_INFINITY) return undefined;
  return { ...job, priority: 0, avoid };
}
