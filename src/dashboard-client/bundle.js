/**
 * Builds the dashboard: src/dashboard-client/ into one file, dist/dashboard/dashboard.html, with its script and style inside,
 * and dist/dashboard/tab.js, which the Web Workers of a lent tab run. Prints their sizes with `--size`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const from = new URL("./", import.meta.url);
const to = new URL("../../dist/dashboard/", import.meta.url);

/** A module and all it imports as one minified script. */
async function bundled(name) {
  const bundle = await rolldown({
    input: fileURLToPath(new URL(name, from)),
    platform: "browser",
    // The package promises none, but for what is run by itself.
    treeshake: { moduleSideEffects: (id) => /[/\\](main|tab|socket-entry|web-workers[/\\]entry)\.ts$/.test(id) },
    // The script of their Web Workers is served beside the dashboard.
    transform: { define: { "import.meta": "{}" } },
  });
  const { output } = await bundle.generate({ format: "iife", minify: true, codeSplitting: false });
  await bundle.close();
  if (output.length !== 1) throw new Error(`${name} is not one file once it is bundled`);
  return output[0].code.trim();
}

function style() {
  const css = readFileSync(new URL("dashboard.css", from), "utf8");
  return css
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};]) ?/g, "$1")
    .trim();
}

const html = readFileSync(new URL("index.html", from), "utf8")
  .replace(/\n\s*/g, "\n")
  .replace(/\s*\/\*style\*\/\s*/, () => style());
// Nothing in it may end the element it stands in.
const script = (await bundled("main.ts")).replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
const dashboard = html.replace(/\s*\/\*script\*\/\s*/, () => script);
const tab = await bundled("tab.ts");
mkdirSync(to, { recursive: true });
writeFileSync(new URL("dashboard.html", to), dashboard);
writeFileSync(new URL("tab.js", to), tab);
if (process.argv.includes("--size")) {
  const files = { "dashboard.html": dashboard, "tab.js, once a tab is lent": tab };
  for (const [name, text] of Object.entries(files)) {
    process.stdout.write(`${name}: ${text.length} bytes, ${gzipSync(text, { level: 9 }).byteLength} gzipped\n`);
  }
}
