/** The fields of errors as they travel: as JSON, or of a typed task as values. How those are made is in tasks/error-values.ts. */
import { TEXT_BYTES } from "../protocol/constants.ts";

/** The fields of one error. */
export interface ErrorFields {
  /** Its own enumerable fields that have a JSON form; of a typed task the number of their record. */
  fields?: Record<string, unknown> | number;
  /** The names of those that cannot be told, or are too large. */
  dropped?: string[];
}

/** Makes one value of the fields of an error and of those within it. */
export interface FieldValues {
  /** Adds a field to those of `error`. False: it cannot be told. */
  add(error: ErrorFields, key: string, value: unknown): boolean;
  /** Returns all of them, without those that there is no room for, or nothing. Called once. */
  encode(): Uint8Array | undefined;
}

/** The most names of fields that are told of those that cannot be. */
const MAX_DROPPED = 16;

/** Says that an error has a field that is not told. */
export function dropField(error: ErrorFields, key: string): void {
  const dropped = (error.dropped ??= []);
  if (dropped.length < MAX_DROPPED) dropped.push(key.slice(0, TEXT_BYTES.code));
}
