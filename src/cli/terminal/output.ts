/**
 * Where results go: the kernel takes every byte, or it is known how many. Node's streams write terminals and pipes. Files are
 * written by their descriptor. Why: Node's stream for files ignores short writes, and on a full disk loses the rest.
 */
import { closeSync, constants, fstatSync, openSync, readSync, write } from "node:fs";
import type { Writable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { codeOf } from "./errors.ts";

/** The outcome of one write. */
export interface Written {
  /** Bytes that the kernel has. After an error, at least so many. */
  readonly bytes: number;
  /** Why the rest was not written; `undefined`: there is no rest. */
  readonly error?: unknown;
}

/** An open output. */
export interface Output {
  /** Writes all parts. One call at a time. Never rejects. */
  write(parts: readonly Uint8Array[]): Promise<Written>;
  /** `listener` is called when the output breaks, also while nothing is written. */
  onError(listener: (error: unknown) => void): void;
}

/** Writes some bytes from `offset` on; resolves to how many. */
export type WriteSome = (fd: number, bytes: Uint8Array, offset: number) => Promise<number>;

/** What Node calls a stream that takes nothing more. */
const CLOSED = "ERR_STREAM_DESTROYED";

/** Whether an error means that the reader of a pipe has closed it. */
export function isReaderGone(error: unknown): boolean {
  const code = codeOf(error);
  return code === "EPIPE" || code === CLOSED;
}

/** Pause before an output that takes nothing for now is tried again, in ms. */
const RETRY_MS = 5;

function writeSome(fd: number, bytes: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, offset, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

/** A file or a device. */
export class FileOutput implements Output {
  readonly #fd: number;
  readonly #writeSome: WriteSome;

  constructor(fd: number, some: WriteSome = writeSome) {
    this.#fd = fd;
    this.#writeSome = some;
  }

  async write(parts: readonly Uint8Array[]): Promise<Written> {
    let bytes = 0;
    try {
      for (const part of parts) {
        for (let at = 0; at < part.length;) {
          const count = await this.#some(part, at);
          at += count;
          bytes += count;
        }
      }
      return { bytes };
    } catch (error) {
      return { bytes, error };
    }
  }

  /** A file breaks only while it is written. */
  onError(): void {}

  async #some(part: Uint8Array, at: number): Promise<number> {
    for (;;) {
      try {
        const count = await this.#writeSome(this.#fd, part, at);
        if (count === 0) throw new Error("the output takes no more bytes");
        return count;
      } catch (error) {
        const code = codeOf(error);
        if (code === "EAGAIN") await wait(RETRY_MS);
        else if (code !== "EINTR") throw error;
      }
    }
  }
}

/** A terminal, a pipe or a socket. */
export class StreamOutput implements Output {
  readonly #stream: Writable;
  #settle: ((error: unknown) => void) | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    // A stream that breaks may never call back for what it still held. One listener for good: one a write would add up.
    stream.on("close", () => this.#settle?.(Object.assign(new Error("the output was closed"), { code: CLOSED })));
  }

  write(parts: readonly Uint8Array[]): Promise<Written> {
    const stream = this.#stream;
    const last = parts.length - 1;
    return new Promise((resolve) => {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      this.#settle = (error): void => resolve(error === undefined ? { bytes } : { bytes: 0, error });
      const done = (error?: Error | null): void => this.#settle?.(error ?? undefined);
      if (last < 0) return done();
      stream.cork();
      parts.forEach((part, place) => stream.write(part, place === last ? done : undefined));
      stream.uncork();
    });
  }

  onError(listener: (error: unknown) => void): void {
    this.#stream.on("error", listener);
  }
}

/** A stream of the process, and its descriptor. */
export type HostStream = NodeJS.WriteStream & { readonly fd: number };

/** The output behind a stream of the process. */
export function outputOf(stream: HostStream): Output {
  return isFile(stream) ? new FileOutput(stream.fd) : new StreamOutput(stream);
}

/** Whether it is a file, or a device that is no terminal: what Node would write with short writes ignored. */
function isFile({ fd, isTTY }: HostStream): boolean {
  if (isTTY) return false;
  try {
    const stats = fstatSync(fd);
    return stats.isFile() || stats.isCharacterDevice() || stats.isBlockDevice();
  } catch {
    return false;
  }
}

/** The last byte of the file behind a descriptor; nothing when it is no file, is empty, or may not be read. */
export function lastByte(fd: number): number | undefined {
  let reader: number | undefined;
  try {
    const { size, ino, dev } = fstatSync(fd);
    // Opened anew, as an output may be open for writing only. Where that is another file, nothing is known.
    reader = openSync(`/dev/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(reader);
    if (!stats.isFile() || stats.ino !== ino || stats.dev !== dev) return undefined;
    const byte = Buffer.alloc(1);
    return readSync(reader, byte, 0, 1, size - 1) === 1 ? byte[0] : undefined;
  } catch {
    return undefined;
  } finally {
    if (reader !== undefined) closeSync(reader);
  }
}
