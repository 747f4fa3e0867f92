/** `npm run layers`: the table of docs/architecture.md, from layers.json. */
import { printedLayers } from "./layers.ts";

const rows = [["in `src/`", "holds", "may import"], ["---", "---", "---"], ...printedLayers()];
console.log(rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n"));
