/** The types of tasks and of their callers, row by row: the compiler reads this file, and nothing of `callers` runs. */
import { expect, expectTypeOf, it } from "vitest";
import { type Client, client, type Schema, task, type TaskContext, type Tasks, tasks } from "../../src/tasks/index.ts";
import type { InputSource } from "../../src/core/job/input-source.ts";
import type { Outcome } from "../../src/core/dispatch/map.ts";

interface Picture {
  readonly pixels: Uint8Array;
  readonly at?: Date;
}

interface Money {
  readonly cents: bigint;
}

declare const amount: Schema<string | number, number>;
declare const twice: Promise<Promise<Date>>;

function overloaded(input: string): string;
function overloaded(input: number): number;
function overloaded(input: string | number): string | number {
  return input;
}

function generic<T>(input: T): T {
  return input;
}

function callers(): void {
  const made = tasks({
    // The context has its type without an annotation.
    context: (_input: string, context) => context.signal.aborted && context.headers.size > context.attempt,
    none: () => "pong" as const,
    optional: (input?: Picture) => input?.at,
    values: (input: Map<string, Set<bigint>>) => input,
    // A promise of a promise is one promise.
    nested: (_input: number) => twice,
    checked: task({ input: amount }, (value) => value.toFixed(2)),
    later: task({ input: amount }, async (value, { jobId }) => [value, jobId] as const),
    fails: (): never => {
      throw new Error("never");
    },
    async *stream(upTo: number) {
      for (let n = 0; n < upTo; n++) yield new Date(n);
      return { done: true };
    },
    overloaded,
    generic,
    // Beside its input: a stream of rows.
    grep: async function* ({ word }: { word: string }, { input: lines }: TaskContext<string>) {
      for await (const line of lines) if (line.includes(word)) yield line.length;
    },
    sum: async (_input: undefined, { input }: TaskContext<bigint | number>) => {
      let sum = 0n;
      for await (const row of input) sum += BigInt(row);
      return sum;
    },
    checkedRows: task(
      { input: amount },
      async (value, { input }: TaskContext<Date>) => [value, await input.next()] as const,
    ),
  });
  const api: Client<typeof made> = client<typeof made>({ execute: async () => "" });

  expectTypeOf<ReturnType<typeof api.context>>().toEqualTypeOf<Promise<boolean>>();
  expectTypeOf<ReturnType<typeof api.none>>().toEqualTypeOf<Promise<"pong">>();
  expectTypeOf<ReturnType<typeof api.optional>>().toEqualTypeOf<Promise<Date | undefined>>();
  expectTypeOf<Parameters<typeof api.values>[0]>().toEqualTypeOf<Map<string, Set<bigint>>>();
  expectTypeOf<ReturnType<typeof api.values>>().toEqualTypeOf<Promise<Map<string, Set<bigint>>>>();
  expectTypeOf<ReturnType<typeof api.nested>>().toEqualTypeOf<Promise<Date>>();
  // Rows are an option that cannot be left out, and what is no row is an error.
  expectTypeOf<Parameters<typeof api.grep>[1]["input"]>().toEqualTypeOf<InputSource<string>>();
  expectTypeOf<ReturnType<typeof api.sum>>().toEqualTypeOf<Promise<bigint>>();
  void api.grep({ word: "x" }, { input: ["a"], timeout: 5 });
  void api.sum(undefined, { input: () => new Set([1, 2n]) });
  void api.checkedRows("5", { input: [new Date(0)] });
  // @ts-expect-error: the rows are missing
  void api.grep({ word: "x" });
  // @ts-expect-error: and a row of another type
  void api.grep({ word: "x" }, { input: [1] });
  // @ts-expect-error: a task that reads none takes none
  void api.none(undefined, { input: [1] });
  // @ts-expect-error: many calls have no rows
  void api.sum.map([undefined]);
  // Callers give what a schema takes, and the function gets what it makes of it.
  expectTypeOf<Parameters<typeof api.checked>[0]>().toEqualTypeOf<string | number>();
  expectTypeOf<ReturnType<typeof api.checked>>().toEqualTypeOf<Promise<string>>();
  expectTypeOf<ReturnType<typeof api.later>>().toEqualTypeOf<Promise<readonly [number, string]>>();
  expectTypeOf<ReturnType<typeof api.fails>>().toEqualTypeOf<Promise<never>>();
  // Overloads keep the last, and a type parameter is unknown.
  expectTypeOf<Parameters<typeof api.overloaded>[0]>().toEqualTypeOf<number>();
  expectTypeOf<ReturnType<typeof api.generic>>().toEqualTypeOf<Promise<unknown>>();

  void api.none();
  void api.optional();
  void api.optional({ pixels: new Uint8Array() }, { timeout: 1 });
  const { none, nested } = api;
  void none();
  void nested(1).then((date) => date.getTime());
  void (api.nested.map([1, 2]) satisfies AsyncGenerator<Outcome<number, Date>>);
  void (async (): Promise<void> => {
    for await (const date of api.stream(3)) date.getTime();
    const stream = await api.stream(3);
    for await (const date of stream) date.getTime();
  })();

  // @ts-expect-error an unknown task
  void api.missing();
  // @ts-expect-error a missing input
  void api.values();
  // @ts-expect-error a wrong input
  void api.values(new Map([["a", new Set([1])]]));
  // @ts-expect-error what the schema does not take
  void api.checked(true);
  // @ts-expect-error an unknown option
  void api.none(undefined, { timeOut: 1 });
  // @ts-expect-error an option of another kind
  void api.none(undefined, { timeout: "1" });
  // @ts-expect-error an item that is no input
  void api.nested.map(["1"]);
  // @ts-expect-error a stream has no outcomes
  void api.stream.map([1]);
  void (async (): Promise<void> => {
    // @ts-expect-error items have their type
    for await (const date of api.stream(3)) date.toFixed();
  })();
  // @ts-expect-error the context has no such field
  tasks({ wrong: (_input: string, { signals }) => signals });
  // @ts-expect-error two inputs
  tasks({ wrong: (_one: string, _two: string) => 1 });
  // @ts-expect-error a schema's function gets what the schema makes
  task({ input: amount }, (value: string) => value);

  // An interface that is written down, for a worker in another language.
  interface Vision {
    detect(input: { image: Uint8Array }): Promise<{ label: string }[]>;
    price(input: Money): Money;
    watch(input: { camera: string }): AsyncIterable<{ at: Date }>;
  }
  const vision = client<Vision>({ execute: async () => "" });
  expectTypeOf<ReturnType<typeof vision.detect>>().toEqualTypeOf<Promise<{ label: string }[]>>();
  expectTypeOf<ReturnType<typeof vision.price>>().toEqualTypeOf<Promise<Money>>();
  void (async (): Promise<void> => {
    for await (const { at } of vision.watch({ camera: "1" })) at.getTime();
  })();
  // @ts-expect-error a wrong input
  void vision.detect({ image: "png" });

  // A declared type, as `isolatedDeclarations` asks for one of what is exported.
  interface Images {
    readonly invert: (input: Picture, context: TaskContext) => Picture;
  }
  const images: Tasks<Images> = tasks({ invert: ({ pixels }: Picture): Picture => ({ pixels }) });
  void (client<typeof images>({ execute: async () => "" }).invert({
    pixels: new Uint8Array(),
  }) satisfies Promise<Picture>);

  // A namespace of functions is a record, too.
  const namespace = tasks({ overloaded, generic } as const);
  void client<typeof namespace>({ execute: async () => "" }).overloaded(1);
}

it("are the handler's", () => {
  expect(callers).toBeInstanceOf(Function);
});
