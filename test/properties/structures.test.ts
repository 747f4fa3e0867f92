import { deadlines } from "./deadlines.ts";
import { linkedQueue } from "./linked-queue.ts";
import { numberTable } from "./number-table.ts";
import { retry } from "./retry.ts";
import { tryFew } from "./trial.ts";

tryFew([...deadlines, ...numberTable, ...linkedQueue, ...retry]);
