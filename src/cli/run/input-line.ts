/** One line on its way: from when it is read until its result is written. What becomes of it is noted by pipeline.ts. */
import type { AttemptRecord, Payload } from "../../index.ts";

const NONE: readonly AttemptRecord[] = Object.freeze([]);

/** A line and what has become of it: one object for all of it, as lines are many and small. */
export class InputLine {
  /** Its place among all lines, from 0. */
  readonly index: number;
  /** Where it was read. */
  readonly input: string;
  /** Its place in that input, from 1. */
  readonly line: number;
  /** Its text; empty when it is no job. */
  readonly text: string;
  /** Why it cannot be a job, if it cannot. */
  readonly fault: string | undefined;
  /** Whether it is known what became of it. */
  settled = false;
  /** The handler's result, or nothing when it failed. */
  value: Payload | undefined = undefined;
  /** What it failed with, if it was a job. */
  error: unknown = undefined;
  /** What was tried. */
  attempts: readonly AttemptRecord[] = NONE;
  /** What it holds of the byte budget: its text, and its outcome once that is known. */
  bytes = 0;

  constructor(index: number, input: string, line: number, text: string, fault: string | undefined) {
    this.index = index;
    this.input = input;
    this.line = line;
    this.text = text;
    this.fault = fault;
  }
}
