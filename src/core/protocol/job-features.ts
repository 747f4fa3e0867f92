/** Which features a JOB uses: it may be sent only where both ends speak all of them. */
import { isHoled } from "../job/holed-bytes.ts";
import { FEATURE } from "./constants.ts";
import type { JobMessage } from "./message.ts";

/** The features as a mask. */
export function featuresOf({ route, job, credit, delivered, wantsProgress, hasInput }: JobMessage): number {
  return (
    (route === undefined ? 0 : FEATURE.relay) |
    (job.task === undefined ? 0 : FEATURE.tasks) |
    ((credit ?? delivered) === undefined ? 0 : FEATURE.streams) |
    (wantsProgress === true ? FEATURE.progress : 0) |
    (hasInput === true ? FEATURE.inputs : 0) |
    (isHoled(job.content) ? FEATURE.attachments : 0)
  );
}
