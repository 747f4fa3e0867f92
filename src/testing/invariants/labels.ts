/** Which jobs ask for which labels, and which workers have them, as the frames tell. Judges nothing. */
import type { CallOptions } from "../../core/execute-options.ts";
import type { WireConnection } from "./wire.ts";

/** Whether all labels that are asked for are among those a worker has. */
export function hasAll(labels: readonly string[] | undefined, require: readonly string[]): boolean {
  return require.every((label) => labels?.includes(label) === true);
}

/** Whether a worker has the labels a job asks for. Of a job that `execute` did not take in nobody knows them: any will do. */
export function fitsWire({ hello }: WireConnection, options: CallOptions | undefined): boolean {
  return hasAll(hello?.labels, options?.require ?? []);
}

/** The same for all jobs that wait in the same line. */
export function lineOf({ require }: CallOptions): string {
  return [...new Set(require)].sort().join(" ");
}
