/**
 * tsx in a thread, which reads TypeScript. A thread inherits its flag, but below Node 25 tsx registers itself in the main thread
 * alone. Other loaders register wherever they are imported.
 */
import { register } from "node:module";
import { resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";

/** The name or the file that a `--import` of tsx gives. The command `tsx` gives the file. */
const TSX = /^(?:--import=)?(tsx(?:\/esm)?|\S+\/tsx\/dist\/loader\.mjs)$/;

/** From this version of Node on, tsx registers itself in threads too. */
const SELF_REGISTERED = 25;

/** What imports tsx, by the options of this thread; `undefined` when none does. */
function tsxImporter(): string | undefined {
  const options = [...process.execArgv, ...(process.env["NODE_OPTIONS"] ?? "").split(/\s+/)];
  const given = options.map((option) => TSX.exec(option)?.[1]).find((name) => name !== undefined);
  // Node resolves a name from the working directory.
  return given?.startsWith("file:") === true ? given : given && pathToFileURL(resolve() + sep).href;
}

/** Registers tsx in this thread where the thread's options ask for it. A failed import cannot be repeated: call it before. */
export function registerTsx(): void {
  if (Number.parseInt(process.versions.node, 10) >= SELF_REGISTERED) return;
  const parentURL = tsxImporter();
  if (parentURL === undefined) return;
  try {
    register("tsx/esm", { parentURL, data: {} });
    process.setSourceMapsEnabled(true);
  } catch {
    // It is not installed there: the import of the handler tells what that means for it.
  }
}
