import { edge } from "./edge.ts";
import { tryFew } from "./trial.ts";

tryFew(edge);
