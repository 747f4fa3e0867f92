import { pool } from "./pool.ts";
import { tryAll } from "./trial.ts";

tryAll(pool);
