import { pool } from "./pool.ts";
import { tryFew } from "./trial.ts";

tryFew(pool);
