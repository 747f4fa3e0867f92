import { deadlines } from "./deadlines.ts";
import { line } from "./line.ts";
import { numberTable } from "./number-table.ts";
import { retry } from "./retry.ts";
import { tryFew } from "./trial.ts";

tryFew([...deadlines, ...numberTable, ...line, ...retry]);
