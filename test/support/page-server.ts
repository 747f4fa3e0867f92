/**
 * A tiny web server on 127.0.0.1 for browser tests: the repository's `dist` as it is, below `/dist/`, and files that the
 * test makes up. No listing, no other file of the repository.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, sep } from "node:path";
import { manifest, root } from "./package-files.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** A file that the test makes up: its text, or what is answered for it. */
export type MadeUpFile = string | ((request: IncomingMessage, response: ServerResponse) => void);

/** What a {@link PageServer} serves besides `/dist/`. */
export interface PageServerOptions {
  /** By path: `{ "/index.html": "<p>hello" }`. May be added to later, through {@link PageServer.files}. */
  readonly files?: Readonly<Record<string, MadeUpFile>>;
  /** Folders of the disk, by the path they are served below, which ends with a slash: `{ "/built/": folder }`. */
  readonly folders?: Readonly<Record<string, string>>;
  /** Sent with every answer, such as a Content-Security-Policy. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An import map that leads every door of the package to the `dist` of a {@link PageServer}. */
export function importMap(): string {
  const { name, exports } = manifest();
  const imports = Object.entries(exports).flatMap(([door, target]) =>
    typeof target === "string" ? [] : [[name + door.slice(1), target.default.slice(1)] as const],
  );
  return `<script type="importmap">${JSON.stringify({ imports: Object.fromEntries(imports) })}</script>`;
}

/** A page without a bundler: the import map, and a module script. */
export function modulePage(script: string, body: string = ""): string {
  return `<!doctype html><meta charset="utf-8"><title>test</title>${importMap()}${body}<script type="module">${script}</script>`;
}

/** The server. Start it with {@link PageServer.start}, end it with `await using` or {@link PageServer.stop}. */
export class PageServer {
  /** What is served besides `/dist/`, by path. */
  readonly files: Map<string, MadeUpFile>;
  /** `http://127.0.0.1:12345`, without a slash at its end. */
  readonly origin: string;
  readonly #server: Server;

  private constructor(server: Server, files: Map<string, MadeUpFile>) {
    this.#server = server;
    this.files = files;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start({ files = {}, folders = {}, headers = {} }: PageServerOptions = {}): Promise<PageServer> {
    const madeUp = new Map(Object.entries(files));
    const disk = Object.entries({ "/dist/": join(root, "dist"), ...folders });
    const server = createServer((request, response) => {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      void answer(request, response, madeUp, disk);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(0, "127.0.0.1", resolve);
    });
    return new PageServer(server, madeUp);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => void this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  files: ReadonlyMap<string, MadeUpFile>,
  folders: readonly (readonly [string, string])[],
): Promise<void> {
  const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
  const made = files.get(path) ?? files.get(`${path}index.html`);
  response.setHeader("Content-Type", TYPES[extname(path) || ".html"] ?? "application/octet-stream");
  if (typeof made === "function") return made(request, response);
  const body = made ?? (await onDisk(path, folders));
  if (body === undefined) response.statusCode = 404;
  response.end(body ?? "not found");
}

async function onDisk(path: string, folders: readonly (readonly [string, string])[]): Promise<Buffer | undefined> {
  for (const [prefix, folder] of folders) {
    const file = normalize(join(folder, path.slice(prefix.length)));
    if (!path.startsWith(prefix) || !file.startsWith(folder + sep)) continue;
    const found = await readFile(file).catch(() => undefined);
    if (found !== undefined) return found;
  }
  return undefined;
}
