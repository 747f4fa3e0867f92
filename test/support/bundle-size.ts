/**
 * What the package weighs in a browser: parts of the build, bundled and minified, and what is in them. The limits are here
 * and nowhere else; `npm run size` prints what there is, test/package/size.test.ts holds it to them.
 */
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { root } from "./package-files.ts";

/** A part that a page loads on its own. */
export interface Part {
  readonly name: string;
  /** A module of the build that is the part, or the text of one that imports it, from the root. */
  readonly entry: string;
  /** The most it may weigh, minified and gzipped, in bytes. */
  readonly limit: number;
}

/** The parts and their limits. */
export const PARTS: readonly Part[] = [
  {
    name: "a worker over WebSocket",
    entry: `export { Worker } from "./dist/index.js"; export { dialWebSocket } from "./dist/transports/websocket/index.js";`,
    limit: 26_112,
  },
  {
    name: "a worker over NATS",
    entry: `export { Worker } from "./dist/index.js"; export { dialNats } from "./dist/transports/nats/index.js";`,
    limit: 29_696,
  },
  { name: "serveFromTab: in the page", entry: `export * from "./dist/browser/index.js";`, limit: 5_632 },
  { name: "serveFromTab: its connection", entry: "dist/browser/socket-entry.js", limit: 64_512 },
  { name: "serveFromTab: each handler", entry: "dist/web-workers/entry.js", limit: 26_624 },
  {
    name: "a pool in a page: page",
    entry: `export { JobRunner } from "./dist/index.js"; export { client } from "./dist/tasks/index.js"; export { webWorkers } from "./dist/web-workers/index.js";`,
    limit: 58_368,
  },
  {
    name: "a pool in a page: script",
    entry: `export { tasks } from "./dist/tasks/index.js"; export { serve } from "./dist/web-workers/serve.js";`,
    limit: 34_816,
  },
  // With what it shares with the core: errors, UTF-8, options. A worker that has these grows by 5.6 KiB.
  { name: "values of typed tasks", entry: "dist/tasks/value/cbor.js", limit: 8_192 },
];

/** What a part weighs. */
export interface PartSize {
  readonly part: Part;
  readonly minified: number;
  readonly gzipped: number;
  /** The modules in it, from the root; `ws` and `node:` modules by the names they are imported by. */
  readonly modules: readonly string[];
  /** The bundle. */
  readonly code: string;
}

const ENTRY = "\0entry";

/** Bundles one part of the build there is, and weighs it. */
export async function sizeOf(part: Part): Promise<PartSize> {
  const made = part.entry.includes(";");
  const bundle = await rolldown({
    input: made ? ENTRY : part.entry,
    cwd: root,
    logLevel: "silent",
    external: (id) => !/^[./\0]/.test(id) && id !== part.entry,
    plugins: [
      {
        name: "entry",
        resolveId: (id, from) => (id === ENTRY ? { id } : from === ENTRY ? { id: join(root, id) } : undefined),
        load: (id) => (id === ENTRY ? part.entry : undefined),
      },
    ],
  });
  const { output } = await bundle.generate({ format: "es", minify: true });
  await bundle.close();
  const [chunk, ...others] = output;
  if (others.length > 0) throw new Error(`${part.name} is not one file`);
  return {
    part,
    minified: Buffer.byteLength(chunk.code),
    gzipped: gzipSync(chunk.code, { level: 9 }).byteLength,
    modules: [...chunk.moduleIds.filter((id) => id !== ENTRY).map((id) => relative(root, id)), ...chunk.imports],
    code: chunk.code,
  };
}
