/** All statements there are. */
import { deadlines } from "./deadlines.ts";
import { edge } from "./edge.ts";
import { frames } from "./frames.ts";
import { jobText } from "./job-text.ts";
import { linkedQueue } from "./linked-queue.ts";
import { numberTable } from "./number-table.ts";
import { original } from "./original.ts";
import { pool } from "./pool.ts";
import { retry } from "./retry.ts";
import type { Statement } from "./statement.ts";

/** All statements, by row. */
export const STATEMENTS: readonly Statement[] = [
  ...pool,
  ...edge,
  ...jobText,
  ...original,
  ...deadlines,
  ...numberTable,
  ...linkedQueue,
  ...retry,
  ...frames,
];
