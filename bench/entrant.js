/**
 * One contestant in a process of its own, measured whenever race.js says so. Of its own, as code that the compiler has
 * seen with three transports is slower than with the one an application uses, and as one's garbage must not be
 * collected at the cost of another. Between its turns it waits, which costs nothing.
 */
import { MEASURES } from "./measures.js";

const { module, options } = JSON.parse(process.argv[2] ?? "{}");
process.on("disconnect", () => process.exit());

/** @param {object} message */
const tell = (message) => process.send?.(message);

/**
 * @param {import("./measures.js").Opened} opened
 * @param {{ measure?: string, task: import("./measures.js").Task }} message - Without a measure it is over.
 */
async function take(opened, { measure, task }) {
  try {
    if (measure === undefined) {
      await opened.close();
      process.disconnect();
    } else tell({ sample: await MEASURES[measure]?.(opened, task) });
  } catch (error) {
    tell({ failed: String(error instanceof Error ? error.stack : error) });
  }
}

/**
 * Why a contestant is not there, rather than broken: a package or a server that nobody has installed, an option that is
 * yet to come.
 * @param {NodeJS.ErrnoException} error
 */
function absence({ code, message }) {
  if (code === "NO_SERVER") return message;
  if (code === "ERR_MODULE_NOT_FOUND" && message.startsWith("Cannot find package")) return "not installed";
  return message.includes("unknown option") ? "option refused" : undefined;
}

try {
  const { open } = await import(module);
  const opened = await open(options ?? {});
  process.on("message", (message) => void take(opened, message));
  tell({ ready: true });
} catch (error) {
  const absent = absence(/** @type {Error} */ (error));
  tell(absent === undefined ? { failed: String(/** @type {Error} */ (error).stack ?? error) } : { absent });
}
