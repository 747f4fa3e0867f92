/** Peers that do not read, with a few seeds. See backlog.long.test.ts for more. */
import { describeBacklogs } from "./describe-backlogs.ts";

describeBacklogs(6);
