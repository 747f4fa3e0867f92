import { Writable } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ByteBudget } from "../../../src/core/job/byte-budget.ts";
import type { CommandError } from "../../../src/cli/terminal/errors.ts";
import { FileOutput, type Output, StreamOutput, type Written } from "../../../src/cli/terminal/output.ts";
import { ResultWriter } from "../../../src/cli/run/results.ts";

/** A descriptor that takes what the script says: so many bytes, or a code to fail with. Then it takes all. */
class ScriptedFile {
  taken = "";
  calls = 0;
  readonly #script: (number | string)[];

  constructor(...script: readonly (number | string)[]) {
    this.#script = [...script];
  }

  readonly write = (_fd: number, bytes: Uint8Array, offset: number): Promise<number> => {
    this.calls++;
    const step = this.#script.shift() ?? bytes.length;
    if (typeof step === "string") return Promise.reject(Object.assign(new Error(`${step}: told so`), { code: step }));
    const count = Math.min(step, bytes.length - offset);
    this.taken += Buffer.from(bytes.subarray(offset, offset + count)).toString("latin1");
    return Promise.resolve(count);
  };
}

function parts(...texts: readonly string[]): Uint8Array[] {
  return texts.map((text) => Buffer.from(text));
}

test("a short write is carried on, whatever its size", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 })), fc.array(fc.string()), async (script, texts) => {
      const file = new ScriptedFile(...script);
      const written = await new FileOutput(1, file.write).write(parts(...texts));
      const whole = Buffer.from(texts.join("")).toString("latin1");
      expect([file.taken, written.error]).toEqual([whole, undefined]);
      expect(written.bytes).toBe(whole.length);
    }),
  );
});

test("a full output tells how many bytes it took before, and why it took no more", async () => {
  for (const code of ["ENOSPC", "EDQUOT", "EFBIG", "EIO"]) {
    const file = new ScriptedFile(3, 2, code);
    const { bytes, error } = await new FileOutput(1, file.write).write(parts("abcd", "efgh"));
    // 3 of "abcd", then 2 at most of what is left of it.
    expect([bytes, file.taken, String(error)]).toEqual([4, "abcd", `Error: ${code}: told so`]);
  }
});

test("an interrupted write and one that has to wait are tried again", async () => {
  const file = new ScriptedFile("EINTR", 2, "EAGAIN", "EAGAIN", 1, "EINTR");
  expect(await new FileOutput(1, file.write).write(parts("abcde"))).toEqual({ bytes: 5 });
  expect([file.taken, file.calls]).toEqual(["abcde", 7]);
});

test("an output that takes nothing and gives no reason is a fault, not an endless loop", async () => {
  const file = new ScriptedFile(2, 0);
  const { bytes, error } = await new FileOutput(1, file.write).write(parts("abc"));
  expect([bytes, String(error)]).toEqual([2, "Error: the output takes no more bytes"]);
});

test("nothing to write is written at once", async () => {
  expect(await new FileOutput(1, new ScriptedFile().write).write([])).toEqual({ bytes: 0 });
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  expect(await new StreamOutput(sink).write([])).toEqual({ bytes: 0 });
});

test("a stream tells that it took all, that it failed, or that it was closed before it could", async () => {
  const taken: string[] = [];
  const good = new Writable({
    write(chunk: Buffer, _encoding, done) {
      taken.push(chunk.toString());
      done();
    },
  });
  expect(await new StreamOutput(good).write(parts("ab", "c"))).toEqual({ bytes: 3 });
  expect(taken.join("")).toBe("abc");

  const bad = new StreamOutput(new Writable({ write: (_chunk, _encoding, done) => done(new Error("EPIPE")) }));
  const told: string[] = [];
  bad.onError((error) => told.push(String(error)));
  expect(await bad.write(parts("ab", "c"))).toMatchObject({ bytes: 0, error: new Error("EPIPE") });
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual(["Error: EPIPE"]);

  const silent = new Writable({ write: () => undefined });
  const writing = new StreamOutput(silent).write(parts("ab"));
  silent.destroy();
  expect((await writing).error).toBeDefined();
});

interface Rig {
  readonly writer: ResultWriter;
  readonly budget: ByteBudget;
  readonly told: string[];
}

/** A writer to a file that follows a script; tells receipts and the end. */
function rig(output: Output): Rig {
  const budget = new ByteBudget(1_000_000);
  const told: string[] = [];
  const owner = {
    onWrite: () => undefined,
    onWritten: (logRecords: string) => told.push(logRecords),
    onOutputClosed: (fault: CommandError | undefined) =>
      told.push(fault === undefined ? "unread" : `fault: ${fault.message}`),
  };
  return { writer: new ResultWriter(output, owner, budget), budget, told };
}

test("bytes are held until the output has them, and receipts come back with them", async () => {
  let take: (written: Written) => void = () => undefined;
  const { writer, budget, told } = rig({
    write: () => new Promise((resolve) => (take = resolve)),
    onError: () => undefined,
  });
  void writer.put("ab", "\n", "1;");
  void writer.put(new Uint8Array(3), "\n", "2;");
  const flushed = writer.flush();
  expect([budget.held, told]).toEqual([19, []]);
  take({ bytes: 7 });
  await flushed;
  expect([budget.held, told]).toEqual([0, ["1;2;"]]);
});

test("of a write that fails, the results that are whole have their receipts, and nothing is written after it", async () => {
  const results: readonly (string | Uint8Array)[] = ["äb", new Uint8Array([1, 2]), "", "€"];
  const ends = [4, 7, 8, 12]; // bytes, each with its newline
  for (let room = 0; room <= 12; room++) {
    const file = new ScriptedFile(...Array.from({ length: room }, () => 1), "ENOSPC");
    const { writer, told } = rig(new FileOutput(1, file.write));
    for (const [place, result] of results.entries()) void writer.put(result, "\n", `${place};`);
    await writer.flush();
    const whole = ends.filter((end) => end <= room).map((_end, place) => `${place};`);
    const fault = "fault: cannot write the results: ENOSPC: told so";
    expect(told, `${room} bytes`).toEqual(room === 12 ? [whole.join("")] : [fault, whole.join("")]);
    if (room === 12) continue;
    const calls = file.calls;
    void writer.put("more", "\n", "5;");
    await writer.flush();
    expect([told.length, file.calls]).toEqual([2, calls]);
  }
});

test("a pipe without a reader is no fault", async () => {
  const { writer, told } = rig(new FileOutput(1, new ScriptedFile("EPIPE").write));
  void writer.put("ab", "\n", "1;");
  await writer.flush();
  expect(told).toEqual(["unread", ""]);
});
