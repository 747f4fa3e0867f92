import { frames } from "./frames.ts";
import { tryFew } from "./trial.ts";

tryFew(frames);
