/** Loaded into a process before its own modules: as it ends it says on descriptor 3 how large it ever was, in KiB. */
import { writeSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

if (isMainThread) process.on("exit", () => void writeSync(3, String(process.resourceUsage().maxRSS)));
