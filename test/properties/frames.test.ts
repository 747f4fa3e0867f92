import { frames } from "./frames.ts";
import { tryAll } from "./trial.ts";

tryAll(frames);
