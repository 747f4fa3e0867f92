/** What the runner's conformance cases let every worker do. Imports types alone, so that any kind of worker can load it. */
import type { Handler, JobContext, Payload } from "../../index.ts";

/** No payload; what a handler in plain JavaScript may well return. */
const NOT_A_PAYLOAD: unknown = 5;

/** Streams of this worker by their keys: items given, and generators that have ended. */
const given = new Map<string, number>();
const closed = new Map<string, number>();

async function* count(key: string, items: number, bytes: number): AsyncGenerator<string, string> {
  try {
    for (let n = 0; n < items; n++) {
      given.set(key, n + 1);
      yield `${n}`.padEnd(bytes, ".");
    }
    return `gave ${items}`;
  } finally {
    closed.set(key, (closed.get(key) ?? 0) + 1);
  }
}

/** Reads what goes into the job: all of it, or up to so many items, which it says when it is asked. */
async function readInput(text: string, { input, signal }: JobContext): Promise<string> {
  const [key = "", limit = "Infinity"] = text.split(" ");
  const most = Number(limit);
  let bytes = 0;
  for (let n = 0; n < most; n++) {
    given.set(key, n);
    const step = await input?.next();
    if (step?.done !== false) return `read ${n} items of ${bytes} bytes`;
    if (Number.parseInt(String(step.value), 10) !== n)
      return `read ${String(step.value).slice(0, 20)} in place of ${n}`;
    bytes += step.value.length;
  }
  given.set(key, most);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve("aborted")));
}

async function* echo(key: string, { input, delivered, attempt }: JobContext): AsyncGenerator<Payload, string> {
  let n = 0;
  for await (const item of input ?? []) {
    if (n++ < delivered) continue;
    yield item;
    if (key === "breaks" && n % 10 === 0 && attempt < 3)
      throw Object.assign(new Error("broken off"), { retryable: true });
  }
  return `gave ${n}`;
}

/**
 * The handler of every worker in a fleet that is held to the runner's conformance cases. Where workers load a module by its name, that
 * module is one line: `export { conformanceHandler as default } from "powerhose/testing"`.
 */
export const conformanceHandler: Handler = (job, context) => {
  if (typeof job.data !== "string") return job.data.toReversed();
  const [command, text = ""] = job.data.split(/:(.*)/s);
  switch (command) {
    case "upper":
      return text.toUpperCase();
    case "fail":
      throw Object.assign(new RangeError(text), { code: "E_LAW" });
    case "flaky":
      if (context.attempt < Number(text)) throw Object.assign(new Error("not yet"), { retryable: true });
      return `attempt ${context.attempt}`;
    case "hang":
      return new Promise((resolve) => context.signal.addEventListener("abort", () => resolve("aborted")));
    case "who":
      return context.identity;
    case "headers":
      return JSON.stringify([...job.headers]);
    case "fill":
      return "x".repeat(Number(text));
    case "count": {
      const [key = "", items, bytes] = text.split(" ");
      return count(key, Number(items), Number(bytes));
    }
    case "read":
      return readInput(text, context);
    case "echo":
      return echo(text, context);
    case "given":
      return String(given.get(text));
    case "closed":
      return String(closed.get(text));
    case "report":
      for (let n = 1; n <= Number(text); n++) context.progress(`${n} of ${text}`);
      return `reported ${context.wantsProgress}`;
    case "wrong":
      return NOT_A_PAYLOAD as Payload;
    default:
      return job.data;
  }
};
