/**
 * What browsers get by plain HTTP: the dashboard, in one file with everything it needs, and the module that tabs can be lent
 * to run. Both are the same for every request; numbers come over the dashboard's WebSocket.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";

/** A file to be served as it is. */
export interface AssetFile {
  /** Its type and policy. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its bytes. */
  readonly body: Uint8Array;
  /** The same, compressed. */
  readonly gzip: Uint8Array;
}

/** Bundled to CommonJS there may be none. */
const HERE: string | undefined = import.meta.url;

/** Against frames, content sniffing and referrers. */
const COMMON = {
  "Cache-Control": "no-store",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  Connection: "close",
};

const SCRIPT = { "Content-Type": "text/javascript; charset=utf-8" };
const UNBUILT =
  'the dashboard cannot be read: it is a file of the package; a bundled program leaves the package out of the bundle (external: "powerhose"), see docs/bundlers.md of `powerhose`';

/** The digests of all elements of a kind, as a policy names them. */
function hashes(html: string, element: "script" | "style"): string {
  const texts = html.matchAll(new RegExp(`<${element}[^>]*>([\\s\\S]*?)</${element}>`, "g"));
  return Array.from(texts, ([, text = ""]) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`).join(
    " ",
  );
}

/** Allows the dashboard to run and show itself, to talk to its own listener and, in a tab that is lent, to start its workers. */
function dashboardPolicy(html: string, lends: boolean): string {
  const rules = [
    "default-src 'none'",
    `script-src ${hashes(html, "script")}`,
    `style-src ${hashes(html, "style")}`,
    "connect-src 'self'",
    ...(lends ? ["worker-src 'self'"] : []),
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return rules.join("; ");
}

/** Allows those workers to import the module that is lent, to start each other and to talk to the listener. */
const TAB_POLICY = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'";

function file(body: Uint8Array, headers: Readonly<Record<string, string>>): AssetFile {
  return { headers: { ...COMMON, Vary: "Accept-Encoding", ...headers }, body, gzip: gzipSync(body) };
}

/** Reads what is built with the package; its place is the same from the sources and from the build. */
async function readBuilt(name: string): Promise<Buffer> {
  try {
    // Not in one expression: bundlers take that for a file to copy.
    const path = `../../dist/dashboard/${name}`;
    return await readFile(new URL(/* webpackIgnore: true */ path, HERE));
  } catch (cause) {
    throw new Error(UNBUILT, { cause });
  }
}

/**
 * Reads the dashboard.
 * @throws Error when it is not there.
 */
export async function readDashboard(lends: boolean): Promise<AssetFile> {
  const html = await readBuilt("dashboard.html");
  return file(html, {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": dashboardPolicy(html.toString(), lends),
  });
}

/**
 * Reads the script of the Web Workers of a lent tab.
 * @throws Error when it is not there.
 */
export async function readTabScript(): Promise<AssetFile> {
  return file(await readBuilt("tab.js"), { ...SCRIPT, "Content-Security-Policy": TAB_POLICY });
}

/**
 * Reads the module that is lent.
 * @throws Error when it cannot be read.
 */
export async function readLentModule(path: string): Promise<AssetFile> {
  try {
    return file(await readFile(path), SCRIPT);
  } catch (cause) {
    throw new Error(`the module to lend cannot be read: ${path}`, { cause });
  }
}

/** Answers with a file. */
export function serveAsset(
  request: IncomingMessage,
  response: ServerResponse,
  { headers, body, gzip }: AssetFile,
): void {
  const zipped = /\bgzip\b/.test(`${request.headers["accept-encoding"]}`);
  const sent = zipped ? gzip : body;
  const encoding = zipped ? { "Content-Encoding": "gzip" } : {};
  response.writeHead(200, { ...headers, ...encoding, "Content-Length": sent.byteLength });
  response.end(request.method === "HEAD" ? undefined : sent);
}
