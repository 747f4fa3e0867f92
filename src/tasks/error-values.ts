/**
 * The fields of what a typed task has thrown, and of the errors within it, as one value of the task's codec: a list of records.
 * In the place of its `fields` each error has the number of its record.
 */
import { MAX_ERROR_VALUES } from "../core/protocol/constants.ts";
import { dropField, type ErrorFields, type FieldValues } from "../core/worker/error-fields.ts";
import type { ValueCodec } from "./value/value-codec.ts";

/** One field, and what it takes by itself. */
interface Told {
  readonly error: ErrorFields;
  readonly record: Map<string, unknown>;
  readonly key: string;
  readonly bytes: number;
}

/** Collects the fields, in the order of the errors. */
export class ErrorValues implements FieldValues {
  readonly #codec: ValueCodec;
  readonly #records: Map<string, unknown>[] = [];
  readonly #told: Told[] = [];

  constructor(codec: ValueCodec) {
    this.#codec = codec;
  }

  /** Adds a field to those of `error`. False: the codec does not carry it, or it is larger than all together may be. */
  add(error: ErrorFields, key: string, value: unknown): boolean {
    const bytes = this.#sizeOf(key, value);
    if (bytes > MAX_ERROR_VALUES) return false;
    if (typeof error.fields !== "number") error.fields = this.#records.push(new Map()) - 1;
    const record = this.#records[error.fields];
    record?.set(key, value);
    if (record !== undefined) this.#told.push({ error, record, key, bytes });
    return true;
  }

  /** Returns all fields, without the largest if they are too large together. */
  encode(): Uint8Array | undefined {
    const told = this.#told.toSorted((a, b) => a.bytes - b.bytes);
    while (told.length > 0) {
      const bytes = this.#bytesOf(this.#records.map((record) => Object.fromEntries(record)));
      const size = bytes?.length ?? Number.POSITIVE_INFINITY;
      if (size <= MAX_ERROR_VALUES) return bytes;
      for (let over = size - MAX_ERROR_VALUES; over > 0 && told.length > 0;) over -= drop(told.pop());
    }
    return undefined;
  }

  /** As deep as it stands among the others. */
  #sizeOf(key: string, value: unknown): number {
    return this.#bytesOf([{ [key]: value }])?.length ?? Number.POSITIVE_INFINITY;
  }

  #bytesOf(records: readonly unknown[]): Uint8Array | undefined {
    try {
      return this.#codec.encode(records, "error");
    } catch {
      return undefined;
    }
  }
}

/** Takes a field back, and returns what that saves at most. */
function drop(told: Told | undefined): number {
  if (told === undefined) return Number.POSITIVE_INFINITY;
  told.record.delete(told.key);
  dropField(told.error, told.key);
  return told.bytes;
}
