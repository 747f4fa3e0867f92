/**
 * Writes results to stdout in large pieces: a write for each line would cost more than most jobs. Nothing is kept back
 * longer than a person would notice, and the run waits until the reader has taken what was written. What a result looks
 * like is outcome.ts, how bytes get out is output.ts.
 */
import { describeError } from "../../core/describe-error.ts";
import type { ByteBudget } from "../../core/job/byte-budget.ts";
import { heldPayloadBytes } from "../../core/job/held-bytes.ts";
import { CommandError } from "../terminal/errors.ts";
import { isReaderGone, type Output, type Written } from "../terminal/output.ts";

const ENOUGH = 128 * 1_024; // bytes held that make a write worth it
const LINGER = 4; // ms to wait for more

/** Told of what happens to the output. */
export interface WriterOwner {
  /** Something is about to be written. */
  writing(): void;
  /** These receipts' results are with the kernel, whole; the receipts are in the order of the results. */
  written(receipts: string): void;
  /** The output failed, or (`undefined`) its reader has had enough. Called once; nothing is written after it. */
  broken(fault: CommandError | undefined): void;
}

/** Results that are written together. */
class Batch {
  readonly #results: (string | Uint8Array)[] = [];
  readonly #ends: string[] = [];
  readonly #receipts: string[] = [];
  /** What it holds of the budget. */
  bytes = 0;

  /** Adds a result, and tells the bytes it holds. */
  add(result: string | Uint8Array, end: string, receipt: string): number {
    this.#results.push(result);
    this.#ends.push(end);
    this.#receipts.push(receipt);
    const bytes = heldPayloadBytes(result) + heldPayloadBytes(end) + heldPayloadBytes(receipt);
    this.bytes += bytes;
    return bytes;
  }

  /** Everything to be written, texts joined. */
  parts(): Uint8Array[] {
    const parts: Uint8Array[] = [];
    let text = "";
    this.#results.forEach((result, place) => {
      if (typeof result === "string") {
        text += result;
      } else {
        if (text !== "") parts.push(Buffer.from(text));
        parts.push(result);
        text = "";
      }
      text += this.#ends[place] ?? "";
    });
    if (text !== "") parts.push(Buffer.from(text));
    return parts.filter((part) => part.length > 0);
  }

  /** The receipts of those results that are whole once so many bytes are written. */
  receipts({ bytes, error }: Written): string {
    if (error === undefined) return this.#receipts.join("");
    let left = bytes;
    const broken = this.#results.findIndex((result, place) => {
      left -= Buffer.byteLength(result) + Buffer.byteLength(this.#ends[place] ?? "");
      return left < 0;
    });
    return this.#receipts.slice(0, broken < 0 ? undefined : broken).join("");
  }
}

/** Collects results and writes them. */
export class ResultWriter {
  readonly #output: Output;
  readonly #owner: WriterOwner;
  readonly #budget: ByteBudget;
  #batch = new Batch();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<Written> | undefined;
  #broken = false;

  /** @param budget - What results are held against until the kernel has them. */
  constructor(output: Output, owner: WriterOwner, budget: ByteBudget) {
    this.#output = output;
    this.#owner = owner;
    this.#budget = budget;
    output.onError((error) => this.#fail(error));
  }

  /** Takes a result, written with what ends it; `receipt` comes back once it is with the kernel. Await what is returned. */
  put(result: string | Uint8Array, end: string, receipt: string): Promise<void> | undefined {
    if (this.#broken) return undefined;
    this.#budget.hold(this.#batch.add(result, end, receipt));
    if (this.#batch.bytes >= ENOUGH) return this.flush();
    this.#timer ??= setTimeout(() => void this.flush(), LINGER);
    return undefined;
  }

  /** Writes what there is. Resolves once the kernel has all of it, or nobody wants it any more. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#writing !== undefined) await this.#writing;
    const batch = this.#batch;
    if (batch.bytes === 0 || this.#broken) return;
    this.#batch = new Batch();
    const written = await this.#write(batch.parts());
    this.#budget.release(batch.bytes);
    if (written.error !== undefined) this.#fail(written.error);
    // Also after a failure: what is in the file whole is not to be run again.
    this.#owner.written(batch.receipts(written));
  }

  async #write(parts: readonly Uint8Array[]): Promise<Written> {
    if (parts.length === 0) return { bytes: 0 };
    this.#owner.writing();
    this.#writing = this.#output.write(parts);
    const written = await this.#writing;
    this.#writing = undefined;
    return written;
  }

  #fail(error: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    const fault = isReaderGone(error)
      ? undefined
      : new CommandError(`cannot write the results: ${describeError(error)}`);
    this.#owner.broken(fault);
  }
}
