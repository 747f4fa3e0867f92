import { edge } from "./edge.ts";
import { tryAll } from "./trial.ts";

tryAll(edge);
