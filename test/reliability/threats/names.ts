/** Names and texts that mean something to JavaScript, to UTF-8 or to a terminal. Rows T19, T23 and T24. */
import * as fc from "fast-check";
import { Terminal } from "../../../src/cli/terminal/terminal.ts";
import { type StatusReport, statusTable } from "../../../src/cli/status/report.ts";
import { ExecutionError } from "../../../src/core/errors.ts";
import { Job } from "../../../src/core/job/job.ts";
import type { Dialer } from "../../../src/core/transport/listener.ts";
import { JobRunner } from "../../../src/core/runner/runner.ts";
import type { RunnerOptions } from "../../../src/core/runner/runner-options.ts";
import { Worker } from "../../../src/core/worker/worker.ts";
import type { WorkerOptions } from "../../../src/core/worker/worker-options.ts";
import type { Harness } from "../../../src/testing/conformance/harness.ts";
import { transports } from "../../conformance/harnesses.ts";
import type { Finding, Scale } from "../section.ts";
import { unkindCommands } from "./commands.ts";
import { all, atMost, exactly, none, type Row, same, sized } from "./row.ts";
import { stage, type Stage } from "../../support/stage.ts";

/** Names that an object already has, that make it look like a promise, or that it would sort by itself. */
const NAMES: readonly string[] = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "__defineGetter__",
  "then",
  "toJSON",
  "valueOf",
  "10",
  "2",
  "4294967295",
  "-1",
];

/** All own properties of the prototypes that a careless copy could reach. */
function prototypes(): string {
  const objects = [
    Object.prototype,
    Function.prototype,
    Array.prototype,
    Map.prototype,
    Job.prototype,
    Error.prototype,
  ];
  return JSON.stringify(objects.map((one) => Reflect.ownKeys(one).map(String)));
}

async function pollution(): Promise<readonly Finding[]> {
  const before = prototypes();
  const pairs = NAMES.map((name, i) => [name, NAMES.at(-i) ?? ""] as const);
  const written = new Job("x", pairs);
  const read = Job.loadFromString(written.serialize());
  await using fixture = await stage();
  const honest = await fixture.worker((job) => JSON.stringify([...job.headers]));
  const carried = await fixture.execute(written);
  await fixture.settle(honest.stop());
  let named = 0;
  for (const name of NAMES) if (await servesAs(fixture, name)) named++;
  const refused = [
    (): unknown => new Worker(JSON.parse(TRICK) as WorkerOptions),
    (): unknown => new JobRunner(JSON.parse(TRICK) as RunnerOptions),
    (): unknown => new Job("", JSON.parse(TRICK) as Record<string, string>),
  ].filter(refuses).length;
  return [
    all("headers of such names, written, read and in their order", equals([...read.headers], pairs), pairs.length),
    all("and carried to a worker and back", equals(JSON.parse(String(carried.value)), pairs), pairs.length),
    all("workers, labels and errors of such names that work like any other", named, NAMES.length),
    all("options and headers with a `__proto__` of their own, refused", refused, 3),
    same("properties of Object.prototype and its like, before and after", prototypes() === before, true),
  ];
}

/** What JSON.parse makes an own property of, and a careless copy a prototype. */
const TRICK = '{ "__proto__": { "polluted": "yes" } }';

/** How many pairs are the same, in the same place. */
function equals(seen: unknown, wanted: readonly (readonly [string, string])[]): number {
  const pairs = Array.isArray(seen) ? seen : [];
  return wanted.filter((pair, i) => JSON.stringify(pairs[i]) === JSON.stringify(pair)).length;
}

function refuses(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    return error instanceof TypeError;
  }
}

/** Registers under a name, fails a job with it, and is shown, found and deleted by it. */
async function servesAs(fixture: Stage, name: string): Promise<boolean> {
  const peer = await fixture.peer({ identity: name, instance: name, labels: [name, name] });
  const call = await fixture.execute("x");
  const { attemptId } = peer.last("JOB");
  const told = { name, message: name, code: name, stack: name };
  peer.send({ type: "JOBERR", attemptId, error: told, retryable: false, retryAfter: 0 });
  await fixture.clock.settle();
  const shown = fixture.runner.stats().workers.find(({ identity }) => identity === name);
  fixture.runner.workers.delete(name);
  await fixture.clock.settle();
  const { error } = call;
  const failed = error instanceof ExecutionError && error.remoteName === name && error.remoteCode === name;
  return failed && shown?.labels.join() === `${name},${name}` && fixture.gone.includes(`${name} deleted`);
}

const anyUnits = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
  maxLength: 40,
});
const anyText = fc.oneof(
  anyUnits,
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("\ufeff", "\0", "\ud800", "a\udc00", "\udbff\udfff"),
);

/** All code units that are a text by themselves, some to a text. */
function everyUnit(together: number): string[] {
  const texts: string[] = [];
  let text = "";
  for (let unit = 0; unit <= 0xffff; unit++) {
    if (unit >= 0xd800 && unit <= 0xdfff) continue;
    text += String.fromCharCode(unit);
    if (text.length === together) {
      texts.push(text);
      text = "";
    }
  }
  return text === "" ? texts : [...texts, text];
}

async function damage(scale: Scale): Promise<readonly Finding[]> {
  const texts = [
    ...everyUnit(scale === "test" ? 64 : 1),
    ...Array.from({ length: 0x800 }, (_, i) => String.fromCharCode(0xd800 + i)),
    ...fc.sample(anyText, { numRuns: sized(scale, 300, 1_000, 20_000), seed: 1 }),
  ];
  const findings: Finding[] = [];
  for (const { name, make } of transports) {
    await using harness = await make();
    const wrong = await damaged(harness, texts);
    findings.push(none(`texts changed on the way over ${name}, or ill-formed ones taken`, wrong, texts.length));
  }
  return findings;
}

/** How many texts a worker behind a transport does not get, and give back, exactly; or gets although they are no text. */
async function damaged(harness: Harness, texts: readonly string[]): Promise<number> {
  const runner = new JobRunner({ listen: harness.listener, clock: harness.clock, maxQueue: texts.length });
  await harness.settle(runner.start());
  const dial: Dialer = { dial: (signal, limits) => harness.dialer().dial(signal, limits) };
  const worker = new Worker({ dial, clock: harness.clock, capacity: 50, handler: (job) => job.data });
  await harness.settle(worker.start());
  const outcomes = await harness.settle(Promise.allSettled(texts.map((text) => runner.execute(text))));
  const wrong = outcomes.filter((outcome, i) => {
    const text = texts[i] ?? "";
    if (outcome.status === "fulfilled") return outcome.value !== text || !text.isWellFormed();
    return text.isWellFormed() || !(outcome.reason instanceof TypeError);
  });
  await harness.settle(worker.stop());
  await harness.settle(runner.stop());
  return wrong.length;
}

/** Controls of both kinds, an escape sequence, and what turns a line around or hides. */
const NASTY: readonly string[] = [
  "\u001b[31mred",
  "\u0007",
  "\r",
  "\n",
  "\0",
  "\u007f",
  "\u009b2J",
  "\u0085",
  "\u2028",
  "\u202eevil",
  "\u2066",
  "\u200f",
  "\ufeff",
  "\b",
  "\u001b]0;title\u0007",
];
// oxlint-disable-next-line no-control-regex -- finding control characters is the point
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;

/** A HELLO with any text for identity, instance and label, which no honest worker could write. */
function crudeHello([identity = "", instance = "", label = ""]: readonly string[]): number[] {
  const name = (text: string): number[] => {
    const bytes = [...Buffer.from(text)];
    return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
  };
  const body = [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, ...name(identity), ...name(instance), 1, ...name(label)];
  return [1, 0, 0, body.length >> 8, body.length & 0xff, ...body];
}

async function injection(): Promise<readonly Finding[]> {
  await using fixture = await stage();
  let tries = 0;
  for (const nasty of NASTY) {
    for (const place of [0, 1, 2]) {
      const peer = await fixture.connection();
      peer.sendBytes(...crudeHello(["w", "i", "l"].map((name, i) => (i === place ? `${name}${nasty}` : name))));
      await fixture.clock.settle();
      tries++;
    }
  }
  const { registered, refused } = fixture.runner.stats();
  const words = NASTY.join(" ").repeat(200);
  const peer = await fixture.peer({ identity: "rude" });
  const call = await fixture.execute("x");
  const error = { name: words, message: words, code: words, stack: words };
  peer.send({ type: "JOBERR", attemptId: 1, error, retryable: false, retryAfter: 0 });
  peer.send({ type: "ERROR", code: "PROTOCOL", text: words, retryAfter: 0 });
  await fixture.clock.settle();
  const fields = fixture.events.flatMap((event) => rawFields(event.type, event));
  const longest = Math.max(
    ...fixture.events.map((event) => ("message" in event ? Buffer.byteLength(event.message) : 0)),
  );
  return [
    all("HELLOs refused whose identity, instance or label is not of the plain alphabet", refused, tries),
    exactly("registered of them", registered, 0),
    // What a handler threw is its author's text, handed over as it was; what may hold such words says so where it is declared.
    same("fields of events that hold a peer's words as they were", [...new Set(fields)].sort(), [
      "job-settled.error",
      "worker-gone.message",
    ]),
    atMost("the longest of them that is the runner's own sentence", longest, 1_100, "bytes"),
    same("what a call rejects with then", call.error instanceof ExecutionError, true),
    ...terminal(),
    ...(await unkindCommands(NASTY, UNSAFE)),
  ];
}

/** The names of an event's fields that hold characters nobody should print as they are. */
function rawFields(type: string, event: object): string[] {
  return Object.entries(event).flatMap(([field, value]) => {
    const text =
      value instanceof Error
        ? `${value.name}: ${value.message}`
        : (JSON.stringify(value, (_, inner: unknown) =>
            typeof inner === "string" && UNSAFE.test(inner) ? "!raw!" : inner,
          ) ?? "");
    return UNSAFE.test(text) || text.includes("!raw!") ? [`${type}.${field}`] : [];
  });
}

/** All that the command says by way of its own two mouths. */
function terminal(): readonly Finding[] {
  let said = "";
  const screen = {
    write: (text: string | Uint8Array): boolean => {
      said += String(text);
      return true;
    },
    on: () => undefined,
  };
  const notices = new Terminal(screen, {}, false);
  const words = NASTY.join("");
  for (const say of ["info", "error", "hint"] as const) notices[say](words);
  const worker = {
    identity: words,
    transport: words,
    address: words,
    state: words,
    labels: NASTY,
    capacity: 1,
    inFlight: 0,
    unread: 1,
    served: 0,
    ageMs: 0,
  };
  const counts = {
    uptimeMs: 0,
    jobsPerSecond: 0,
    read: 0,
    succeeded: 0,
    failed: 0,
    queued: 0,
    running: 0,
    backoff: 0,
    retries: 0,
    capacity: 1,
  };
  const report: StatusReport = {
    state: words,
    ...counts,
    tasks: [{ task: words, workers: 1, queued: 0, running: 0 }],
    workers: [worker],
  };
  const lines = `${said}${statusTable(report)}`.split("\n");
  return [
    none(
      "lines of the command with a raw control, escape or direction mark",
      lines.filter((line) => UNSAFE.test(line)).length,
      lines.length,
    ),
  ];
}

/** Names and texts. */
export const nameRows: readonly Row[] = [
  { name: "T19", threat: "names that are JavaScript's own", check: pollution },
  { name: "T23", threat: "text that does not survive its encoding", check: damage },
  { name: "T24", threat: "words that take over a log or a terminal", check: injection },
];
