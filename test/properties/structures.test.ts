import { deadlines } from "./deadlines.ts";
import { line } from "./line.ts";
import { numberTable } from "./number-table.ts";
import { retry } from "./retry.ts";
import { tryAll } from "./trial.ts";

tryAll([...deadlines, ...numberTable, ...line, ...retry]);
