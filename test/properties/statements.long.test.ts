/** Every statement with all its runs; `npm test` makes a tenth of them. */
import { STATEMENTS } from "./statements.ts";
import { tryAll } from "./trial.ts";

tryAll(STATEMENTS);
