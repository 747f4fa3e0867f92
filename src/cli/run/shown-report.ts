/** The report of progress that the bar shows: that of one job until it has settled, as those of all would flicker. */
import type { InputLine } from "./input.ts";

/** The latest report of one job. */
export class ShownReport {
  #line: InputLine | undefined;
  #report = "";

  /** A job says how far it is. */
  onReport(line: InputLine, report: string): void {
    if (line.settled || (this.#line !== line && this.#line?.settled === false)) return;
    this.#line = line;
    this.#report = report;
  }

  /** The report, after the place of its line in the input; nothing when its job has settled. */
  get text(): string | undefined {
    const line = this.#line;
    return line === undefined || line.settled ? undefined : `line ${line.line}: ${this.#report}`;
  }
}
