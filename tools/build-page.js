/**
 * Builds the live page: src/observe/page/ into one file, dist/observe/page.html, with its script and style inside. Says how
 * large it is with `--size`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

const from = new URL("../src/observe/page/", import.meta.url);
const to = new URL("../dist/observe/", import.meta.url);

async function script() {
  const bundle = await rolldown({ input: fileURLToPath(new URL("main.ts", from)), platform: "browser" });
  const { output } = await bundle.generate({ format: "iife", minify: true });
  await bundle.close();
  if (output.length !== 1) throw new Error("the page's script is not one file");
  // Nothing in it may end the element it stands in.
  return output[0].code.trim().replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
}

function style() {
  const css = readFileSync(new URL("page.css", from), "utf8");
  return css
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};]) ?/g, "$1")
    .trim();
}

const html = readFileSync(new URL("index.html", from), "utf8")
  .replace(/\n\s*/g, "\n")
  .replace(/\s*\/\*style\*\/\s*/, () => style());
const page = html
  .replace(/\s*\/\*script\*\/\s*/, "/*script*/")
  .split("/*script*/")
  .join(await script());
mkdirSync(to, { recursive: true });
writeFileSync(new URL("page.html", to), page);
if (process.argv.includes("--size")) {
  process.stdout.write(`the page: ${page.length} bytes, ${gzipSync(page, { level: 9 }).byteLength} gzipped\n`);
}
