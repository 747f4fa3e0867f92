/** Buffers that are given away, and shared memory, over every transport: what is copied, what is gone, and what is refused. */
import { describe, expect, expectTypeOf, it } from "vitest";
import { EncodingError, ExecutionError, WorkerLostError } from "../../src/core/errors.ts";
import { Job } from "../../src/core/job/job.ts";
import type { JobRelay } from "../../src/core/worker/job-relay.ts";
import { relay } from "../../src/core/relay.ts";
import { JobRunner } from "../../src/core/runner/runner.ts";
import type { RunnerOptions } from "../../src/core/runner/runner-options.ts";
import type { Handler } from "../../src/core/worker/execution.ts";
import { withTasks } from "../../src/core/worker/handler-lifecycle.ts";
import { Worker } from "../../src/core/worker/worker.ts";
import { cbor, type Client, client, task, tasks, transfer, type ValueCodec } from "../../src/tasks/index.ts";
import type { Harness } from "../../src/testing/conformance/harness.ts";
import { transports } from "../conformance/harnesses.ts";
import { countFrames, type FrameCounts } from "../support/count-frames.ts";

const MIB = 1_048_576;
const HANDS_OVER = new Set(["memory", "message-port"]);

/** What the handlers had, to look at afterwards. */
let kept: Uint8Array[] = [];
let failures = 0;

function filled(length: number, byte = 7): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(byte);
}

const images = tasks({
  make: (length: number) => {
    const image = filled(length);
    kept = [image];
    return transfer({ image, again: image, width: 1 });
  },
  named: ({ length, names }: { length: number; names: boolean }) => {
    kept = [filled(length), filled(length)];
    return transfer(kept, names ? kept.slice(1).map(({ buffer }) => buffer as ArrayBuffer) : undefined);
  },
  wrong: () => transfer({ image: filled(MIB), run: () => 1 }),
  foreign: () => transfer(1, [new ArrayBuffer(8)]),
  part: () => {
    kept = [filled(MIB).subarray(0, MIB / 2), Buffer.from("of a pool"), filled(100)];
    return transfer(kept);
  },
  memory: () => transfer(new Uint8Array(new WebAssembly.Memory({ initial: 2 }).buffer)),
  async *pages(count: number) {
    kept = [];
    for (let i = 0; i < count; i++) {
      const page = filled(MIB / 4, i);
      kept.push(page);
      yield transfer({ i, page });
    }
    return transfer(filled(MIB / 4, 99));
  },
  size: ({ image }: { image: Uint8Array }) => {
    kept = [image];
    return [image.length, image[0], image.at(-1)];
  },
  back: ({ image }: { image: Uint8Array }) => transfer(image.fill(9)),
  add: ({ cells }: { cells: Int32Array }) => {
    kept = [new Uint8Array(cells.buffer)];
    Atomics.add(cells, 0, 5);
    return cells.length;
  },
  share: () => {
    const shared = new Int32Array(new SharedArrayBuffer(16), 4, 2);
    shared[0] = 42;
    return { inner: [shared] };
  },
  flaky: ({ cells }: { cells: Int32Array }) => {
    if (failures-- > 0) throw Object.assign(new Error("not yet"), { retryable: true });
    return Atomics.load(cells, 0);
  },
  hang: (_input: unknown, { signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
  checked: task({ input: { "~standard": { version: 1, vendor: "x", validate: (value) => ({ value }) } } }, () =>
    transfer(filled(10)),
  ),
});

interface Setting extends AsyncDisposable {
  readonly harness: Harness;
  readonly runner: JobRunner;
  readonly worker: Worker;
  readonly api: Client<typeof images>;
  readonly counts: FrameCounts;
}

async function setting(
  make: () => Promise<Harness>,
  { handler = images, ...options }: Partial<RunnerOptions> & { handler?: Handler | JobRelay } = {},
): Promise<Setting> {
  const harness = await make();
  const { clock } = harness;
  const { listener, counts } = countFrames(harness.listener);
  const runner = new JobRunner({ listen: listener, clock, ...options });
  await harness.settle(runner.start());
  const worker = new Worker({ dial: harness.dialer(), handler, clock, maxPayload: options.maxPayload });
  await harness.settle(worker.start());
  return {
    harness,
    runner,
    worker,
    counts,
    api: client<typeof images>(runner),
    [Symbol.asyncDispose]: async () => {
      await harness.settle(worker.stop());
      await harness.settle(runner.stop());
      await harness[Symbol.asyncDispose]();
    },
  };
}

function lengths(): number[] {
  return kept.map(({ byteLength }) => byteLength);
}

describe.each(transports)("over $name", ({ name, make }) => {
  const handsOver = HANDS_OVER.has(name);

  it("a result's large buffers are given away, and its bytes copied only where they have to be", async () => {
    await using set = await setting(make, { maxPayload: 3 * MIB });
    const { image, again, width } = await set.harness.settle(set.api.make(MIB));
    expect([image.length, image[5], again.length, again[5], width]).toEqual([MIB, 7, MIB, 7, 1]);
    expect(lengths()).toEqual([0]);
    // The second time it is met it is copied.
    expect(Math.round(set.counts.received / MIB)).toBe(handsOver ? 1 : 2);
    expect(set.counts.attachments).toBe(handsOver ? 1 : 0);
  });

  it("named buffers alone are given away", async () => {
    await using set = await setting(make, { maxPayload: 3 * MIB });
    const both = await set.harness.settle(set.api.named({ length: MIB, names: true }));
    expect(both.map(({ length }) => length)).toEqual([MIB, MIB]);
    expect(lengths()).toEqual([MIB, 0]);
    await set.harness.settle(set.api.named({ length: MIB, names: false }));
    expect(lengths()).toEqual([0, 0]);
    expect(set.counts.attachments).toBe(handsOver ? 3 : 0);
  });

  it("what lies in part of a buffer, in a pool or in the memory of WebAssembly is copied, and stays", async () => {
    await using set = await setting(make);
    const [half, pooled, small] = await set.harness.settle(set.api.part());
    expect([half?.length, half?.[0], small?.length]).toEqual([MIB / 2, 7, 100]);
    expect(new TextDecoder().decode(pooled)).toBe("of a pool");
    expect(lengths()).toEqual([MIB / 2, 9, 100]);
    expect((await set.harness.settle(set.api.memory())).length).toBe(131_072);
  });

  it("a result that cannot be carried, or a buffer that is not its, fails the job, and nothing is taken", async () => {
    await using set = await setting(make);
    await expect(set.harness.settle(set.api.wrong())).rejects.toThrow("at result.run: a function");
    const error: unknown = await set.harness.settle(set.api.foreign()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ExecutionError);
    expect((error as Error).message).toContain("the buffer at [0] is not part of the value");
    expect(await set.harness.settle(set.api.size({ image: filled(3) }))).toEqual([3, 7, 7]);
  });

  it("items and the end of a stream are given away", async () => {
    await using set = await setting(make);
    const read = async (): Promise<unknown[]> => {
      const seen: unknown[] = [];
      const stream = await set.api.pages(5);
      for (;;) {
        const { done, value } = await stream.next();
        if (done === true) return [...seen, value?.length, value?.[0]];
        seen.push([value.i, value.page.length, value.page[0]]);
      }
    };
    const pages = [0, 1, 2, 3, 4].map((i) => [i, MIB / 4, i]);
    expect(await set.harness.settle(read())).toEqual([...pages, MIB / 4, 99]);
    expect(lengths()).toEqual([0, 0, 0, 0, 0]);
    expect(set.counts.attachments).toBe(handsOver ? 6 : 0);
  });

  it("an input's named buffers are gone with the call, and go there and back", async () => {
    await using set = await setting(make, { maxPayload: 3 * MIB });
    const image = filled(2 * MIB, 3);
    const call = set.api.back({ image }, { transfer: [image.buffer] });
    expect(image.byteLength).toBe(0);
    const back = await set.harness.settle(call);
    expect([back.length, back[0], back.at(-1)]).toEqual([2 * MIB, 9, 9]);
    const { sent, received, attachments } = set.counts;
    expect([sent > 2 * MIB, received > 2 * MIB, attachments]).toEqual([!handsOver, !handsOver, handsOver ? 2 : 0]);
  });

  it("buffers that stand apart are bounded by maxAttachments, others by maxPayload", async () => {
    await using set = await setting(make, { maxAttachments: 2 * MIB });
    const image = filled(2 * MIB);
    const call = set.harness.settle(set.api.size({ image }, { transfer: [image.buffer] }));
    const outcome = await call.catch((error: unknown) => error);
    expect(outcome instanceof EncodingError ? "refused" : outcome).toEqual(handsOver ? [2 * MIB, 7, 7] : "refused");
    const large = filled(3 * MIB);
    await expect(set.harness.settle(set.api.size({ image: large }, { transfer: [large.buffer] }))).rejects.toThrow(
      EncodingError,
    );
    await expect(set.harness.settle(set.api.make(3 * MIB))).rejects.toThrow(EncodingError);
    expect(await set.harness.settle(set.api.size({ image: filled(3) }))).toEqual([3, 7, 7]);
  });

  it("callers and handlers that know no holes get whole bytes", async () => {
    const echo = withTasks((job: Job) => job.data, { names: ["echo"] });
    await using set = await setting(make, { handler: echo, maxPayload: 2 * MIB });
    const image = filled(MIB);
    const api = client<{ echo(input: unknown): Promise<{ image: Uint8Array }> }>(set.runner);
    const back = await set.harness.settle(api.echo({ image }, { transfer: [image.buffer] }));
    expect([back.image.length, back.image[9]]).toEqual([MIB, 7]);
  });

  it("and so do `execute` and `open` of a runner; `map` of a task gives values", async () => {
    await using set = await setting(make, { maxPayload: 3 * MIB });
    const codec = cbor();
    const job = new Job(codec.encode(MIB)).forTask("make");
    const whole = codec.encode({ image: filled(MIB), again: filled(MIB), width: 1 });
    const executed = await set.harness.settle(set.runner.execute(job));
    expect(Buffer.compare(executed as Uint8Array, whole)).toBe(0);
    const opened = await set.harness.settle(set.runner.open(new Job(codec.encode(1)).forTask("pages")));
    if (typeof opened === "string" || !("next" in opened)) throw new Error("expected a stream");
    const { value } = await set.harness.settle(opened.next());
    expect(Buffer.compare(value as Uint8Array, codec.encode({ i: 0, page: filled(MIB / 4, 0) }))).toBe(0);
    await set.harness.settle(opened.return());
    const outcomes: unknown[] = [];
    const drain = async (): Promise<void> => {
      for await (const outcome of set.api.make.map([MIB, 10])) outcomes.push(outcome.ok && outcome.value.image.length);
    };
    await set.harness.settle(drain());
    expect(outcomes).toEqual([MIB, 10]);
  });
});

describe.each(transports.filter(({ name }) => HANDS_OVER.has(name)))("over $name", ({ make }) => {
  it("shared memory crosses by reference", async () => {
    await using set = await setting(make);
    const cells = new Int32Array(new SharedArrayBuffer(64), 8, 4);
    expect(await set.harness.settle(set.api.add({ cells }))).toBe(4);
    expect(cells[0]).toBe(5);
    const [shared] = (await set.harness.settle(set.api.share())).inner;
    expect([shared?.length, shared?.[0], shared?.buffer instanceof SharedArrayBuffer]).toEqual([2, 42, true]);
  });
});

describe.each(transports.filter(({ name }) => !HANDS_OVER.has(name)))("over $name", ({ make }) => {
  it("shared memory fails its job with the way to it, and nothing else", async () => {
    await using set = await setting(make);
    const cells = new Int32Array(new SharedArrayBuffer(64), 8, 4);
    const errorOf = (call: Promise<unknown>): Promise<unknown> =>
      set.harness.settle(call.catch((error: unknown) => error));
    const input = await errorOf(set.api.add({ cells }));
    expect(input).toBeInstanceOf(EncodingError);
    expect(String(input)).toContain("at input.cells: a SharedArrayBuffer crosses threads of one machine only");
    const result = await errorOf(set.api.share());
    expect(String(result)).toContain("at result.inner[0]: a SharedArrayBuffer crosses threads of one machine only");
    expect(await set.harness.settle(set.api.size({ image: filled(3) }))).toEqual([3, 7, 7]);
    expect(set.runner.stats().workers.length).toBe(1);
  });
});

describe("a relay", () => {
  const named = (name: string): (() => Promise<Harness>) => {
    const found = transports.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no transport ${name}`);
    return found.make;
  };

  it.each([
    // A payload whose holes were filled once is bytes from there on, and what is read of it part of a frame.
    ["memory", "memory", [2, 2]],
    ["memory", "simulated", [1, 0]],
    ["simulated", "memory", [0, 0]],
  ])("passes holes on, from %s to %s", async (outer, inner, attachments) => {
    await using fleet = await setting(named(inner), { maxPayload: 3 * MIB });
    await using set = await setting(named(outer), { maxPayload: 3 * MIB, handler: relay(fleet.runner) });
    const pass = async <T>(call: Promise<T>): Promise<T> => {
      const state = { isOver: false };
      const end = (): void => void (state.isOver = true);
      void call.then(end, end);
      while (!state.isOver) for (const { harness } of [set, fleet]) await harness.quiet();
      return call;
    };
    const image = filled(2 * MIB, 3);
    const back = await pass(set.api.back({ image }, { transfer: [image.buffer] }));
    expect([image.byteLength, back.length, back[0]]).toEqual([0, 2 * MIB, 9]);
    expect([set.counts.attachments, fleet.counts.attachments]).toEqual(attachments);
    const cells = new Int32Array(new SharedArrayBuffer(8));
    const shared = await pass(set.api.add({ cells }).catch((error: unknown) => error));
    const isShared = outer === "memory" && inner === "memory";
    expect(isShared ? Atomics.load(cells, 0) : (shared as Error).constructor).toBe(isShared ? 5 : EncodingError);
  });
});

describe("a call that gives buffers away", () => {
  const memory = transports[0];
  if (memory === undefined) throw new Error("no transport");

  it.each([
    ["attempts", { attempts: 2 }],
    ["verify", { verify: 2 }],
  ])("is refused with more than one run of `%s`", async (_what, options) => {
    await using set = await setting(memory.make);
    const image = filled(MIB);
    const call = set.api.size({ image }, { ...options, transfer: [image.buffer] });
    await expect(call).rejects.toThrow(TypeError);
    expect(image.byteLength).toBe(MIB);
  });

  it.each<[string, (image: Uint8Array<ArrayBuffer>) => unknown, string]>([
    ["a buffer that is there twice", (image) => [image.buffer, image.buffer], "twice"],
    ["a buffer that is not part of it", () => [new ArrayBuffer(8)], "not part of the value"],
    ["a view", (image) => [image], "give its `buffer`"],
    ["shared memory", () => [new SharedArrayBuffer(8)], "by reference"],
    ["text", () => ["x"], "a string"],
    ["no list", () => null, "expected a list"],
    ["a buffer that is detached", () => [detached()], "detached"],
  ])("is refused with %s, and nothing is taken", async (_what, listOf, words) => {
    await using set = await setting(memory.make);
    const image = filled(MIB);
    const error: unknown = await set.api
      .size({ image }, { transfer: listOf(image) as readonly ArrayBuffer[] })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain(words);
    expect(image.byteLength).toBe(MIB);
  });

  it("runs once where the defaults of the client or of the runner say `verify`", async () => {
    await using set = await setting(memory.make, { verify: 2 });
    for (const defaults of [{}, { verify: 3 }]) {
      const image = filled(MIB);
      const call = client<typeof images>(set.runner, defaults).size({ image }, { transfer: [image.buffer] });
      expect(await set.harness.settle(call)).toEqual([MIB, 7, 7]);
    }
  });

  it("takes no buffer for options that do not fit", async () => {
    await using set = await setting(memory.make);
    const image = filled(MIB);
    await expect(set.api.size({ image }, { timeout: -1, transfer: [image.buffer] })).rejects.toThrow(RangeError);
    expect(image.byteLength).toBe(MIB);
  });

  it("leaves a buffer of which it holds a part, and takes a small one that was named", async () => {
    await using set = await setting(memory.make);
    const whole = filled(MIB / 2);
    const call = set.api.size({ image: whole.subarray(1) }, { transfer: [whole.buffer] });
    expect(await set.harness.settle(call)).toEqual([MIB / 2 - 1, 7, 7]);
    expect(whole.byteLength).toBe(MIB / 2);
    const small = filled(10);
    await set.harness.settle(set.api.size({ image: small }, { transfer: [small.buffer] }));
    expect(small.byteLength).toBe(0);
  });

  it("has one attempt, whatever the defaults are, and is lost with its worker", async () => {
    await using set = await setting(memory.make, { attempts: 5 });
    const image = filled(MIB);
    const call = client<typeof images>(set.runner, { attempts: 4 }).hang({ image }, { transfer: [image.buffer] });
    const outcome = call.catch((error: unknown) => error);
    await set.harness.quiet();
    const another = new Worker({ dial: set.harness.dialer(), handler: images, clock: set.harness.clock });
    await set.harness.settle(another.start());
    await set.harness.settle(set.worker.stop());
    expect(await set.harness.settle(outcome)).toBeInstanceOf(WorkerLostError);
    await set.harness.settle(another.stop());
  });

  it("waits for a worker with its buffers", async () => {
    const harness = await memory.make();
    const runner = new JobRunner({ listen: harness.listener, clock: harness.clock });
    await harness.settle(runner.start());
    const image = filled(MIB);
    const call = client<typeof images>(runner).size({ image }, { transfer: [image.buffer] });
    expect([image.byteLength, runner.stats().queuedBytes >= MIB]).toEqual([0, true]);
    const worker = new Worker({ dial: harness.dialer(), handler: images, clock: harness.clock });
    await harness.settle(worker.start());
    expect(await harness.settle(call)).toEqual([MIB, 7, 7]);
    await harness.settle(worker.stop());
    await harness.settle(runner.stop());
    await harness[Symbol.asyncDispose]();
  });

  it("keeps its attempts when it shares memory", async () => {
    await using set = await setting(memory.make);
    failures = 2;
    const cells = new Int32Array(new SharedArrayBuffer(8)).fill(3);
    const [value] = await Promise.all([set.api.flaky({ cells }), set.harness.pass(10_000)]);
    expect(value).toBe(3);
  });

  it("takes what is named with a codec that knows no holes", async () => {
    const json: ValueCodec = {
      name: "json",
      encode: (value) => new TextEncoder().encode(JSON.stringify(value)),
      decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)) as unknown,
    };
    const handler = tasks({ echo: (input: unknown) => transfer(input) }, { codec: json });
    await using set = await setting(memory.make, { handler });
    const api = client<typeof handler>(set.runner, { codec: json });
    const { buffer } = filled(10);
    expect(await set.harness.settle(api.echo({ a: 1 }, { transfer: [buffer] }))).toEqual({ a: 1 });
    expect(buffer.byteLength).toBe(0);
  });

  it("says where `transfer(…)` does not belong", async () => {
    await using set = await setting(memory.make);
    await expect(set.api.size(transfer({ image: filled(3) }))).rejects.toThrow("in the option `transfer`");
  });
});

it("the type of a task that gives buffers away is that of its value", () => {
  type Images = Client<typeof images>;
  type Made = { image: Uint8Array<ArrayBuffer>; again: Uint8Array<ArrayBuffer>; width: number };
  expectTypeOf<Awaited<ReturnType<Images["make"]>>>().toEqualTypeOf<Made>();
  expectTypeOf<Awaited<ReturnType<Images["checked"]>>>().toEqualTypeOf<Uint8Array<ArrayBuffer>>();
});

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}
