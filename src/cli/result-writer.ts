/**
 * Writes results to stdout in large pieces: a write for each line would cost more than most jobs. Nothing is kept back
 * longer than a person would notice, and whoever writes waits until the reader has taken what was written. What a result looks like is
 * outcome-text.ts.
 */
import type { Writable } from "node:stream";
import type { ByteBudget } from "../core/byte-budget.ts";
import { codeOf, CommandError, wordsOf } from "./faults.ts";
import { payloadBytes } from "./held-bytes.ts";

const ENOUGH = 64 * 1_024; // bytes that make a write worth it
const LINGER = 4; // ms to wait for more

/** Told of what happens to the output. */
export interface WriterOwner {
  /** Something is about to be written. */
  writing(): void;
  /** These receipts' results are with the kernel; the receipts are in the order of the results. */
  written(receipts: string): void;
  /** The output failed, or (`undefined`) its reader has had enough. Called once; nothing is written after it. */
  broken(fault: CommandError | undefined): void;
}

/** Collects results and writes them. */
export class ResultWriter {
  readonly #stream: Writable;
  readonly #owner: WriterOwner;
  readonly #budget: ByteBudget;
  readonly #onError = (error: unknown): void => this.#fail(error);
  /** A stream that breaks may never call back for what it still held. One listener for good: one a write would add up. */
  readonly #onClose = (): void => this.#taken?.();
  #parts: (string | Uint8Array)[] = [];
  #text = "";
  #receipts = "";
  #size = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #taken: (() => void) | undefined;
  #broken = false;

  /** @param budget - What results are held against until the kernel has them. */
  constructor(stream: Writable, owner: WriterOwner, budget: ByteBudget) {
    this.#stream = stream;
    this.#owner = owner;
    this.#budget = budget;
    stream.on("error", this.#onError);
    stream.on("close", this.#onClose);
  }

  /** Takes a result, written with what ends it; `receipt` comes back once it is with the kernel. Await what is returned. */
  put(result: string | Uint8Array, end: string, receipt: string): Promise<void> | undefined {
    if (this.#broken) return undefined;
    if (typeof result === "string") {
      this.#text += result + end;
    } else {
      this.#parts.push(this.#text, result);
      this.#text = end;
    }
    this.#receipts += receipt;
    const bytes = payloadBytes(result) + end.length + receipt.length;
    this.#size += bytes;
    this.#budget.hold(bytes);
    if (this.#size >= ENOUGH) return this.flush();
    this.#timer ??= setTimeout(() => void this.flush(), LINGER);
    return undefined;
  }

  /** Writes what there is. Resolves once the kernel has all of it, or nobody wants it any more. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#writing !== undefined) await this.#writing;
    if (this.#size === 0 || this.#broken) return;
    const parts = [...this.#parts, this.#text].filter((part) => part.length > 0);
    const [receipts, size] = [this.#receipts, this.#size];
    this.#parts = [];
    this.#text = "";
    this.#receipts = "";
    this.#size = 0;
    if (parts.length > 0) {
      this.#owner.writing();
      this.#writing = this.#write(parts);
      await this.#writing;
      this.#writing = undefined;
    }
    this.#budget.release(size);
    if (!this.#broken) this.#owner.written(receipts);
  }

  #write(parts: readonly (string | Uint8Array)[]): Promise<void> {
    const stream = this.#stream;
    return new Promise((resolve) => {
      this.#taken = resolve;
      stream.cork();
      parts.forEach((part, place) => stream.write(part, place === parts.length - 1 ? () => resolve() : undefined));
      stream.uncork();
    });
  }

  #fail(error: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    const gone = codeOf(error) === "EPIPE" || codeOf(error) === "ERR_STREAM_DESTROYED";
    this.#owner.broken(gone ? undefined : new CommandError(`cannot write the results: ${wordsOf(error)}`));
  }
}
