/** Peers that do not read, with many seeds. */
import { describeBacklogs } from "./describe-backlogs.ts";

describeBacklogs(25);
